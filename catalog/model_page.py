"""What the page of one model shows: its offerings, their prices side by side, and which one to call. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from catalog.index import CatalogEntry
from catalog.prices import RATE_LABELS, Price, Rates
from catalog.providers import Provider


@dataclass(frozen=True, slots=True)
class OfferingCard:
    """An offering with what the workspace and the clock add to it."""

    entry: CatalogEntry
    price: Price
    is_connected: bool
    is_retired: bool

    @property
    def provider(self) -> Provider:
        return self.entry.provider_info


@dataclass(frozen=True, slots=True)
class RateLine:
    """One line of the table of prices: a class of tokens and its rate at each offering, None where unknown."""

    label: str
    rates: Sequence[Decimal | None]


@dataclass(frozen=True, slots=True)
class RateTable:
    """The rates side by side. ``above_input_tokens`` 0 is the ordinary request, else where a long one begins."""

    above_input_tokens: int
    lines: Sequence[RateLine]


def offering_cards(entries: Iterable[CatalogEntry], connected: Collection[str], now: datetime) -> list[OfferingCard]:
    """Return the offerings with their price at ``now``; ``connected`` are the providers the workspace has keys for."""
    return [
        OfferingCard(entry, entry.price_at(now), entry.provider in connected, entry.is_retired_at(now))
        for entry in entries
    ]


def choose_offering(cards: Sequence[OfferingCard], asked: str) -> OfferingCard:
    """Return the offering whose model string was ``asked`` for, else the best to try first.

    That is one that can be called with the workspace's keys, else one that can be called, else the first.
    """
    for card in cards:
        if card.entry.model_string == asked:
            return card
    return max(cards, key=lambda card: (card.provider.is_callable and card.is_connected, card.provider.is_callable))


def rate_tables(cards: Sequence[OfferingCard]) -> list[RateTable]:
    """Return the table of ordinary rates, and one more for each bound that any of the offerings has."""
    bounds = {tier.above_input_tokens for card in cards for tier in card.price.tiers}
    return [
        _table(bound, [card.price.rates(input_tokens=bound + 1) for card in cards]) for bound in (0, *sorted(bounds))
    ]


def _table(bound: int, columns: Sequence[Rates]) -> RateTable:
    lines = [RateLine(label, [getattr(rates, name) for rates in columns]) for name, label in RATE_LABELS.items()]
    return RateTable(bound, lines)
