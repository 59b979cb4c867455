"""What to try next after an attempt has failed: the same again, another key, another model, or nothing. Pure.

A refused key or a used-up rate limit goes to the next key of the same model; a failing upstream is tried again as often
as was asked for, with waits that double and scatter; then comes a key of another place, then the next model. A request
that is wrong is wrong everywhere, so nothing follows it.
"""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from providers.base import Outcome
from router.plan import Candidate, Plan

# One request never makes more attempts than this, however many keys and fallbacks there are.
MOST_ATTEMPTS: Final = 10
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 8.0
# Asked to wait longer than this, another model is the better answer, or the client may decide.
LONGEST_RETRY_AFTER_S: Final = 30.0
RETRIED_STATUSES: Final = frozenset([408, 429, 500, 502, 503, 504, 529])

_NEXT_KEY: Final = frozenset(
    [
        Outcome.INVALID_CREDENTIAL,
        Outcome.NO_CREDIT,
        Outcome.NO_PERMISSION,
        Outcome.MODEL_NOT_AVAILABLE,
        Outcome.RATE_LIMITED,
        Outcome.MISCONFIGURED,
    ]
)
UPSTREAM_FAILED: Final = frozenset([Outcome.TIMEOUT, Outcome.OVERLOADED, Outcome.PROVIDER_ERROR, Outcome.UNREACHABLE])
_NOTHING_HELPS: Final = frozenset([Outcome.INVALID_REQUEST])


class Failed(msgspec.Struct, frozen=True):
    """How an attempt failed; ``status`` is what the client would be told, where the upstream gave none."""

    outcome: Outcome
    status: int
    retry_after_s: float | None = None


class Next(msgspec.Struct, frozen=True):
    """The attempt to make, after waiting."""

    candidate: Candidate
    wait_s: float = 0.0


class Course:
    """The way through one plan."""

    def __init__(
        self, plan: Plan, *, account_of: Callable[[Candidate], str], draw: Callable[[], float] = random.random
    ) -> None:
        self._left = list(plan.candidates)
        self._retry, self._account_of, self._draw = plan.retry, account_of, draw
        self._fallback_on_codes = plan.fallback_on_codes
        self._statuses = frozenset(plan.retry.on_codes) or RETRIED_STATUSES
        self._attempts, self._retries = 1, 0

    @property
    def current(self) -> Candidate:
        """The candidate under way."""
        return self._left[0]

    def after(self, failed: Failed) -> Next | None:
        """Return what follows the failure of ``current``; None: the client gets it as it is."""
        if failed.outcome in _NOTHING_HELPS or self._attempts >= MOST_ATTEMPTS:
            return None
        self._attempts += 1
        if failed.outcome in _NEXT_KEY and self._go_to_next_key(failed.outcome):
            return Next(self.current)
        if failed.status in self._statuses and self._retries < self._retry.count:
            wait_s = self._wait(failed)
            if wait_s is not None:
                self._retries += 1
                return Next(self.current, wait_s)
        if failed.outcome in UPSTREAM_FAILED and self._go_to_another_place():
            return Next(self.current)
        if self._fallback_on_codes and failed.status not in self._fallback_on_codes:
            return None
        return Next(self.current) if self._go_to_next_leg() else None

    def skip(self) -> Next | None:
        """Return what follows a candidate that cannot express the request, which used no attempt."""
        return Next(self.current) if self._go_to_next_leg() else None

    def _go_to_next_key(self, outcome: Outcome) -> bool:
        tried, account = self.current, self._account_of(self.current)
        for candidate in self._left[1:]:
            if candidate.leg != tried.leg:
                # What comes after another model rests, and is worse than that model.
                return False
            # A rate limit counts for all keys of the account; a second one of it would only hit it again.
            shares_limit = outcome == Outcome.RATE_LIMITED and (
                candidate.key.id == tried.key.id or (account and self._account_of(candidate) == account)
            )
            if not shares_limit:
                self._left.remove(candidate)
                # The one that failed goes, and so does all that would fail with it.
                self._left = [candidate, *self._left[1:]]
                return True
        return False

    def _go_to_another_place(self) -> bool:
        """Go on to a key whose calls lead elsewhere: where one fails, its neighbours of the same address do too."""
        tried = self.current
        for candidate in self._left[1:]:
            if candidate.leg != tried.leg:
                return False
            if _place_of(candidate) != _place_of(tried):
                self._left.remove(candidate)
                self._left, self._retries = [candidate, *self._left[1:]], 0
                return True
        return False

    def _go_to_next_leg(self) -> bool:
        leg = self.current.leg
        self._left = [candidate for candidate in self._left if candidate.leg != leg]
        self._retries = 0
        return bool(self._left)

    def _wait(self, failed: Failed) -> float | None:
        longest: float = min(FIRST_WAIT_S * 2**self._retries, LONGEST_WAIT_S)
        # Full jitter would often wait next to nothing; half of it keeps a floor.
        wait_s = longest * (0.5 + 0.5 * self._draw())
        if failed.retry_after_s is None:
            return wait_s
        if failed.retry_after_s > LONGEST_RETRY_AFTER_S:
            return None
        return max(wait_s, failed.retry_after_s)


def _place_of(candidate: Candidate) -> tuple[str, str]:
    settings = candidate.key.target.settings
    return candidate.key.target.origin, settings.get("region") or settings.get("location", "")
