"""Which provider keys and upstreams to leave alone for a while, and when to try them again. Kept in memory.

A key the provider refuses is *set aside*, for all models or for one; a key over its rate limit *rests* for that model;
an upstream that fails again and again has its *circuit* opened. All three mean the same to the planner: others go
first. When the time is up one request is let through as a probe; its success brings the key or upstream back, its
failure doubles the wait. Nothing is ever refused for want of a healthy choice: the last one left is tried.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from uuid import UUID

from providers.base import Outcome
from router.course import UPSTREAM_FAILED
from router.plan import Candidate
from router.snapshot import KeyName
from usage.records import SetAsideRecord

# (workspace, provider, address or region, the provider's id of the model)
UpstreamName = tuple[UUID, str, str, str]

KEY_REFUSED: Final = frozenset([Outcome.INVALID_CREDENTIAL, Outcome.NO_CREDIT])
_MODEL_REFUSED: Final = frozenset([Outcome.NO_PERMISSION, Outcome.MODEL_NOT_AVAILABLE])

SET_ASIDE_S: Final = 60.0
LONGEST_SET_ASIDE_S: Final = 900.0
REST_S: Final = 5.0
LONGEST_REST_S: Final = 600.0
# A shorter rest is over before anybody could look at it.
TOLD_FROM_S: Final = 10.0
FAILURES_TO_OPEN: Final = 5
# Failures further apart than this are not one outage.
FAILURES_WITHIN_S: Final = 60.0
OPEN_S: Final = 10.0
LONGEST_OPEN_S: Final = 120.0
# By then every wait has reached its longest; a key that nobody mends for weeks must not count into infinity.
MOST_DOUBLINGS: Final = 8
# A probe that has not reported back by then is given up, and another may go.
PROBE_S: Final = 60.0
# Names come from clients; beyond this the oldest are forgotten.
MOST_NAMES: Final = 10_000


class _Rest:
    """Something left alone for a while."""

    __slots__ = ("is_stored", "is_told", "outcome", "probed_at", "strikes", "until")

    def __init__(self, until: float, outcome: str, *, is_stored: bool = False) -> None:
        self.until, self.outcome, self.is_stored, self.is_told = until, outcome, is_stored, is_stored
        self.strikes = 1
        self.probed_at = 0.0


class _Circuit:
    """Failures of one upstream in a row; open from FAILURES_TO_OPEN on."""

    __slots__ = ("failed_at", "failures", "probed_at", "until")

    def __init__(self) -> None:
        self.failures, self.failed_at, self.until, self.probed_at = 0, 0.0, 0.0, 0.0


class Health:
    """What this process has seen of keys and upstreams. ``tell`` gets each change that pages should show."""

    def __init__(self, tell: Callable[[SetAsideRecord], None]) -> None:
        self._tell = tell
        self._rests: dict[KeyName, _Rest] = {}
        self._circuits: dict[UpstreamName, _Circuit] = {}
        self._accounts: dict[tuple[UUID, int], str] = {}

    def is_fresh(self, candidate: Candidate, now: float) -> bool:
        """Whether nothing speaks against ``candidate``, or its time is up and no probe is under way."""
        if not (self._rests or self._circuits):
            return True
        rests = (self._rests.get(name) for name in _names_of(candidate))
        waits = [*rests, self._circuits.get(_upstream_of(candidate))]
        return all(wait is None or (wait.until <= now and wait.probed_at + PROBE_S <= now) for wait in waits)

    def note_start(self, candidate: Candidate, now: float) -> None:
        """Note that ``candidate`` is tried: where its time is up this is the probe, and others wait for it."""
        if not (self._rests or self._circuits):
            return
        rests = (self._rests.get(name) for name in _names_of(candidate))
        for wait in (*rests, self._circuits.get(_upstream_of(candidate))):
            # What is sent before that, as a last resort, puts no probe off.
            if wait is not None and 0 < wait.until <= now:
                wait.probed_at = now

    def note_success(self, candidate: Candidate) -> None:
        """Bring ``candidate`` back: the provider answered."""
        if not (self._rests or self._circuits):
            return
        for name in _names_of(candidate):
            rest = self._rests.pop(name, None)
            if rest is not None and rest.is_told:
                self._tell(SetAsideRecord(*name, rest.outcome, "", 0))
        self._circuits.pop(_upstream_of(candidate), None)

    def note_failure(
        self,
        candidate: Candidate,
        outcome: Outcome,
        now: float,
        *,
        retry_after_s: float | None = None,
        detail: str = "",
    ) -> None:
        """Draw the conclusion from a failed attempt; ``detail`` is the provider's message, masked."""
        every, this = _names_of(candidate)
        # An id that the catalog does not know may be no model at all: that says nothing of the key.
        is_known = candidate.offered.entry is not None
        if outcome in KEY_REFUSED:
            self._rest(every, outcome, detail, now, shortest=SET_ASIDE_S, longest=LONGEST_SET_ASIDE_S)
        elif outcome in _MODEL_REFUSED and is_known:
            self._rest(this, outcome, detail, now, shortest=SET_ASIDE_S, longest=LONGEST_SET_ASIDE_S)
        elif outcome == Outcome.RATE_LIMITED and is_known:
            self._rest(this, outcome, detail, now, shortest=retry_after_s or REST_S, longest=LONGEST_REST_S)
        elif outcome in UPSTREAM_FAILED:
            self._count_failure(_upstream_of(candidate), now)
        else:
            # The request was at fault, and that was noticed: the upstream works.
            self._circuits.pop(_upstream_of(candidate), None)

    def note_account(self, candidate: Candidate, account: str) -> None:
        """Remember whose account a key belongs to, as the provider says in its replies."""
        if account:
            self._accounts[candidate.key.id, candidate.version.number] = account

    def account_of(self, candidate: Candidate) -> str:
        """Return the account of a candidate's key, '' if it is not known."""
        return self._accounts.get((candidate.key.id, candidate.version.number), "")

    def sync(self, stored: Mapping[KeyName, tuple[str, float]]) -> None:
        """Take over what other processes found, and what people cleared: (outcome, until) by key and model."""
        for name, (outcome, until) in stored.items():
            rest = self._rests.get(name)
            if rest is None:
                self._rests[name] = _Rest(until, outcome, is_stored=True)
            else:
                rest.is_stored, rest.until = True, max(rest.until, until)
        for name in [name for name, rest in self._rests.items() if rest.is_stored and name not in stored]:
            del self._rests[name]

    def _rest(
        self, name: KeyName, outcome: Outcome, detail: str, now: float, *, shortest: float, longest: float
    ) -> None:
        rest = self._rests.get(name)
        if rest is not None and rest.until > now:
            return  # Sent as a last resort, or at the same time as the one that failed first.
        strikes = rest.strikes + 1 if rest else 1
        _make_room(self._rests)
        rest = self._rests[name] = rest or _Rest(0, outcome)
        rest.until, rest.strikes, rest.probed_at, rest.outcome = now, strikes, 0.0, outcome
        rest.until += min(shortest * 2 ** min(strikes - 1, MOST_DOUBLINGS), max(longest, shortest))
        if rest.until - now >= TOLD_FROM_S:
            rest.is_told = True
            self._tell(SetAsideRecord(*name, outcome, detail, round(rest.until * 1_000_000)))

    def _count_failure(self, upstream: UpstreamName, now: float) -> None:
        _make_room(self._circuits)
        circuit = self._circuits.setdefault(upstream, _Circuit())
        if not circuit.until and circuit.failed_at + FAILURES_WITHIN_S < now:
            circuit.failures = 0
        circuit.failures, circuit.failed_at = circuit.failures + 1, now
        if circuit.failures >= FAILURES_TO_OPEN and circuit.until <= now:
            doublings = min(circuit.failures - FAILURES_TO_OPEN, MOST_DOUBLINGS)
            circuit.until, circuit.probed_at = now + min(OPEN_S * 2**doublings, LONGEST_OPEN_S), 0.0


def _names_of(candidate: Candidate) -> tuple[KeyName, KeyName]:
    key, number = candidate.key.id, candidate.version.number
    return (key, number, ""), (key, number, candidate.offered.upstream_id)


def _upstream_of(candidate: Candidate) -> UpstreamName:
    # Within a workspace: nobody may shut others off, not even by failing again and again.
    offered, key = candidate.offered, candidate.key
    return key.workspace, offered.provider, key.target.origin or candidate.region, offered.upstream_id


def _make_room(names: dict[KeyName, _Rest] | dict[UpstreamName, _Circuit]) -> None:
    if len(names) >= MOST_NAMES:
        oldest: Iterable[object] = list(names)[: MOST_NAMES // 10]
        for name in oldest:
            names.pop(name, None)  # type: ignore[call-overload]  # each is a key of this very dictionary
