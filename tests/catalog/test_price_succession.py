"""How published prices become periods, and how stored prices are succeeded."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.files import PriceOverride, read_catalog_files
from catalog.periods import PACKAGE_SOURCE, Period, Succession, plan_succession, published_periods
from catalog.prices import Price, Rates

SPRING, SUMMER, AUTUMN = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 6, 9))
NOW = datetime(2026, 7, 1, tzinfo=UTC)
THREE, FOUR, FIVE = (Rates(uncached_input=Decimal(rate)) for rate in (3, 4, 5))


def period(start: datetime | None, rates: Rates) -> Period:
    return Period(start, rates, (), "a test")


def price(price_id: int, rates: Rates, start: datetime | None = None, end: datetime | None = None) -> Price:
    return Price(id=price_id, base=rates, effective_from=start, effective_to=end)


@pytest.mark.parametrize(
    ("stored", "published", "expected"),
    [
        pytest.param([], [period(None, THREE)], Succession(added=(period(None, THREE),)), id="first price"),
        pytest.param([price(1, THREE)], [period(None, THREE)], Succession(), id="nothing new"),
        pytest.param([price(1, THREE)], [], Succession(), id="no longer published"),
        pytest.param(
            [price(1, THREE)], [period(None, FOUR)], Succession(added=(period(NOW, FOUR),)), id="changed without a date"
        ),
        pytest.param(
            [price(1, THREE)],
            [period(None, THREE), period(SUMMER, FOUR)],
            Succession(added=(period(SUMMER, FOUR),)),
            id="changed with a date",
        ),
        pytest.param(
            [price(1, THREE, None, SPRING), price(2, FOUR, SPRING)],
            [period(None, FIVE), period(SPRING, FOUR)],
            Succession(),
            id="history rewritten: ours stays",
        ),
        pytest.param(
            [price(1, THREE, None, SPRING), price(2, FOUR, SPRING)],
            [period(None, THREE), period(SUMMER, FOUR)],
            Succession(),
            id="date moved, same rates",
        ),
        pytest.param(
            [price(1, THREE, None, AUTUMN), price(2, FOUR, AUTUMN)],
            [period(None, THREE), period(AUTUMN, FOUR)],
            Succession(),
            id="still to come",
        ),
        pytest.param(
            [price(1, THREE, None, AUTUMN), price(2, FOUR, AUTUMN)],
            [period(None, THREE)],
            Succession(withdrawn=(price(2, FOUR, AUTUMN),), reopened=price(1, THREE, None, AUTUMN)),
            id="cancelled before it came",
        ),
        pytest.param(
            [price(1, THREE, None, AUTUMN), price(2, FOUR, AUTUMN)],
            [period(None, THREE), period(AUTUMN, FIVE)],
            Succession(withdrawn=(price(2, FOUR, AUTUMN),), added=(period(AUTUMN, FIVE),)),
            id="another price will come",
        ),
    ],
)
def test_prices_are_succeeded_and_never_edited(stored, published, expected):
    assert plan_succession(stored, published, NOW) == expected


def test_the_package_tells_since_when_a_price_holds():
    before, since = published_periods("anthropic", "claude-opus-4-6", [])

    assert (before.start, since.start) == (None, datetime(2026, 3, 13, tzinfo=UTC))
    assert [tier.above_input_tokens for tier in before.tiers] == [200_000]
    assert before.tiers[0].rates.output == Decimal("37.5")
    assert (since.tiers, since.source) == ((), PACKAGE_SOURCE)


def test_the_five_classes_come_from_the_package_one_by_one():
    (haiku,) = published_periods("anthropic", "claude-haiku-4-5-20251001", [])

    assert haiku.base == Rates(Decimal(1), Decimal("0.1"), Decimal("1.25"), Decimal(2), Decimal(5))


def test_a_model_without_a_published_price_has_no_period():
    assert published_periods("anthropic", "claude-of-the-future", []) == []


def test_an_override_completes_the_package_and_names_its_source():
    override = PriceOverride(
        "aws", "us.anthropic.claude-opus-4-1-20250805-v1:0", "a page", {"cache_write_1h_input": Decimal(30)}
    )

    (completed,) = published_periods(override.provider, override.upstream_id, [override])

    assert completed.base == Rates(Decimal(15), Decimal("1.5"), Decimal("18.75"), Decimal(30), Decimal(75))
    assert completed.source == f"{PACKAGE_SOURCE}; a page"


def test_an_override_with_a_date_holds_from_then():
    override = PriceOverride("anthropic", "claude-opus-4-8", "a page", {"output": Decimal(20)}, effective_from=SUMMER)

    before, since = published_periods("anthropic", "claude-opus-4-8", [override])

    assert (before.base.output, since.base.output, since.start) == (Decimal(25), Decimal(20), SUMMER)


def test_a_dated_override_alone_leaves_the_time_before_unpriced():
    override = PriceOverride("anthropic", "claude-next", "a page", {"output": Decimal(20)}, effective_from=SUMMER)

    (only,) = published_periods("anthropic", "claude-next", [override])

    assert only.start == SUMMER


def test_every_override_completes_an_offering_of_the_file():
    file = read_catalog_files()
    offered = {(offering.provider, offering.upstream_id) for model in file.models for offering in model.offerings}

    assert {(each.provider, each.upstream_id) for each in file.price_overrides} <= offered


def test_no_override_repeats_what_the_package_knows():
    for override in read_catalog_files().price_overrides:
        for published in published_periods(override.provider, override.upstream_id, []):
            assert {name for name in override.rates if getattr(published.base, name) is not None} == set()
