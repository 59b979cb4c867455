"""Provider keys over the REST API: the contract's names, and that a secret never comes back."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.providers import PROVIDERS
from catalog.services import sync_catalog
from keys import api as keys_api
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import add_version, delete_provider_key, keyring, note_set_aside
from providers.base import Outcome
from teams.models import Workspace
from tests.api.conftest import Api
from tests.factories import PLAINTEXT, make_provider_key
from tests.providers.vertex_keys import key_file
from usage.models import LastUse

NEW_PLAINTEXT = "sk-ant-api03-the-one-that-follows-9876543210"
PROXY = "https://proxy.test:8443"
BODY: dict[str, Any] = {"provider": "anthropic", "name": "Production", "credentials": {"api_key": PLAINTEXT}}


@pytest.fixture
def key(workspace: Workspace) -> ProviderKey:
    return make_provider_key(workspace)


def error_of(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("field")


def test_creating_makes_version_1_active(api: Api) -> None:
    answer = api.post("/provider-keys", BODY)

    shown = answer.json()
    assert answer.status_code == 201
    assert (shown["provider"], shown["name"], shown["active_version"]) == ("anthropic", "Production", 1)
    assert [(version["number"], version["state"]) for version in shown["versions"]] == [(1, "active")]
    version = KeyVersion.objects.get(provider_key=UUID(shown["id"]))
    assert keyring().open(version.sealed, version.seal_context).reveal() == PLAINTEXT


def test_creating_takes_a_base_url_that_is_allowed(api: Api, settings: Any) -> None:
    settings.ALLOWED_ORIGINS = frozenset([PROXY])

    answer = api.post("/provider-keys", {**BODY, "base_url": f"{PROXY}/v/", "settings": {}})

    assert answer.json()["base_url"] == f"{PROXY}/v"


def test_creating_queues_a_check(api: Api) -> None:
    key_id = api.post("/provider-keys", BODY).json()["id"]

    [call] = api.get(f"/provider-keys/{key_id}/test-calls").json()["data"]
    assert (call["kind"], call["state"], call["version"], call["outcome"]) == ("check", "queued", 1, None)


def test_the_simulated_provider_needs_no_credentials(api: Api) -> None:
    answer = api.post("/provider-keys", {"provider": "simulated", "name": "Demo"})

    assert answer.status_code == 201


@pytest.mark.parametrize("credentials", [{"api_key": PLAINTEXT}, {"api_key": "any-key-will-do-here"}])
def test_the_simulated_provider_takes_credentials_too(api: Api, credentials: dict[str, str]) -> None:
    api.post("/provider-keys", {"provider": "simulated", "name": "Demo", "credentials": credentials})

    version = KeyVersion.objects.get()
    assert keyring().open(version.sealed, version.seal_context).reveal() == credentials["api_key"]


def test_the_same_secret_twice_gets_a_warning(api: Api) -> None:
    assert api.post("/provider-keys", BODY).json()["warnings"] == []

    again = api.post("/provider-keys", {**BODY, "name": "Copy"})

    assert again.json()["warnings"] == ["“Production” holds the same secret, as version 1."]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"provider": "nobody"}, "invalid_request", "provider"),
        ({"provider": "aws"}, "invalid_request", "credentials.api_key"),
        ({"provider": 5}, "invalid_request", "provider"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": "  "}, "invalid_request", "name"),
        ({"name": "x" * 101}, "invalid_request", "name"),
        ({"name": "a\x00b"}, "invalid_request", "name"),
        ({"name": "a\nb"}, "invalid_request", "name"),
        ({"name": None}, "invalid_request", "name"),
        ({"credentials": {}}, "invalid_request", "credentials.api_key"),
        ({"credentials": {"api_key": ""}}, "invalid_credential", "credentials.api_key"),
        ({"credentials": {"api_key": "sk-ant-admin01-secret-canary"}}, "invalid_credential", "credentials.api_key"),
        ({"credentials": {"api_key": "secret canary with space"}}, "invalid_credential", "credentials.api_key"),
        ({"credentials": {"api_key": "secret\x00canary-secret-canary"}}, "invalid_credential", "credentials.api_key"),
        ({"credentials": {"api_key": 12345678901234}}, "invalid_request", "credentials.api_key"),
        ({"credentials": {"api_key": ["secret-canary"]}}, "invalid_request", "credentials.api_key"),
        ({"credentials": "secret-canary"}, "invalid_request", "credentials"),
        ({"credentials": {"api_key": PLAINTEXT, "region": "x"}}, "invalid_request", "credentials.region"),
        ({"base_url": "https://evil.test"}, "origin_not_allowed", "base_url"),
        ({"base_url": "https://api.anthropic.com\x00"}, "invalid_request", "base_url"),
        ({"settings": {"region": "eu"}}, "invalid_request", "settings.region"),
        ({"settings": []}, "invalid_request", "settings"),
        ({"enabled": False}, "invalid_request", "enabled"),
        ({"order": 0}, "invalid_request", "order"),
        ({"workspace": "umbrella"}, "invalid_request", "workspace"),
        ({"id": str(uuid4())}, "invalid_request", "id"),
    ],
)
def test_a_bad_value_is_named_and_stores_nothing(api: Api, change: dict[str, Any], code: str, field: str) -> None:
    answer = api.post("/provider-keys", BODY | change)

    assert error_of(answer) == (422, code, field)
    assert "canary" not in answer.content.decode()
    assert not ProviderKey.objects.exists()


def test_a_provider_that_is_coming_is_told_with_what_it_will_need(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "aws", replace(PROVIDERS["aws"], is_callable=False))

    answer = api.post("/provider-keys", BODY | {"provider": "aws"})

    assert error_of(answer) == (422, "provider_not_available", "provider")
    assert "AWS Bedrock is coming" in answer.json()["error"]["message"]
    assert "Access key" in answer.json()["error"]["message"]


# Other providers

AWS_KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
AWS: dict[str, Any] = {
    "provider": "aws",
    "name": "Bedrock",
    "credentials": AWS_KEY,
    "settings": {"region": "eu-central-1"},
}
GOOGLE: dict[str, Any] = {
    "provider": "google",
    "name": "Vertex",
    "credentials": {"service_account": json.loads(key_file())},
    "settings": {"project_id": "my-project", "location": "europe-west1"},
}
OPENAI: dict[str, Any] = {
    "provider": "openai",
    "name": "OpenAI",
    "credentials": {"api_key": "sk-proj-0123456789abcdefghij"},
}


def stored() -> str:
    version = KeyVersion.objects.select_related("provider_key").get()
    return keyring().open(version.sealed, version.seal_context).reveal()


def test_an_access_key_of_aws_is_stored_whole(api: Api) -> None:
    shown = api.post("/provider-keys", AWS).json()

    assert json.loads(stored()) == AWS_KEY
    assert shown["settings"] == {"region": "eu-central-1"}
    assert shown["versions"][0]["hint"] == "MPLE"


def test_a_bedrock_api_key_is_stored_as_such(api: Api) -> None:
    token = "ABSK" + "x" * 40 + "WXYZ"

    shown = api.post("/provider-keys", AWS | {"credentials": {"bearer_token": token}}).json()

    assert json.loads(stored()) == {"bearer_token": token}
    assert shown["versions"][0]["hint"] == "WXYZ"


@pytest.mark.parametrize("form", [json.loads, str], ids=["object", "text"])
def test_a_service_account_comes_as_an_object_or_as_text(api: Api, form: Callable[[str], Any]) -> None:
    answer = api.post("/provider-keys", GOOGLE | {"credentials": {"service_account": form(key_file())}})

    assert answer.status_code == 201
    assert json.loads(stored())["client_email"] == json.loads(key_file())["client_email"]
    assert answer.json()["versions"][0]["hint"] == "4567"
    assert "PRIVATE KEY" not in answer.content.decode()


def test_a_service_account_brings_its_project(api: Api) -> None:
    shown = api.post("/provider-keys", GOOGLE | {"settings": {"location": "global"}}).json()

    assert shown["settings"] == {"project_id": "example-project", "location": "global"}


def test_only_what_is_used_of_a_key_file_is_stored(api: Api) -> None:
    hostile = json.loads(key_file(token_uri="https://evil.test/token", surplus="x" * 100))

    api.post("/provider-keys", GOOGLE | {"credentials": {"service_account": hostile}})

    assert "evil.test" not in stored()
    assert set(json.loads(stored())) == {"type", "project_id", "private_key_id", "private_key", "client_email"}


def test_openai_takes_a_key_and_another_server_by_its_base_url(api: Api, settings: Any) -> None:
    settings.ALLOWED_ORIGINS = frozenset([PROXY])
    other = OPENAI | {"name": "Other", "base_url": f"{PROXY}/v1", "credentials": {"api_key": "any-key-of-theirs"}}

    assert api.post("/provider-keys", OPENAI).status_code == 201
    assert api.post("/provider-keys", other | {"settings": {"responses": "no"}}).status_code == 201


@pytest.mark.parametrize(
    ("body", "change", "code", "field"),
    [
        (AWS, {"credentials": {}}, "invalid_request", "credentials.access_key_id"),
        (AWS, {"credentials": {"api_key": "x"}}, "invalid_request", "credentials.api_key"),
        (
            AWS,
            {"credentials": {"access_key_id": AWS_KEY["access_key_id"]}},
            "invalid_credential",
            "credentials.secret_access_key",
        ),
        (
            AWS,
            {"credentials": AWS_KEY | {"bearer_token": "ABSKcanary-canary-canary"}},
            "invalid_credential",
            "credentials.bearer_token",
        ),
        (
            AWS,
            {"credentials": AWS_KEY | {"secret_access_key": "secret canary"}},
            "invalid_credential",
            "credentials.secret_access_key",
        ),
        (
            AWS,
            {"credentials": AWS_KEY | {"access_key_id": "ASIAIOSFODNN7EXAMPLE"}},
            "invalid_credential",
            "credentials.access_key_id",
        ),
        (AWS, {"settings": {}}, "invalid_request", "settings.region"),
        (AWS, {"settings": {"region": "mars-north-1"}}, "invalid_request", "settings.region"),
        (AWS, {"settings": {"region": "evil.test/"}}, "invalid_request", "settings.region"),
        (
            AWS,
            {"settings": {"region": "eu-central-1", "inference_profile": "x"}},
            "invalid_request",
            "settings.inference_profile",
        ),
        (AWS, {"settings": {"region": "eu-central-1", "zone": "a"}}, "invalid_request", "settings.zone"),
        (
            GOOGLE,
            {"credentials": {"service_account": {"type": "authorized_user", "refresh_token": "canary"}}},
            "invalid_credential",
            "credentials.service_account",
        ),
        (
            GOOGLE,
            {"credentials": {"service_account": "AIzaSy-canary-canary"}},
            "invalid_credential",
            "credentials.service_account",
        ),
        (GOOGLE, {"credentials": {"service_account": []}}, "invalid_request", "credentials.service_account"),
        (GOOGLE, {"settings": {}}, "invalid_request", "settings.location"),
        (GOOGLE, {"settings": {"location": "evil.test/"}}, "invalid_request", "settings.location"),
        (
            GOOGLE,
            {"settings": {"location": "global", "project_id": "../x"}},
            "invalid_request",
            "settings.project_id",
        ),
        (
            OPENAI,
            {"credentials": {"api_key": "sk-ant-api03-canary-canary-canary"}},
            "invalid_credential",
            "credentials.api_key",
        ),
        (OPENAI, {"credentials": {"api_key": "canary-canary-canary"}}, "invalid_credential", "credentials.api_key"),
        (OPENAI, {"settings": {"responses": "maybe"}}, "invalid_request", "settings.responses"),
    ],
)
def test_what_another_provider_cannot_take_is_named(
    api: Api, body: dict[str, Any], change: dict[str, Any], code: str, field: str
) -> None:
    answer = api.post("/provider-keys", body | change)

    assert error_of(answer) == (422, code, field)
    assert "canary" not in answer.content.decode()
    assert not ProviderKey.objects.exists()


def test_a_message_of_openai_goes_to_any_model(api: Api) -> None:
    key_id = api.post("/provider-keys", OPENAI).json()["id"]

    answer = api.post(f"/provider-keys/{key_id}/test", {"kind": "message", "model": "openai/ft:gpt-4o:acme::x1"})

    assert answer.json()["model"] == "ft:gpt-4o:acme::x1"


# Set aside


def test_what_is_set_aside_is_shown_and_used_again(api: Api, key: ProviderKey) -> None:
    until = timezone.now() + timedelta(hours=1)
    note_set_aside(key.pk, 1, "claude-opus-4-6", Outcome.NO_PERMISSION, "Not enabled.", until)

    [shown] = api.get(f"/provider-keys/{key.pk}").json()["set_asides"]
    assert (shown["version"], shown["model"], shown["outcome"]) == (1, "claude-opus-4-6", "no_permission")
    assert shown["until"] == until.isoformat()

    assert api.post(f"/provider-keys/{key.pk}/use-again").json()["set_asides"] == []
    assert not key.set_asides.exists()


def test_a_name_that_is_taken_is_a_conflict(api: Api, key: ProviderKey) -> None:
    assert error_of(api.post("/provider-keys", BODY)) == (409, "name_taken", "name")


def test_the_list_shows_each_key_and_no_secret(api: Api, key: ProviderKey) -> None:
    answer = api.get("/provider-keys")

    [shown] = answer.json()["data"]
    assert shown["id"] == str(key.pk)
    assert shown["versions"][0]["hint"] == PLAINTEXT[-4:]
    assert PLAINTEXT not in answer.content.decode()


def test_the_list_takes_as_many_queries_however_long_it_is(
    api: Api, workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_provider_key(workspace, name=f"Key {number}")

    with django_assert_num_queries(6):
        assert len(api.get("/provider-keys").json()["data"]) == 5


def test_one_key_is_shown_as_in_the_list(api: Api, key: ProviderKey) -> None:
    assert api.get(f"/provider-keys/{key.pk}").json() == api.get("/provider-keys").json()["data"][0]


def test_times_are_written_with_their_offset(api: Api, key: ProviderKey) -> None:
    used_at = timezone.now()
    LastUse.objects.create(key_id=key.pk, version=1, at=used_at)

    version = api.get(f"/provider-keys/{key.pk}").json()["versions"][0]

    assert version["last_used_at"] == used_at.isoformat()
    assert datetime.fromisoformat(version["promoted_at"]).utcoffset() == timedelta(0)


# Test calls


def test_a_check_is_queued_by_an_empty_post(api: Api, key: ProviderKey) -> None:
    answer = api.post(f"/provider-keys/{key.pk}/test")

    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["state"]) == ("check", "queued")
    assert TestCall.objects.filter(pk=answer.json()["id"]).exists()


def test_a_message_is_queued_for_a_model_of_the_provider(api: Api, key: ProviderKey) -> None:
    sync_catalog()

    for model in ("anthropic/claude-sonnet-4-6", "claude-sonnet-4-6"):
        answer = api.post(f"/provider-keys/{key.pk}/test", {"kind": "message", "model": model})
        assert (answer.status_code, answer.json()["model"]) == (201, "claude-sonnet-4-6")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "message"}, "invalid_request", "model"),
        ({"kind": "message", "model": "gpt-5"}, "model_not_found", "model"),
        ({"kind": "message", "model": "aws/anthropic/claude-sonnet-4-6"}, "model_not_found", "model"),
        ({"kind": "everything"}, "invalid_request", "kind"),
        ({"version": "one"}, "invalid_request", "version"),
        ({"outcome": "ok"}, "invalid_request", "outcome"),
    ],
)
def test_a_test_that_cannot_be_made_is_refused(
    api: Api, key: ProviderKey, body: dict[str, Any], code: str, field: str
) -> None:
    sync_catalog()

    assert error_of(api.post(f"/provider-keys/{key.pk}/test", body)) == (422, code, field)


def test_a_draft_can_be_tested_by_its_number(api: Api, key: ProviderKey) -> None:
    api.post(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": NEW_PLAINTEXT}})

    assert api.post(f"/provider-keys/{key.pk}/test", {"version": 2}).json()["version"] == 2
    assert api.post(f"/provider-keys/{key.pk}/test", {"version": 3}).status_code == 404


def test_with_no_version_in_use_there_is_nothing_to_test(api: Api, key: ProviderKey) -> None:
    api.post(f"/provider-keys/{key.pk}/versions/1/revoke")

    assert error_of(api.post(f"/provider-keys/{key.pk}/test")) == (409, "no_active_version", None)
    assert error_of(api.post(f"/provider-keys/{key.pk}/test", {"version": 1})) == (409, "version_revoked", None)


def test_test_calls_are_listed_newest_first(api: Api, key: ProviderKey) -> None:
    newest = api.post(f"/provider-keys/{key.pk}/test").json()

    calls = api.get(f"/provider-keys/{key.pk}/test-calls").json()["data"]
    assert len(calls) == 2
    assert calls[0] == newest
    assert api.get(f"/provider-keys/{key.pk}/test-calls", {"limit": 1}).json()["data"] == [newest]


# Rotation


def test_a_rotation_from_draft_to_switch_and_back(api: Api, key: ProviderKey) -> None:
    draft = api.post(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": NEW_PLAINTEXT}})
    assert (draft.status_code, draft.json()["number"], draft.json()["state"]) == (201, 2, "draft")

    promoted = api.post(f"/provider-keys/{key.pk}/versions/2/promote", {"grace": "24h"})
    assert (promoted.status_code, promoted.json()["state"]) == (201, "active")
    assert state_of(api, key, 1) == "draining"

    back = api.post(f"/provider-keys/{key.pk}/versions/1/promote", {"grace": "0s"})
    assert back.json()["state"] == "active"
    assert state_of(api, key, 2) == "revoked"


def state_of(api: Api, key: ProviderKey, number: int) -> str:
    versions = api.get(f"/provider-keys/{key.pk}/versions").json()["data"]
    return next(version["state"] for version in versions if version["number"] == number)


@pytest.mark.parametrize(("grace", "hours"), [("1h", 1), ("24h", 24), ("7d", 168), (None, 24)])
def test_the_old_version_stands_by_for_the_grace(api: Api, key: ProviderKey, grace: str | None, hours: int) -> None:
    api.post(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": NEW_PLAINTEXT}})
    body = {"grace": grace} if grace else None

    promoted = api.post(f"/provider-keys/{key.pk}/versions/2/promote", body).json()

    old = KeyVersion.objects.get(number=1)
    assert old.draining_until is not None
    assert old.draining_until - datetime.fromisoformat(promoted["promoted_at"]) == timedelta(hours=hours)


def test_a_grace_of_ones_own_is_refused(api: Api, key: ProviderKey) -> None:
    answer = api.post(f"/provider-keys/{key.pk}/versions/1/promote", {"grace": "2h"})

    assert error_of(answer) == (422, "invalid_request", "grace")


def test_a_key_deleted_meanwhile_does_not_exist(api: Api, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(key: ProviderKey, **options: Any) -> KeyVersion:
        delete_provider_key(key, actor=None)
        return add_version(key, **options)

    monkeypatch.setattr(keys_api, "add_version", overtaken)

    answer = api.post(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": NEW_PLAINTEXT}})

    assert error_of(answer)[:2] == (404, "not_found")


def test_a_revoked_version_cannot_be_promoted(api: Api, key: ProviderKey) -> None:
    revoked = api.post(f"/provider-keys/{key.pk}/versions/1/revoke")
    assert (revoked.status_code, revoked.json()["state"]) == (201, "revoked")

    assert error_of(api.post(f"/provider-keys/{key.pk}/versions/1/promote")) == (409, "version_revoked", None)


def test_a_new_version_with_a_bad_credential_is_refused(api: Api, key: ProviderKey) -> None:
    answer = api.post(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": "sk-proj-not-ours-at-all"}})

    assert error_of(answer) == (422, "invalid_credential", "credentials.api_key")
    assert key.versions.count() == 1
