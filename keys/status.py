"""In which state a provider key is, in a word and a reason. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.words import is_inconclusive
from providers.base import Outcome


@dataclass(frozen=True)
class Status:
    """``tone`` is good, warn, bad, info, busy or empty; ``word`` goes with it, ``reason`` says why and what to do."""

    tone: str
    word: str
    reason: str = ""

    @property
    def is_failing(self) -> bool:
        return self.tone == "bad"


_OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.OK: ("good", "Working"),
    Outcome.INVALID_CREDENTIAL: ("bad", "Refused"),
    Outcome.NO_PERMISSION: ("bad", "No permission"),
    Outcome.MODEL_NOT_AVAILABLE: ("warn", "Model not available"),
    Outcome.NO_CREDIT: ("bad", "No credit"),
    Outcome.RATE_LIMITED: ("warn", "Rate limited"),
    Outcome.OVERLOADED: ("warn", "Overloaded"),
    Outcome.UNREACHABLE: ("bad", "Unreachable"),
    Outcome.TIMEOUT: ("warn", "Timed out"),
    Outcome.PROVIDER_ERROR: ("warn", "Provider error"),
    Outcome.MISCONFIGURED: ("bad", "Misconfigured"),
    Outcome.INVALID_REQUEST: ("warn", "Request refused"),
}


def status_of_call(call: TestCall | None) -> Status:
    """Return what a test call says of the version it was made with; it asks for the version's key."""
    if call is None:
        return Status("", "Not checked")
    if not call.is_done:
        return Status("busy", "Queued" if call.state == TestCall.State.QUEUED else "Running")
    outcome = Outcome(call.outcome)
    if is_inconclusive(call, outcome):
        why = ": no permission to list models" if outcome == Outcome.NO_PERMISSION else ""
        return Status("warn", f"Not checked{why}", call.message)
    tone, word = _OUTCOMES[outcome]
    return Status(tone, word, call.message)


def status_of_set_aside(set_aside: SetAside) -> Status:
    """Return why a version is left out, for all models or for one."""
    tone, word = _OUTCOMES[set_aside.outcome]
    return Status("bad" if not set_aside.model else tone, f"Set aside: {word.lower()}", set_aside.detail)


def status_of_key(
    key: ProviderKey,
    in_use: KeyVersion | None,
    last_call: TestCall | None,
    *,
    master_key_ids: Collection[str],
    set_asides: Iterable[SetAside] = (),
    has_worked_since: bool = False,
) -> Status:
    """Return the state of ``key``; ``last_call`` is the newest one made with the version ``in_use``.

    What the gateway saw when it called says more than a check did: ``set_asides`` are those of that version which are
    not over, ``has_worked_since`` tells whether requests succeeded with it after that call.
    """
    if not key.enabled:
        return Status("", "Disabled", "The gateway does not use it until it is enabled.")
    if in_use is None:
        return Status("bad", "No secret in use", "Rotate: paste a secret and switch to it.")
    if in_use.master_key_id not in master_key_ids:
        return Status("bad", "Cannot be opened", "Its master key is not configured. Rotate: paste the secret again.")
    for set_aside in set_asides:
        if not set_aside.model:
            return status_of_set_aside(set_aside)
    if has_worked_since:
        return Status("good", "Working", "Requests have succeeded since its last check failed.")
    return status_of_call(last_call)


def word_of_version(version: KeyVersion) -> Status:
    """Return a version's state in the words of the page; a fallback's end is shown beside it."""
    tones = {KeyVersion.State.ACTIVE: "good", KeyVersion.State.DRAINING: "warn", KeyVersion.State.DRAFT: "info"}
    return Status(tones.get(KeyVersion.State(version.state), ""), version.get_state_display())
