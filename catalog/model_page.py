"""What the page of one model shows: its offerings, their prices side by side, and which one to call. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.index import CatalogEntry, Lack
from catalog.prices import RATE_LABELS, Price, Rates
from catalog.providers import Provider
from catalog.targets import Reach, why_not_callable


@dataclass(frozen=True, slots=True)
class OfferingCard:
    """An offering with what the workspace and the clock add to it.

    ``why_not`` is why it cannot be called now, in half a sentence as in catalog.targets; '' if it can.
    """

    entry: CatalogEntry
    price: Price
    why_not: str
    is_connected: bool
    is_failing: bool
    is_retired: bool

    @property
    def provider(self) -> Provider:
        return self.entry.provider_info


@dataclass(frozen=True, slots=True)
class PriceColumn:
    """Offerings of one provider that cost the same: one column of the tables of prices."""

    cards: Sequence[OfferingCard]

    @property
    def price(self) -> Price:
        return self.cards[0].price

    @property
    def provider(self) -> Provider:
        return self.cards[0].provider

    @property
    def places(self) -> str:
        """Where these rates hold; empty for wherever the provider sends calls."""
        return ", ".join(card.entry.place or "global" for card in self.cards) if self._are_several_places else ""

    @property
    def _are_several_places(self) -> bool:
        return any(card.entry.region for card in self.cards)


@dataclass(frozen=True, slots=True)
class RateLine:
    """One line of the table of prices: a class of tokens and its rate in each column, None where unknown."""

    label: str
    rates: Sequence[Decimal | None]


@dataclass(frozen=True, slots=True)
class RateTable:
    """The rates side by side. ``above_input_tokens`` 0 is the ordinary request, else where a long one begins."""

    above_input_tokens: int
    lines: Sequence[RateLine]


def offering_cards(entries: Iterable[CatalogEntry], reach: Reach, now: datetime) -> list[OfferingCard]:
    """Return the offerings with their price at ``now``; ``reach`` is what the workspace's keys let it call."""
    return [
        OfferingCard(
            entry,
            entry.price_at(now),
            why_not=why_not_callable(entry, reach, now),
            is_connected=entry.provider in reach.targets and entry.provider not in reach.failing,
            is_failing=entry.provider in reach.failing,
            is_retired=entry.is_retired_at(now),
        )
        for entry in entries
    ]


def choose_offering(cards: Sequence[OfferingCard], asked: str) -> OfferingCard:
    """Return the offering whose model string was ``asked`` for, else the best to try first.

    That is one that can be called with the workspace's keys, else one of a connected provider, else one that can be
    called, else the first.
    """
    for card in cards:
        if card.entry.model_string == asked:
            return card
    return max(cards, key=lambda card: (not card.why_not, card.is_connected, card.provider.is_callable))


def providers_lacking(cards: Iterable[OfferingCard], lack: Lack) -> list[str]:
    """Return the names of the providers that do not offer this of the model, in the order of the offerings."""
    return list(dict.fromkeys(card.provider.name for card in cards if lack in card.entry.lacks))


def price_columns(cards: Iterable[OfferingCard]) -> list[PriceColumn]:
    """Return a column for each provider and price, in the order of the offerings."""
    columns: dict[tuple[Any, ...], list[OfferingCard]] = {}
    for card in cards:
        price = card.price
        key = (card.entry.provider, price.base, price.tiers, price.effective_from)
        columns.setdefault(key, []).append(card)
    return [PriceColumn(cards) for cards in columns.values()]


def rate_tables(columns: Sequence[PriceColumn]) -> list[RateTable]:
    """Return the table of ordinary rates, and one more for each bound that any of the columns has."""
    bounds = {tier.above_input_tokens for column in columns for tier in column.price.tiers}
    return [
        _table(bound, [column.price.rates(input_tokens=bound + 1) for column in columns])
        for bound in (0, *sorted(bounds))
    ]


def _table(bound: int, columns: Sequence[Rates]) -> RateTable:
    lines = [RateLine(label, [getattr(rates, name) for rates in columns]) for name, label in RATE_LABELS.items()]
    return RateTable(bound, lines)
