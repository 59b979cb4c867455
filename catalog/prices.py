"""What a million tokens cost, from when to when. Pure: no database, clock or settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

# The fields of Rates, and how pages name the five classes of tokens.
RATE_LABELS = {
    "uncached_input": "Uncached input",
    "cache_read_input": "Cache read",
    "cache_write_5m_input": "Cache write, 5 min",
    "cache_write_1h_input": "Cache write, 1 h",
    "output": "Output",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens for each of the five classes; None where no rate is known (never free)."""

    uncached_input: Decimal | None = None
    cache_read_input: Decimal | None = None
    cache_write_5m_input: Decimal | None = None
    cache_write_1h_input: Decimal | None = None
    output: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates for a request whose input, all four classes together, is above so many tokens."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of one offering while they are in force: from ``effective_from`` up to ``effective_to``.

    ``effective_from`` None means since the model came out, ``effective_to`` None until further notice.
    ``id`` is the row's; None only for NO_PRICE.
    """

    id: int | None
    base: Rates
    tiers: tuple[Tier, ...] = ()
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    source: str = ""

    def rates(self, *, input_tokens: int) -> Rates:
        """Return the rates for a request with ``input_tokens`` in all four input classes together.

        Crossing a tier's bound moves all of the request's tokens to its rates, output too.
        Source: Anthropic, "Long context pricing".
        """
        crossed = [tier for tier in self.tiers if input_tokens > tier.above_input_tokens]
        return max(crossed, key=lambda tier: tier.above_input_tokens).rates if crossed else self.base

    def is_in_force(self, when: datetime) -> bool:
        """Whether a request that starts at ``when`` is charged by this price."""
        has_begun = self.effective_from is None or self.effective_from <= when
        return has_begun and (self.effective_to is None or when < self.effective_to)


# Stands in for a price that nobody knows: every class is unpriced.
NO_PRICE = Price(id=None, base=Rates())


def price_in_force(prices: Iterable[Price], when: datetime) -> Price:
    """Return the one of an offering's ``prices`` in force at ``when``, else NO_PRICE."""
    return next((price for price in prices if price.is_in_force(when)), NO_PRICE)


# The region of an offering that is served in whichever single region its key names, often at a price of its own.
IN_REGION = "regional"


def priced_regions(region: str) -> tuple[str, ...]:
    """Return the regions whose offering prices a call that was served in ``region``, best first.

    Empty where nobody promised a place ('' and "global"): the model's plain offering prices it then.
    """
    return () if region in ("", "global") else (region, IN_REGION)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All prices, by provider and every name the model goes by there: slug, alias or the provider's own id.

    ``regional`` has those of one place besides, by provider, name and the offering's region.
    """

    prices: Mapping[tuple[str, str], Sequence[Price]]
    regional: Mapping[tuple[str, str, str], Sequence[Price]] = field(default_factory=dict)

    def at(self, provider: str, model: str, when: datetime, *, region: str = "") -> Price:
        """Return the price of ``model`` at ``provider`` for a request that starts at ``when``, else NO_PRICE.

        ``region`` is where it was served; '' for wherever the provider sends it.
        """
        for place in priced_regions(region):
            if prices := self.regional.get((provider, model, place)):
                return price_in_force(prices, when)
        return price_in_force(self.prices.get((provider, model), ()), when)
