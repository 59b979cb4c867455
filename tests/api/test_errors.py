"""Every refusal has one envelope, and what is not yours reads like what is not there."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest

from keys.models import ProviderKey
from teams.models import AuditEvent, GatewayKey, Workspace
from tests.api.conftest import Api
from tests.factories import PLAINTEXT, make_gateway_key, make_provider_key

NEW = {"credentials": {"api_key": PLAINTEXT}}
# Every address with an id in it, and a body that would be fine.
OF_ONE_PROVIDER_KEY: list[tuple[str, str, Any]] = [
    ("get", "/provider-keys/{id}", None),
    ("post", "/provider-keys/{id}/test", {"kind": "check"}),
    ("get", "/provider-keys/{id}/test-calls", None),
    ("get", "/provider-keys/{id}/versions", None),
    ("post", "/provider-keys/{id}/versions", NEW),
    ("post", "/provider-keys/{id}/versions/1/promote", {"grace": "0s"}),
    ("post", "/provider-keys/{id}/versions/1/revoke", None),
]
OF_ONE_API_KEY: list[tuple[str, str, Any]] = [("post", "/api-keys/{id}/revoke", None)]


def answer_of(api: Api, method: str, path: str, body: Any) -> tuple[int, Any]:
    answer = api.get(path) if method == "get" else api.post(path, body)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("method", "path", "body"), OF_ONE_PROVIDER_KEY)
def test_anothers_provider_key_reads_like_one_that_is_not_there(
    workspace: Workspace, mallorys_api: Api, method: str, path: str, body: Any
) -> None:
    key = make_provider_key(workspace)
    events = AuditEvent.objects.count()

    theirs = answer_of(mallorys_api, method, path.format(id=key.pk), body)

    assert theirs == (404, {"error": {"code": "not_found", "message": "There is nothing here."}})
    assert theirs == answer_of(mallorys_api, method, path.format(id=uuid4()), body)
    assert theirs == answer_of(mallorys_api, method, path.format(id="not-an-id"), body)
    assert AuditEvent.objects.count() == events
    assert key.versions.get().state == "active"


@pytest.mark.parametrize(("method", "path", "body"), OF_ONE_API_KEY)
def test_anothers_api_key_reads_like_one_that_is_not_there(
    workspace: Workspace, mallorys_api: Api, method: str, path: str, body: Any
) -> None:
    key = make_gateway_key(workspace).key

    theirs = answer_of(mallorys_api, method, path.format(id=key.pk), body)

    assert theirs[0] == 404
    assert theirs == answer_of(mallorys_api, method, path.format(id=uuid4()), body)
    assert GatewayKey.objects.get(pk=key.pk).revoked_at is None


def test_lists_hold_nothing_of_another_workspace(workspace: Workspace, mallorys_api: Api) -> None:
    make_provider_key(workspace)
    make_gateway_key(workspace)

    for path in ("/provider-keys", "/api-keys"):
        assert mallorys_api.get(path).json()["data"] == []


def test_anothers_secret_gets_no_warning(workspace: Workspace, mallorys_api: Api) -> None:
    make_provider_key(workspace)

    answer = mallorys_api.post("/provider-keys", {"provider": "anthropic", "name": "Mine", **NEW})

    assert answer.json()["warnings"] == []


def test_a_version_that_is_not_there_is_not_found(api: Api, workspace: Workspace) -> None:
    key = make_provider_key(workspace)

    for number in ("2", "0", "-1", "x", "9" * 30):
        assert api.post(f"/provider-keys/{key.pk}/versions/{number}/revoke").status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/provider-keys/", "/provider-keys/x/y/z", "/docs", "/api-keys.json"]
)
def test_an_address_that_is_not_there_has_the_envelope(api: Api, path: str) -> None:
    answer = api.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_a_method_that_an_address_does_not_take_has_the_envelope(api: Api, method: str) -> None:
    answer = getattr(api.client, method)("/api/v1/provider-keys", headers={"authorization": f"Bearer {api.token}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b'{"name": ' + b'{"a":' * 100_000,
    ],
)
def test_a_body_that_is_not_json_is_refused(api: Api, body: bytes) -> None:
    answer = api.post("/api-keys", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"name"', b"5", b"true", b"", b"{}"])
def test_a_body_that_is_no_object_with_a_name_is_refused(api: Api, body: bytes) -> None:
    answer = api.post("/api-keys", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_a_body_beyond_all_measure_is_refused(api: Api) -> None:
    answer = api.post("/api-keys", b'{"name": "' + b"x" * 3_000_000 + b'"}')

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_every_answer_is_kept_by_no_cache(api: Api) -> None:
    answers = [api.get("/api-keys"), api.get("/nothing"), api.post("/api-keys", {}), Api().get("/api-keys")]

    assert [answer["Cache-Control"] for answer in answers] == ["no-store"] * 4


def test_bodies_are_never_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    good = {"provider": "anthropic", "name": "Production", "credentials": {"api_key": "sk-ant-api03-canary-canary"}}
    bodies: list[Any] = [
        good,
        good | {"name": ""},
        good | {"credentials": {"api_key": "canary canary canary"}},
        good | {"credentials": ["canary"]},
        b'{"credentials": {"api_key": "canary',
    ]

    statuses = [api.post("/provider-keys", body).status_code for body in bodies]

    assert statuses == [201, 422, 422, 422, 400]
    assert "canary" not in caplog.text


def test_a_failure_of_ours_says_nothing_of_its_cause(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the inner cause")

    monkeypatch.setattr("keys.api.create_provider_key", fail)
    body = {"provider": "anthropic", "name": "Production", "credentials": {"api_key": PLAINTEXT}}

    answer = api.post("/provider-keys", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "the inner cause" not in answer.content.decode()
    assert "POST /api/v1/provider-keys failed" in caplog.text
    assert PLAINTEXT not in caplog.text
    assert not ProviderKey.objects.exists()


def test_the_schema_is_open_and_lists_every_address(client: Any) -> None:
    answer = client.get("/api/v1/openapi.json")

    schema = json.loads(answer.content)
    assert answer.status_code == 200
    assert {
        "/api/v1/provider-keys": {"get", "post"},
        "/api/v1/provider-keys/{key_id}": {"get"},
        "/api/v1/provider-keys/{key_id}/test": {"post"},
        "/api/v1/provider-keys/{key_id}/test-calls": {"get"},
        "/api/v1/provider-keys/{key_id}/versions": {"get", "post"},
        "/api/v1/provider-keys/{key_id}/versions/{number}/promote": {"post"},
        "/api/v1/provider-keys/{key_id}/versions/{number}/revoke": {"post"},
        "/api/v1/provider-keys/{key_id}/use-again": {"post"},
        "/api/v1/api-keys": {"get", "post"},
        "/api/v1/api-keys/{key_id}": {"get", "patch"},
        "/api/v1/api-keys/{key_id}/revoke": {"post"},
        "/api/v1/projects": {"get", "post"},
        "/api/v1/projects/{project_id}": {"get", "patch"},
        "/api/v1/routes": {"get", "post"},
        "/api/v1/routes/{route_id}": {"get", "patch", "delete"},
        "/api/v1/models": {"get"},
        "/api/v1/usage": {"get"},
        "/api/v1/requests": {"get"},
        "/api/v1/requests/{request_id}": {"get"},
    } == {path: set(operations) for path, operations in schema["paths"].items()}


def test_the_schema_offers_usage_as_csv_too(client: Any) -> None:
    answer = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/usage"]["get"]["responses"]["200"]

    assert set(answer["content"]) == {"application/json", "text/csv"}


def test_the_schema_shows_no_place_for_a_secret_in_an_answer(client: Any) -> None:
    schemas = client.get("/api/v1/openapi.json").json()["components"]["schemas"]

    holders = {name for name, schema in schemas.items() if "credentials" in schema.get("properties", {})}
    assert holders == {"NewProviderKey", "NewVersion"}


def test_the_schema_names_the_envelope_everywhere(client: Any) -> None:
    schema = client.get("/api/v1/openapi.json").json()

    refusal = {"$ref": "#/components/schemas/Error"}
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["responses"]["default"]["content"]["application/json"]["schema"] == refusal
            assert operation["security"] == [{"ManagementKeyAuth": []}]
