"""The catalog over the REST API."""

from decimal import Decimal
from typing import Any

import pytest

from catalog.queries import load_index
from catalog.services import sync_catalog
from tests.api.conftest import Api


@pytest.fixture
def models(api: Api) -> dict[str, Any]:
    sync_catalog()
    return {model["id"]: model for model in reversed(api.get("/models").json()["data"])}


def test_lists_every_offering_by_its_model_string(api: Api) -> None:
    sync_catalog()

    listed = [(model["id"], model["region"]) for model in api.get("/models").json()["data"]]

    assert listed == [(entry.model_string, entry.region or None) for entry in load_index().entries]
    assert len(listed) == len(set(listed))


def test_shows_the_five_prices_as_decimal_strings(models: dict[str, Any]) -> None:
    prices = models["anthropic/claude-sonnet-4-6"]["usd_per_million_tokens"]

    assert {name: Decimal(price) for name, price in prices.items()} == {
        "uncached_input": Decimal(3),
        "cache_read_input": Decimal("0.3"),
        "cache_write_5m_input": Decimal("3.75"),
        "cache_write_1h_input": Decimal(6),
        "output": Decimal(15),
    }
    assert all(isinstance(price, str) for price in prices.values())


def test_says_which_efforts_a_model_takes_and_whether_it_enforces_a_schema(models: dict[str, Any]) -> None:
    model = models["aws/anthropic/claude-sonnet-4-6"]

    assert (model["efforts"], model["structured_outputs"]) == (["low", "medium", "high", "max"], True)
    assert model["is_callable"] is True
    assert models["anthropic/claude-opus-4-8"]["structured_outputs"] is True
    assert models["aws/anthropic/claude-opus-4-8"]["structured_outputs"] is False
    assert models["anthropic/claude-3-haiku"]["efforts"] == []


def test_can_be_asked_for_one_provider(api: Api, models: dict[str, Any]) -> None:
    shown = api.get("/models", {"provider": "google"}).json()["data"]

    assert {model["provider"] for model in shown} == {"google"}
    assert {model["id"] for model in shown} == {name for name in models if name.startswith("google/")}
