"""The figures that pages, CSV, reports and the REST API show, all under the same names. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import accumulate
from typing import Any, Self

# The measures in the order in which tables, CSV and the REST API show them.
MEASURES = (
    "requests",
    "attempts",
    "errors",
    "unsettled",
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "input_tokens",
    "cost_usd",
    "cache_savings_usd",
    "cache_hit_rate",
)
_NANO_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Measures:
    """Sums over attempts; money in nano-dollars, so that adding is exact.

    ``requests`` are final attempts; ``attempts`` are all, open ones too; ``open`` are in flight or not yet told,
    ``unknown`` ended without usage. ``unpriced``, ``estimated`` and ``partial`` count attempts among the rest.
    """

    requests: int = 0
    attempts: int = 0
    errors: int = 0
    open: int = 0
    unknown: int = 0
    estimated: int = 0
    partial: int = 0
    unpriced: int = 0
    uncached_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_5m_input_tokens: int = 0
    cache_write_1h_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    cost_nano: int = 0
    cache_savings_nano: int = 0

    @classmethod
    def total(cls, parts: Iterable["Measures"]) -> Self:
        """Return the sum of ``parts``."""
        listed = list(parts)
        return cls(*(sum(getattr(part, field.name) for part in listed) for field in fields(cls)))

    @property
    def unsettled(self) -> int:
        """Attempts whose usage is not known: those still open, and those that ended without telling."""
        return self.open + self.unknown

    @property
    def input_tokens(self) -> int:
        """The four input classes together, as OpenTelemetry counts."""
        return (
            self.uncached_input_tokens
            + self.cache_read_input_tokens
            + self.cache_write_5m_input_tokens
            + self.cache_write_1h_input_tokens
        )

    @property
    def cost_usd(self) -> Decimal:
        return usd(self.cost_nano)

    @property
    def cache_savings_usd(self) -> Decimal:
        """What the cached tokens would have cost uncached, less what they did cost; negative if nobody read them."""
        return usd(self.cache_savings_nano)

    @property
    def cache_hit_rate(self) -> float | None:
        """Cache reads as a share of all input tokens, 0 to 1; None where there was no input."""
        return self.cache_read_input_tokens / self.input_tokens if self.input_tokens else None

    def as_dict(self) -> dict[str, Any]:
        """Return the measures by name as the REST API gives them: money as decimal strings."""
        values = {name: getattr(self, name) for name in MEASURES}
        return values | {"cost_usd": usd_text(self.cost_nano), "cache_savings_usd": usd_text(self.cache_savings_nano)}


@dataclass(frozen=True, slots=True)
class Latency:
    """How long attempts took, counted into buckets; the upper ``bounds_ms`` are not part of their buckets."""

    counts: Sequence[int]
    bounds_ms: Sequence[int]

    def percentile_ms(self, share: float) -> int | None:
        """Return the time in which ``share`` (0 to 1) of the attempts ended; None where nothing was timed.

        Exact to the bucket, and within it as if its attempts were spread evenly. Beyond the last bound it is
        that bound.
        """
        sums = list(accumulate(self.counts))
        if not sums or not sums[-1]:
            return None
        rank = share * sums[-1]
        position = min(bisect_left(sums, max(rank, 1e-9)), len(sums) - 1)
        if position == len(self.bounds_ms):
            return self.bounds_ms[-1]
        low = self.bounds_ms[position - 1] if position else 0
        inside = (rank - (sums[position] - self.counts[position])) / self.counts[position]
        return round(low + inside * (self.bounds_ms[position] - low))


def usd(nano: int) -> Decimal:
    """Return ``nano`` nano-dollars in dollars, exactly."""
    return Decimal(nano).scaleb(-_NANO_DIGITS)


def usd_text(nano: int) -> str:
    """Return ``nano`` nano-dollars in dollars as plain digits, exactly and without trailing zeros."""
    text = f"{usd(nano):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def measures_of(row: Mapping[str, Any]) -> Measures:
    """Return the measures among the columns of ``row``; a sum over nothing (None) is zero."""
    return Measures(**{field.name: int(row[field.name] or 0) for field in fields(Measures)})
