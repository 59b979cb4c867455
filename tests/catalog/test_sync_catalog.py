"""sync_catalog fills the catalog, changes nothing when run again, and succeeds prices instead of editing them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.files import read_catalog_files
from catalog.index import CatalogEntry, Lack
from catalog.models import Model, Offering, Price
from catalog.prices import Rates
from catalog.providers import PROVIDERS
from catalog.queries import load_index
from catalog.services import sync_catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog() -> None:
    sync_catalog()


def rows() -> list[list[dict[str, object]]]:
    return [list(table.objects.order_by("pk").values()) for table in (Model, Offering, Price)]


def test_first_sync_says_what_it_wrote():
    result = sync_catalog()

    assert result.models == Model.objects.count() > 20
    assert result.offerings == Offering.objects.count()
    assert result.prices == Price.objects.count()


def test_second_sync_changes_nothing(catalog):
    before = rows()

    sync_catalog()

    assert rows() == before


def test_second_sync_writes_nothing_so_that_no_gateway_reloads(catalog):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        sync_catalog()

    assert not [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_command_prints_one_line(catalog, capsys):
    call_command("sync_catalog")

    assert capsys.readouterr().out == "The catalog is up to date.\n"


def test_a_row_that_was_changed_by_hand_is_put_right(catalog):
    Model.objects.filter(slug="claude-sonnet-4-6").update(best_for="Nothing")

    result = sync_catalog()

    assert (result.models, Model.objects.get(slug="claude-sonnet-4-6").best_for) == (1, "Most tasks, coding")


def test_an_offering_the_file_does_not_have_is_unlisted_and_keeps_its_prices(catalog):
    dropped = Offering.objects.get(model_string="anthropic/claude-sonnet-4-6")
    dropped.region = "mars"
    dropped.model_string = "anthropic/martian"
    dropped.save()

    sync_catalog()

    dropped.refresh_from_db()
    assert not dropped.is_listed
    assert dropped.prices.exists()
    assert dropped.pk not in {entry.id for entry in load_index().entries}


def test_a_new_rate_succeeds_the_old_price_and_leaves_it_as_it_was(catalog):
    offering = Offering.objects.get(model_string="anthropic/claude-opus-4-8")
    Price.objects.filter(offering=offering).update(output=Decimal(30))

    sync_catalog()

    old, new = offering.prices.all()
    assert (old.output, new.output) == (Decimal(30), Decimal(25))
    assert old.effective_to == new.effective_from


def test_a_price_to_come_that_was_cancelled_is_withdrawn(catalog):
    offering = Offering.objects.get(model_string="anthropic/claude-sonnet-5")
    in_force = offering.prices.get()
    start = datetime.now(UTC) + timedelta(days=30)
    Price.objects.filter(pk=in_force.pk).update(effective_to=start)
    Price.objects.create(offering=offering, effective_from=start, output=Decimal(15), source="announced")

    sync_catalog()

    assert [(price.pk, price.effective_to) for price in offering.prices.all()] == [(in_force.pk, None)]


def test_prices_of_one_offering_follow_each_other_without_gap(catalog):
    old, new = Offering.objects.get(model_string="anthropic/claude-sonnet-4-6").prices.all()

    assert (old.effective_from, old.effective_to) == (None, datetime(2026, 3, 13, tzinfo=UTC))
    assert (new.effective_from, new.effective_to) == (datetime(2026, 3, 13, tzinfo=UTC), None)
    assert old.tiers[0]["above_input_tokens"] == 200_000
    assert not new.tiers


def test_the_simulator_mirrors_every_model_of_anthropic_at_its_prices(catalog):
    index = load_index()
    real = {entry.model: entry for entry in index.entries if entry.provider == "anthropic"}
    simulated = {entry.model: entry for entry in index.entries if entry.provider == "simulated"}

    assert simulated.keys() == real.keys()
    for model, entry in simulated.items():
        assert entry.model_string == f"simulated/{model}"
        assert [price.base for price in entry.prices] == [price.base for price in real[model].prices]


def test_every_price_names_its_source(catalog):
    assert not Price.objects.filter(source="").exists()


def test_every_offering_has_the_rates_its_answers_are_charged_by(catalog):
    now = datetime.now(UTC)
    missing = [
        entry.model_string for entry in load_index().entries if None in needed_rates(entry, entry.price_at(now).base)
    ]

    assert missing == []


def needed_rates(entry: CatalogEntry, rates: Rates) -> list[Decimal | None]:
    """Return the rates that tokens of ``entry`` can be charged by.

    OpenAI charges nothing for writing its cache, and its reports know no such tokens. Bedrock caches from Claude 3.5
    on, for one hour only where the catalog says so.
    """
    needed = [rates.uncached_input, rates.output]
    if entry.provider in ("anthropic", "google", "simulated") and "caching" in entry.info.capabilities:
        needed += [rates.cache_read_input, rates.cache_write_5m_input, rates.cache_write_1h_input]
    if entry.provider == "aws" and "caching" in entry.info.capabilities and Lack.HOURLY_CACHE not in entry.lacks:
        needed += [rates.cache_read_input, rates.cache_write_5m_input, rates.cache_write_1h_input]
    if entry.provider == "openai":
        needed.append(rates.cache_read_input)
    return needed


def test_a_provider_that_lacks_something_of_a_model_offers_it():
    for model in read_catalog_files().models:
        assert model.lacks.keys() <= {offering.provider for offering in model.offerings}, model.slug


def test_every_offering_is_of_a_provider_we_know(catalog):
    assert set(Offering.objects.values_list("provider", flat=True)) <= set(PROVIDERS)
