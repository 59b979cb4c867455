"""What an attempt cost, in nano-dollars, class by class. Pure.

A rate in USD per million tokens times a number of tokens times 1,000 is nano-dollars. Each class is rounded once.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from catalog.prices import Rates
from providers.base import TokenCounts

_NANO_PER_RATE = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Cost:
    """Nano-dollars per class; None where tokens stand in a class that has no rate, 0 where none are known."""

    uncached_input: int | None
    cache_read_input: int | None
    cache_write_5m_input: int | None
    cache_write_1h_input: int | None
    output: int | None
    cache_savings: int | None
    # Searches have no rate here, so a request that made some is never shown as fully priced.
    web_searches: int | None = 0

    @property
    def is_unpriced(self) -> bool:
        """True when some tokens, or the searches made, could not be priced."""
        return None in (
            self.uncached_input,
            self.cache_read_input,
            self.cache_write_5m_input,
            self.cache_write_1h_input,
            self.output,
            self.web_searches,
        )

    @property
    def input_total(self) -> int:
        """The four input classes together; an unpriced class adds nothing."""
        return (
            (self.uncached_input or 0)
            + (self.cache_read_input or 0)
            + (self.cache_write_5m_input or 0)
            + (self.cache_write_1h_input or 0)
        )

    @property
    def total(self) -> int:
        """All classes together; an unpriced class adds nothing, which ``is_unpriced`` tells."""
        return self.input_total + (self.output or 0)


def price_counts(counts: TokenCounts, rates: Rates) -> Cost:
    """Return what ``counts`` cost at ``rates``.

    Savings are what the cached tokens would have cost uncached, less what they did cost: reads save, writes
    carry a premium, so a cache that is written and never read has negative savings.
    """
    read = _price(counts.cache_read_input, rates.cache_read_input)
    write_5m = _price(counts.cache_write_5m_input, rates.cache_write_5m_input)
    write_1h = _price(counts.cache_write_1h_input, rates.cache_write_1h_input)
    cached_tokens = counts.input_total - (counts.uncached_input or 0)
    uncached_price = _price(cached_tokens, rates.uncached_input)
    savings = None
    if uncached_price is not None and read is not None and write_5m is not None and write_1h is not None:
        savings = uncached_price - read - write_5m - write_1h
    return Cost(
        uncached_input=_price(counts.uncached_input, rates.uncached_input),
        cache_read_input=read,
        cache_write_5m_input=write_5m,
        cache_write_1h_input=write_1h,
        output=_price(counts.output, rates.output),
        cache_savings=savings,
        web_searches=None if counts.web_searches else 0,
    )


def _price(tokens: int | None, rate: Decimal | None) -> int | None:
    if not tokens:
        return 0
    if rate is None:
        return None
    return int((tokens * rate * _NANO_PER_RATE).to_integral_value(ROUND_HALF_UP))
