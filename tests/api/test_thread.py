"""The main job by script alone: connect a provider, hand out a key, call a model, read the very same tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.services import sync_catalog
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from tests.api.conftest import Api
from tests.factories import PLAINTEXT
from tests.router.conftest import message_body, running_gateway, wait_for
from tests.stub import Stub, counts_of
from tests.stub_fixtures import stub

__all__ = ["stub"]


@pytest.fixture
def url(transactional_db: None, stub: Stub, settings: Any, tmp_path: Path) -> Iterator[str]:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.ALLOWED_ORIGINS = frozenset([stub.origin])
    sync_catalog()
    with running_gateway() as running:
        yield running


def call(url: str, token: str) -> httpx.Response:
    headers = {"x-api-key": token}
    return httpx.post(f"{url}/v3/anthropic/v1/messages", json=message_body(), headers=headers, trust_env=False)


def connected(api: Api, stub: Stub) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a new provider key at ``stub``, and a new gateway key."""
    body = {"provider": "anthropic", "name": "Production", "credentials": {"api_key": PLAINTEXT}}
    provider_key = api.post("/provider-keys", body | {"base_url": stub.origin}).json()
    return provider_key, api.post("/api-keys", {"name": "app"}).json()


def test_usage_equals_what_the_provider_counted(api: Api, url: str, stub: Stub, settings: Any) -> None:
    provider_key, gateway_key = connected(api, stub)

    wait_for(lambda: call(url, gateway_key["key"]).status_code == 200 or None)
    ship(OutboxReader(settings.OUTBOX_DIR))

    sent = [seen for seen in stub.requests if seen.method == "POST"]
    expected = {name: sum(counts_of(seen.attempt_id)[name] for seen in sent) for name in counts_of("")}
    question = {"group_by": "model,provider_key,gateway_key", "grain": "total"}
    [row] = api.get("/usage", question).json()["data"]
    assert {name: row[name] for name in expected} == expected
    assert (row["model"], row["requests"]) == ("anthropic/claude-sonnet-4-6", len(sent))
    assert (row["provider_key"], row["gateway_key"]) == (provider_key["id"], gateway_key["id"])
    [request] = [one for one in api.get("/requests").json()["data"] if one["state"] == "settled"]
    assert (request["upstream_request_id"], request["cost_usd"]) == (sent[-1].attempt_id, row["cost_usd"])


def test_a_revoked_key_is_refused_soon(api: Api, url: str, stub: Stub) -> None:
    _, gateway_key = connected(api, stub)
    wait_for(lambda: call(url, gateway_key["key"]).status_code == 200 or None)

    api.post(f"/api-keys/{gateway_key['id']}/revoke")

    wait_for(lambda: call(url, gateway_key["key"]).status_code == 401 or None)


def test_a_management_key_calls_no_model(api: Api, url: str, stub: Stub) -> None:
    connected(api, stub)

    assert call(url, str(api.token)).status_code == 401
    assert [seen for seen in stub.requests if seen.method == "POST"] == []
