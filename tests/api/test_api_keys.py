"""Gateway keys over the REST API, where they are called api-keys."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from teams.models import AuditEvent, GatewayKey, GatewayKeySecret, User, Workspace
from teams.tokens import TokenKind, hash_token, read_public_id
from tests.api.conftest import Api
from tests.factories import make_gateway_key
from usage.models import LastUse


def test_creating_answers_with_the_key_once(api: Api) -> None:
    answer = api.post("/api-keys", {"name": "app"})

    created = answer.json()
    assert answer.status_code == 201
    key = GatewayKey.objects.get(pk=UUID(created["id"]))
    assert key.public_id == read_public_id(created["key"], TokenKind.GATEWAY)
    assert bytes(GatewayKeySecret.objects.get(key=key).sha256) == hash_token(created["key"])
    assert created["key"] not in api.get("/api-keys").content.decode()


def test_the_key_of_an_answer_is_kept_by_no_cache(api: Api) -> None:
    assert api.post("/api-keys", {"name": "app"})["Cache-Control"] == "no-store"


def test_a_key_can_have_an_end(api: Api) -> None:
    end = timezone.now() + timedelta(days=30)

    created = api.post("/api-keys", {"name": "app", "expires_at": end.isoformat()}).json()

    assert datetime.fromisoformat(created["expires_at"]) == end
    assert created["status"] == "active"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "app", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "app", "expires_at": "2199-01-01T00:00:00"}, "expires_at"),
        ({"name": "app", "expires_at": "2200-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "app", "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"name": "app", "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"name": "app", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "app", "kind": "management"}, "kind"),
        ({"name": "app", "owner": "alice@example.com"}, "owner"),
        ({"name": "app", "workspace_id": "x"}, "workspace_id"),
    ],
)
def test_a_bad_value_is_named_and_makes_no_key(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.post("/api-keys", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert not GatewayKey.objects.for_clients().exists()


def test_the_last_moment_a_key_can_end_at_is_one_of_2199_anywhere(api: Api) -> None:
    answer = api.post("/api-keys", {"name": "app", "expires_at": "2199-12-31T23:59:59-12:00"})

    assert answer.status_code == 201
    assert api.get("/api-keys").status_code == 200


def test_a_name_in_use_is_a_conflict(api: Api) -> None:
    api.post("/api-keys", {"name": "app"})

    answer = api.post("/api-keys", {"name": "app"})

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "name_taken"


def test_the_list_shows_gateway_keys_and_no_management_key(api: Api, workspace: Workspace, alice: User) -> None:
    older = make_gateway_key(workspace, name="older").key
    newer = make_gateway_key(workspace, name="newer", owner=alice).key
    used_at = timezone.now()
    LastUse.objects.create(key_id=newer.pk, at=used_at)

    shown = api.get("/api-keys").json()["data"]

    assert [one["id"] for one in shown] == [str(newer.pk), str(older.pk)]
    assert (shown[0]["masked"], shown[0]["owner"]) == (newer.masked, alice.email)
    assert (shown[0]["last_used_at"], shown[1]["last_used_at"]) == (used_at.isoformat(), None)


def test_the_list_takes_as_many_queries_however_long_it_is(
    api: Api, workspace: Workspace, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_gateway_key(workspace, name=f"app {number}", owner=alice)

    with django_assert_num_queries(4):
        assert len(api.get("/api-keys").json()["data"]) == 5


@pytest.mark.parametrize(
    "name", ["Support\N{NO-BREAK SPACE}bot", "team \N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}"]
)
def test_a_key_whose_name_no_body_may_bring_is_changed_all_the_same(api: Api, workspace: Workspace, name: str) -> None:
    key = make_gateway_key(workspace, name=name).key

    answer = api.patch(f"/api-keys/{key.pk}", {"models_allowed": ["anthropic/*"]})

    assert (answer.status_code, answer.json()["name"]) == (200, name)
    assert answer.json()["models_allowed"] == ["anthropic/*"]
    assert api.patch(f"/api-keys/{key.pk}", {"name": name}).status_code == 422


def test_revoking_ends_a_key(api: Api, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    answer = api.post(f"/api-keys/{key.pk}/revoke")

    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (201, "revoked", str(key.pk))
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert AuditEvent.objects.filter(action="gateway_key.revoke", object_id=str(key.pk)).count() == 1


def test_revoking_twice_is_a_conflict(api: Api, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    api.post(f"/api-keys/{key.pk}/revoke")

    answer = api.post(f"/api-keys/{key.pk}/revoke")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_revoked")


def test_a_management_key_cannot_be_revoked_as_an_api_key(api: Api) -> None:
    management_key = GatewayKey.objects.get()

    assert api.post(f"/api-keys/{management_key.pk}/revoke").status_code == 404
