"""Which rates a request is charged, by its input size and its start."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.prices import NO_PRICE, Price, PriceTable, Rates, Tier

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NORMAL = Rates(Decimal(3), Decimal("0.3"), Decimal("3.75"), Decimal(6), Decimal(15))
LONG = Rates(Decimal(6), Decimal("0.6"), Decimal("7.5"), Decimal(12), Decimal("22.5"))
LONGER = Rates(Decimal(9))
TIERED = Price(id=1, base=NORMAL, tiers=(Tier(200_000, LONG), Tier(500_000, LONGER)))


@pytest.mark.parametrize(
    ("input_tokens", "rates"),
    [(0, NORMAL), (200_000, NORMAL), (200_001, LONG), (500_000, LONG), (500_001, LONGER), (10**9, LONGER)],
)
def test_total_input_chooses_the_rates_of_the_whole_request(input_tokens, rates):
    assert TIERED.rates(input_tokens=input_tokens) == rates


def test_tiers_hold_whatever_their_order():
    unordered = Price(id=1, base=NORMAL, tiers=(Tier(500_000, LONGER), Tier(200_000, LONG)))

    assert unordered.rates(input_tokens=300_000) == LONG


def test_an_unknown_rate_is_none_and_not_zero():
    assert NO_PRICE.rates(input_tokens=5) == Rates(None, None, None, None, None)


@pytest.mark.parametrize(
    ("when", "price_id"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), 1),
        (datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), 1),
        (NEW_YEAR, 2),
        (datetime(2030, 1, 1, tzinfo=UTC), 2),
    ],
)
def test_the_price_in_force_when_a_request_starts_is_the_one_it_pays(when, price_id):
    table = PriceTable(
        {
            ("anthropic", "claude"): [
                Price(id=1, base=NORMAL, effective_to=NEW_YEAR),
                Price(id=2, base=LONG, effective_from=NEW_YEAR),
            ]
        }
    )

    assert table.at("anthropic", "claude", when).id == price_id


def test_a_request_before_the_first_price_is_unpriced():
    table = PriceTable({("anthropic", "claude"): [Price(id=1, base=NORMAL, effective_from=NEW_YEAR)]})

    assert table.at("anthropic", "claude", datetime(2025, 1, 1, tzinfo=UTC)) is NO_PRICE


def test_a_model_nobody_knows_is_unpriced():
    assert PriceTable({}).at("anthropic", "claude-next", NEW_YEAR) is NO_PRICE
