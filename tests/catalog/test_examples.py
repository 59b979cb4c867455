"""Which model a new key's snippets ask for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from catalog.examples import choose_example
from catalog.index import CatalogIndex
from catalog.queries import load_index
from catalog.routes import RouteSpec, TargetSpec
from catalog.services import sync_catalog
from catalog.targets import Reach
from providers.base import Target

NOW = datetime(2026, 3, 10, tzinfo=UTC)
SONNET, BEDROCK = "anthropic/claude-sonnet-4-6", "aws/anthropic/claude-sonnet-4-6"
REACH = Reach(
    {
        "simulated": [Target("https://simulated.test")],
        "anthropic": [Target("https://api.anthropic.com")],
        "aws": [Target("", {"region": "eu-west-1"})],
    }
)
ROUTES = [
    RouteSpec("off", [TargetSpec(SONNET)], enabled=False),
    RouteSpec("nowhere", [TargetSpec("google/anthropic/claude-sonnet-4-6")]),
    RouteSpec("elsewhere", [TargetSpec(SONNET)], allowed_regions=["eu"]),
    RouteSpec("support", [TargetSpec("google/anthropic/claude-sonnet-4-6"), TargetSpec(SONNET)]),
]


@pytest.fixture
def index(db: None) -> CatalogIndex:
    sync_catalog()
    return load_index()


def choose(index: CatalogIndex, *allowed: str, reach: Reach = REACH, **options: Any) -> str:
    defaults: dict[str, Any] = {"models_allowed": allowed, "checked": {"anthropic"}, "now": NOW}
    return choose_example(index, reach, ROUTES, **defaults | options)


def test_the_best_known_model_of_a_checked_provider_goes_first(index: CatalogIndex) -> None:
    assert choose(index) == SONNET
    assert choose(index, checked={"aws"}) == BEDROCK


def test_a_provider_that_fails_goes_last(index: CatalogIndex) -> None:
    assert choose(index, reach=replace(REACH, failing={"anthropic"})) == BEDROCK
    assert choose(index, "anthropic/*", reach=replace(REACH, failing={"anthropic"})) == SONNET


def test_only_what_may_be_called_is_asked_for(index: CatalogIndex) -> None:
    assert choose(index, "aws/*") == BEDROCK
    assert choose(index, "anthropic/claude-opus-*").startswith("anthropic/claude-opus-")
    assert choose(index, "google/*") == ""


def test_only_where_it_may_be_served(index: CatalogIndex) -> None:
    assert choose(index, reach=replace(REACH, allowed_regions=[[], ["eu"]])).startswith("aws/")


def test_a_model_that_no_catalog_lists_is_asked_for_as_it_is_written(index: CatalogIndex) -> None:
    reach = Reach({"openai": [Target("https://vllm.test")]})

    assert choose(index, "openai/my-own-model", reach=reach) == "openai/my-own-model"


def test_the_first_route_that_leads_anywhere_is_asked_for_where_no_model_is(index: CatalogIndex) -> None:
    assert choose(index, "route/*") == "route/support"
    assert choose(index, "route/nowhere") == ""
