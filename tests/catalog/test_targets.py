"""What a route's form offers, and why a model cannot be called now."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from catalog.index import CatalogEntry, CatalogIndex
from catalog.queries import load_index
from catalog.services import sync_catalog
from catalog.targets import Reach, target_options, why_not, why_not_callable
from providers.base import Target

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SONNET = "anthropic/claude-sonnet-4-6"
CONNECTED = Reach({"anthropic": [Target()]})


@pytest.fixture
def index(db: None) -> CatalogIndex:
    sync_catalog()
    return load_index()


@pytest.fixture
def sonnet(index: CatalogIndex) -> CatalogEntry:
    return index.resolve(SONNET)


def test_a_model_of_a_connected_provider_can_be_called(sonnet: CatalogEntry) -> None:
    assert why_not_callable(sonnet, CONNECTED, NOW) == ""


def test_one_of_a_provider_without_a_key_in_use_cannot(sonnet: CatalogEntry) -> None:
    assert why_not_callable(sonnet, Reach({}), NOW) == "Anthropic is not connected"


def test_one_of_a_provider_without_a_key_that_works_cannot(sonnet: CatalogEntry) -> None:
    assert why_not_callable(sonnet, replace(CONNECTED, failing={"anthropic"}), NOW) == "no key of Anthropic works"


@pytest.mark.parametrize(
    ("region", "said"), [("us-east-1", ""), ("eu-west-1", "no key of AWS Bedrock has a region for it")]
)
def test_a_profile_is_called_from_its_own_area(index: CatalogIndex, region: str, said: str) -> None:
    reach = Reach({"aws": [Target(settings={"region": region})]})

    assert why_not("aws/us.anthropic.claude-opus-4-6-v1", index, reach, NOW) == said


def test_a_retired_one_cannot(sonnet: CatalogEntry) -> None:
    gone = replace(sonnet, retires_on=date(2026, 10, 31))

    assert why_not_callable(gone, CONNECTED, NOW) == "retired since 2026-10-31"


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ([[]], ""),
        ([["global"], ["eu", "global"]], ""),
        ([["eu"]], "outside the allowed regions"),
        ([["global"], ["eu"]], "outside the allowed regions"),
    ],
)
def test_every_list_of_regions_must_allow_it(sonnet: CatalogEntry, allowed: list[list[str]], said: str) -> None:
    reach = replace(CONNECTED, allowed_regions=allowed)

    assert why_not_callable(sonnet, reach, NOW) == said


def test_a_model_that_the_catalog_dropped_is_told(index: CatalogIndex) -> None:
    assert why_not("anthropic/claude-0", index, CONNECTED, NOW) == "no longer in the catalog"
    assert why_not(SONNET, index, CONNECTED, NOW) == ""


def test_an_id_that_the_catalog_cannot_know_goes_by_its_provider(index: CatalogIndex) -> None:
    profile = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"

    assert why_not(f"aws/{profile}", index, CONNECTED, NOW) == "AWS Bedrock is not connected"
    assert why_not(f"aws/{profile}", index, Reach({"aws": [Target(settings={"region": "eu-west-1"})]}), NOW) == ""


def test_every_model_string_is_an_option_once(index: CatalogIndex) -> None:
    offered = target_options(index, CONNECTED, NOW)

    options = {option.model_string: option for option in offered}
    assert list(options) == list(dict.fromkeys(entry.model_string for entry in index.entries))
    assert len(options) == len(offered)
    assert options[SONNET].label == SONNET
    assert options["simulated/claude-sonnet-4-6"].label == (
        "simulated/claude-sonnet-4-6 (Simulated Anthropic is not connected)"
    )
