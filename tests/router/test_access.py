"""Who may call, and how soon a change takes effect."""

import time
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from keys.services import (
    add_version,
    promote_version,
    set_provider_key_enabled,
)
from providers.secret import Secret
from router.management.commands.ship_usage import ship
from teams.models import GatewayKey, Workspace
from teams.services import create_gateway_key, revoke_gateway_key
from tests.router.conftest import PROVIDER_SECRET, Rig, message_body, wait_for
from tests.stub import Reply
from usage.models import Refusal

OTHER_SECRET = "sk-ant-api03-the-next-one-0123456789"


def call(rig: Rig, token: str, path: str = "/v3/anthropic/v1/messages", **headers: str) -> httpx.Response:
    headers = headers or {"authorization": f"Bearer {token}"}
    return httpx.post(rig.url + path, json=message_body(), headers=headers, trust_env=False)


def answered(rig: Rig, token: str, status: int) -> httpx.Response | None:
    response = call(rig, token)
    return response if response.status_code == status else None


def test_request_without_key_is_refused_before_anything_is_sent(rig: Rig) -> None:
    response = call(rig, "", cookie="orqadmin=1")

    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert [seen for seen in rig.stub.requests if seen.method == "POST"] == []


@pytest.mark.parametrize("header", ["authorization", "Authorization", "x-api-key"])
def test_key_is_taken_from_either_header(rig: Rig, header: str) -> None:
    value = rig.token if header == "x-api-key" else f"Bearer {rig.token}"

    assert call(rig, "", **{header: value}).status_code == 200


def test_x_api_key_is_not_taken_outside_the_native_endpoint(rig: Rig) -> None:
    assert call(rig, "", "/v3/router/chat/completions", **{"x-api-key": rig.token}).status_code == 401


def test_every_wrong_character_of_a_key_is_refused(rig: Rig) -> None:
    for position in range(0, len(rig.token), 7):
        wrong = rig.token[:position] + ("A" if rig.token[position] != "A" else "B") + rig.token[position + 1 :]

        assert call(rig, wrong).status_code == 401


def test_management_key_calls_no_model(rig: Rig) -> None:
    created = create_gateway_key(rig.workspace, name="ci", actor=None, kind=GatewayKey.Kind.MANAGEMENT)

    assert call(rig, created.token.text).json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v3/router/embeddings", "Embeddings are not offered here"),
        ("/v3/router/images/generations", "Images are not offered here"),
        ("/v3/anthropic/v1/messages/batches", "Batches of Messages are not offered here"),
        ("/v3/router/messages", "The base URL ends in /v3/router"),
        ("/v3/router/chat", "The base URL ends in /v3/router"),
    ],
)
def test_what_is_not_offered_is_not_blamed_on_the_base_url(rig: Rig, path: str, told: str) -> None:
    response = call(rig, rig.token, path)

    assert response.status_code == 404
    assert told in response.json()["error"]["message"]


def test_expired_key_says_so(rig: Rig) -> None:
    created = create_gateway_key(
        rig.workspace, name="short", actor=None, expires_at=timezone.now() + timedelta(seconds=1.5)
    )
    wait_for(lambda: call(rig, created.token.text).status_code == 200 or None)
    time.sleep(1.6)

    response = call(rig, created.token.text, "/v3/router/chat/completions")

    assert (response.status_code, response.json()["error"]["code"]) in [
        (401, "expired_api_key"),
        (401, "invalid_api_key"),
    ]


def test_revoked_key_is_refused_within_a_second(rig: Rig) -> None:
    revoke_gateway_key(rig.gateway_key, actor=None)

    wait_for(lambda: call(rig, rig.token).status_code == 401 or None, timeout_s=1)


def test_disabled_provider_key_is_not_used(rig: Rig) -> None:
    set_provider_key_enabled(rig.provider_key, enabled=False, actor=None)

    response = wait_for(lambda: answered(rig, rig.token, 422))

    assert "AI Gateway > BYOK" in response.json()["error"]["message"]


def test_key_of_another_workspace_is_not_used(rig: Rig) -> None:
    stranger = Workspace.objects.create(slug="other", name="Other")
    created = create_gateway_key(stranger, name="app", actor=None)

    response = wait_for(lambda: answered(rig, created.token.text, 422))

    assert response.json()["error"]["type"] == "invalid_request_error"


def test_switch_takes_effect_and_keeps_the_old_version_as_fallback(rig: Rig) -> None:
    version = add_version(rig.provider_key, secret=Secret(OTHER_SECRET), actor=None)
    promote_version(version, grace=timedelta(hours=1), actor=None)
    wait_for(lambda: (call(rig, rig.token) and rig.stub.requests[-1].headers["x-api-key"] == OTHER_SECRET) or None)
    rig.stub.requests.clear()
    rig.stub.replies.append(Reply.of_error(401, "authentication_error", "invalid x-api-key"))

    response = call(rig, rig.token)

    assert response.status_code == 200
    assert [seen.headers["x-api-key"] for seen in rig.stub.requests] == [OTHER_SECRET, PROVIDER_SECRET]
    first, second = rig.ledger(at_least=2)[-2:]
    assert (first.final, first.error_code, first.provider_key_version) == (False, "provider_credential_invalid", 2)
    assert (second.final, second.error_code, second.provider_key_version) == (True, "", 1)
    assert first.request_id == second.request_id


def test_refusal_is_kept_to_explain_itself(rig: Rig) -> None:
    rig.post("/v3/anthropic/v1/messages", message_body(model="bedrock/anthropic.claude"))

    ship(rig.outbox)

    refusal = Refusal.objects.get()
    assert (refusal.status, refusal.model_asked) == (400, "bedrock/anthropic.claude")
    assert "aws/" in refusal.message


@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("claude-brand-new-9", 200),
        ("router/gpt-9", 404),
        ("anthropic/nothing", 404),
        ("aws/anthropic/claude-sonnet-4-6", 422),
    ],
)
def test_models_are_found_or_refused(rig: Rig, model: str, status: int) -> None:
    assert rig.messages(model=model).status_code == status


def test_unknown_claude_model_is_recorded_unpriced(rig: Rig) -> None:
    rig.messages(model="claude-brand-new-9")

    [row] = rig.ledger()
    assert (row.model, row.is_unpriced, row.cost_nano) == ("claude-brand-new-9", True, 0)
