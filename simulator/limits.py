"""Rate limits per organisation and minute, and the headers that report them.

Source: Anthropic API reference, "Rate limits": cache reads do not count towards input tokens.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.failures import rate_limited

_WINDOW_S = 60


@dataclass(frozen=True)
class Limits:
    """What an organisation may use per minute; the defaults are those of the provider's top tier."""

    requests: int = 20_000
    input_tokens: int = 40_000_000
    output_tokens: int = 6_000_000


@dataclass
class _Used:
    window: int
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class RateLimits:
    """The use of each organisation in the running minute."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._used: dict[str, _Used] = {}

    def check(self, organisation: str, now: float) -> None:
        """Count one request at ``now``. Raises ApiError 429 when a limit of this minute is used up."""
        used = self._current(organisation, now)
        for name in ("requests", "input_tokens", "output_tokens"):
            limit = getattr(self._limits, name)
            if getattr(used, name) >= limit:
                retry_after_s = round(self._reset_at(now) - now) or 1
                raise rate_limited(organisation, f"{limit:,} {name.replace('_', ' ')} per minute", retry_after_s)
        used.requests += 1

    def count(self, organisation: str, now: float, *, input_tokens: int, output_tokens: int) -> None:
        """Count the tokens of an answer given at ``now``."""
        used = self._current(organisation, now)
        used.input_tokens += input_tokens
        used.output_tokens += output_tokens

    def headers(self, organisation: str, now: float) -> dict[str, str]:
        """Return the anthropic-ratelimit-* headers as they stand at ``now``."""
        used = self._current(organisation, now)
        reset = datetime.fromtimestamp(self._reset_at(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = {
            "requests": (self._limits.requests, used.requests),
            "input-tokens": (self._limits.input_tokens, used.input_tokens),
            "output-tokens": (self._limits.output_tokens, used.output_tokens),
            "tokens": (
                self._limits.input_tokens + self._limits.output_tokens,
                used.input_tokens + used.output_tokens,
            ),
        }
        headers = {}
        for name, (limit, count) in rows.items():
            remaining = max(0, limit - count)
            # Token counts are reported to the nearest thousand.
            shown = remaining if name == "requests" else round(remaining, -3)
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(shown)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers

    def _current(self, organisation: str, now: float) -> _Used:
        window = int(now // _WINDOW_S)
        used = self._used.get(organisation)
        if used is None or used.window != window:
            used = self._used[organisation] = _Used(window)
        return used

    @staticmethod
    def _reset_at(now: float) -> float:
        return (now // _WINDOW_S + 1) * _WINDOW_S
