"""Prices looked up in bulk and one by one."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.models import Offering
from catalog.prices import NO_PRICE
from catalog.queries import load_index, price_at, price_table
from catalog.services import sync_catalog

pytestmark = pytest.mark.django_db

BEFORE, SINCE = datetime(2026, 3, 12, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC)


@pytest.fixture(autouse=True)
def catalog() -> None:
    sync_catalog()


@pytest.mark.parametrize(
    ("provider", "model", "output"),
    [
        ("anthropic", "claude-haiku-4-5", 5),
        ("anthropic", "claude-haiku-4-5-20251001", 5),
        ("simulated", "claude-haiku-4-5-20251001", 5),
        ("aws", "claude-opus-4-8", 25),
        ("aws", "us.anthropic.claude-opus-4-8", Decimal("27.5")),
        ("google", "claude-haiku-4-5@20251001", 5),
    ],
)
def test_the_table_knows_a_model_by_each_of_its_names(provider, model, output):
    assert price_table().at(provider, model, SINCE).base.output == output


@pytest.mark.parametrize(
    ("provider", "model", "region", "output"),
    [
        ("aws", "claude-opus-4-8", "global", 25),
        ("aws", "claude-opus-4-8", "us", Decimal("27.5")),
        ("aws", "claude-opus-4-8", "eu-west-2", Decimal("27.5")),
        ("aws", "claude-opus-4-8", "nowhere", Decimal("27.5")),
        ("google", "claude-opus-4-8", "", 25),
        ("google", "claude-opus-4-8", "global", 25),
        ("google", "claude-opus-4-8", "europe-west1", Decimal("27.5")),
        ("google", "claude-opus-4-8", "us", Decimal("27.5")),
        ("google", "claude-opus-4-1", "us-east5", 75),
        ("anthropic", "claude-opus-4-8", "", 25),
        ("openai", "gpt-5-mini", "", 2),
    ],
)
def test_the_table_knows_what_a_place_costs(provider, model, region, output):
    assert price_table().at(provider, model, SINCE, region=region).base.output == output


def test_the_table_knows_which_price_held_when():
    table = price_table()

    assert table.at("anthropic", "claude-sonnet-4-6", BEFORE).rates(input_tokens=200_001).output == Decimal("22.5")
    assert table.at("anthropic", "claude-sonnet-4-6", SINCE).rates(input_tokens=200_001).output == 15


def test_the_table_keeps_the_prices_of_an_offering_that_was_dropped():
    Offering.objects.filter(model_string="anthropic/claude-sonnet-4-6").update(is_listed=False)

    assert load_index().find("anthropic", "claude-sonnet-4-6") is None
    assert price_table().at("anthropic", "claude-sonnet-4-6", SINCE).base.output == 15


def test_the_table_prices_nothing_it_does_not_know():
    assert price_table().at("anthropic", "claude-next", SINCE) is NO_PRICE


def test_the_price_of_one_offering_at_a_time():
    offering = Offering.objects.get(model_string="anthropic/claude-sonnet-4-6")

    assert price_at(offering.pk, BEFORE).tiers
    assert not price_at(offering.pk, SINCE).tiers
    assert price_at(0, SINCE) is NO_PRICE


def test_three_queries_load_everything(django_assert_num_queries):
    with django_assert_num_queries(3):
        load_index()
