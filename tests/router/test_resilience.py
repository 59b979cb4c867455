"""When a provider fails: another key, again, another model; and which keys are left alone afterwards."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from keys.models import ProviderKey, SetAside
from keys.services import create_provider_key
from providers.secret import Secret
from router import course, health
from tests.router.conftest import Rig, message_body, stub, wait_for
from tests.stub import Reply, Seen, Stub

__all__ = ["stub"]

CHAT = "/v3/router/chat/completions"
SONNET = "anthropic/claude-sonnet-4-6"
OPUS = "anthropic/claude-opus-4-6"
SECOND_SECRET = "sk-ant-api03-the-second-key-0123456789"
OVERLOADED = Reply.of_error(529, "overloaded_error", "Overloaded")
LIMITED = Reply.of_error(429, "rate_limit_error", "Slow down.", headers={"retry-after": "30"})
REFUSED = Reply.of_error(401, "authentication_error", "invalid x-api-key")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def second_key(rig: Rig) -> ProviderKey:
    key = create_provider_key(
        rig.workspace,
        provider="anthropic",
        name="Anthropic Second",
        secret=Secret(SECOND_SECRET),
        actor=None,
        base_url=rig.stub.origin,
    )
    wait_for(lambda: _knows(key))
    return key


def _knows(key: ProviderKey) -> bool | None:
    from router import app

    current = app._gateway.holder.current if app._gateway else None
    keys = current.provider_keys.get((key.workspace_id, "anthropic"), ()) if current else ()
    return any(entry.id == key.pk for entry in keys) or None


def chat(rig: Rig, **fields: Any) -> Any:
    body = {"model": SONNET, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return rig.post(CHAT, body)


def keys_sent(stub: Stub) -> list[str]:
    return [seen.headers["x-api-key"] for seen in stub.requests if seen.method == "POST"]


def models_sent(stub: Stub) -> list[str]:
    return [seen.json["model"] for seen in stub.requests if seen.method == "POST"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_retried_as_often_as_asked(rig: Rig, status: int) -> None:
    rig.stub.replies.extend([Reply.of_error(status, "api_error", "No.")] * 2)

    response = chat(rig, retry={"count": 2})

    assert (response.status_code, response.headers["x-orq-attempts"]) == (200, "3")
    rows = rig.ledger(at_least=3)
    assert [(row.attempt, row.status, row.final) for row in rows] == [
        (1, status, False),
        (2, status, False),
        (3, 200, True),
    ]
    assert len({row.request_id for row in rows}) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
def test_not_retried(rig: Rig, status: int) -> None:
    rig.stub.replies.append(Reply.of_error(status, "invalid_request_error", "No."))

    assert chat(rig, retry={"count": 3}).status_code >= 400
    assert len(keys_sent(rig.stub)) == 1


def test_only_the_codes_asked_for_are_retried(rig: Rig) -> None:
    rig.stub.replies.append(OVERLOADED)

    assert chat(rig, retry={"count": 3, "on_codes": [500]}).status_code == 503
    assert len(keys_sent(rig.stub)) == 1


def test_fallback_answers_under_its_own_name(rig: Rig) -> None:
    rig.stub.replies.append(OVERLOADED)

    response = chat(rig, fallbacks=[{"model": OPUS}])

    assert (response.status_code, response.json()["model"]) == (200, OPUS)
    assert models_sent(rig.stub) == ["claude-sonnet-4-6", "claude-opus-4-6"]
    assert [row.model for row in rig.ledger(at_least=2)] == ["claude-sonnet-4-6", "claude-opus-4-6"]


def test_no_fallback_for_a_request_that_is_wrong(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_error(400, "invalid_request_error", "messages: too many"))

    assert chat(rig, fallbacks=[{"model": OPUS}]).status_code == 400
    assert models_sent(rig.stub) == ["claude-sonnet-4-6"]


@pytest.mark.parametrize(("codes", "served"), [([529], 200), ([500], 503)])
def test_fallback_on_the_codes_asked_for(rig: Rig, codes: list[int], served: int) -> None:
    rig.stub.replies.append(OVERLOADED)

    assert chat(rig, fallbacks=[{"model": OPUS}], fallback_on_codes=codes).status_code == served


def test_unknown_fallback_is_refused_before_anything_is_sent(rig: Rig) -> None:
    response = chat(rig, fallbacks=[{"model": OPUS}, {"model": "anthropic/claude-nothing-9"}])

    assert (response.status_code, response.json()["error"]["param"]) == (404, "fallbacks.1.model")
    assert keys_sent(rig.stub) == []


def test_refused_key_is_set_aside_and_the_next_one_tried(rig: Rig, second_key: ProviderKey) -> None:
    rig.stub.handler = _refusing(rig.stub.handler, SECOND_SECRET, but_not=True)

    assert [chat(rig).status_code for _ in range(3)] == [200, 200, 200]

    # The first request met the bad key; the others left it alone.
    assert len(keys_sent(rig.stub)) == 4
    rig.ledger(at_least=4)
    row = SetAside.objects.get()
    assert (row.provider_key, row.model, row.outcome) == (rig.provider_key, "", "invalid_credential")
    assert row.until > timezone.now()


def test_the_only_key_is_tried_however_often_it_failed(rig: Rig) -> None:
    rig.stub.replies.extend([REFUSED] * 2)

    assert [chat(rig).status_code for _ in range(3)] == [422, 422, 200]


def test_key_comes_back_by_a_probe(rig: Rig, second_key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SET_ASIDE_S", 10.0)
    now = 0.0
    monkeypatch.setattr("router.call.time.time", lambda: real() + now)
    monkeypatch.setattr("router.app.time.time", lambda: real() + now)
    rig.stub.replies.append(REFUSED)
    chat(rig)
    rig.ledger(at_least=2)
    assert SetAside.objects.count() == 1

    now = 11.0
    chat(rig)

    assert keys_sent(rig.stub)[-1] != SECOND_SECRET
    rig.ledger(at_least=3)
    assert SetAside.objects.count() == 0


def test_forbidden_model_sets_the_key_aside_for_that_model_only(rig: Rig, second_key: ProviderKey) -> None:
    rig.stub.replies.append(Reply.of_error(403, "permission_error", "Not this model."))
    chat(rig)
    rig.stub.requests.clear()

    chat(rig)
    chat(rig, model=OPUS)

    assert keys_sent(rig.stub) == [SECOND_SECRET, "sk-ant-api03-only-for-tests-0123456789"]


def test_rate_limit_rests_the_key_and_skips_its_account(rig: Rig, second_key: ProviderKey) -> None:
    account = {"anthropic-organization-id": "org_one"}
    for _ in range(2):
        rig.stub.replies.append(_counted(account))
    # Both keys are of one account, as their replies say: first the one, then, set aside by hand, the other.
    from router import app

    assert app._gateway is not None
    chat(rig)
    accounts = app._gateway.health._accounts
    accounts[(second_key.pk, 1)] = "org_one"
    rig.stub.replies.clear()
    rig.stub.replies.append(LIMITED)
    rig.stub.requests.clear()

    response = chat(rig)

    assert (response.status_code, response.headers["retry-after"]) == (429, "30")
    assert len(keys_sent(rig.stub)) == 1


def test_rate_limited_key_rests_while_another_serves(rig: Rig, second_key: ProviderKey) -> None:
    rig.stub.replies.append(LIMITED)

    assert [chat(rig).status_code for _ in range(3)] == [200, 200, 200]
    assert keys_sent(rig.stub)[1:] == [SECOND_SECRET] * 3


def test_failure_before_the_first_token_of_a_stream_is_retried(rig: Rig) -> None:
    rig.stub.replies.append(
        Reply.of_events([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}])
    )

    response = chat(rig, stream=True, retry={"count": 1})

    assert (response.status_code, response.headers["x-orq-attempts"]) == (200, "2")
    assert response.text.endswith("data: [DONE]\n\n")
    assert [row.error_code for row in rig.ledger(at_least=2)] == ["provider_overloaded", ""]


def test_nothing_is_retried_once_the_client_has_a_part(rig: Rig) -> None:
    rig.stub.replies.append(Reply(200, {"content-type": "text/event-stream"}, _first_events(), cut_after=10_000))

    response = chat(rig, stream=True, retry={"count": 3}, fallbacks=[{"model": OPUS}])

    assert response.headers["x-orq-attempts"] == "1"
    assert '"error":' in response.text
    assert len(keys_sent(rig.stub)) == 1


def test_load_balancer_shares_by_weight(rig: Rig) -> None:
    arms = {"type": "weight_based", "models": [{"model": SONNET, "weight": 3}, {"model": OPUS, "weight": 1}]}

    for _ in range(60):
        chat(rig, load_balancer=arms)

    share = models_sent(rig.stub).count("claude-sonnet-4-6") / 60
    assert 0.5 < share < 0.95


def test_conversation_with_a_cache_stays_with_one_arm(rig: Rig) -> None:
    arms = {"type": "weight_based", "models": [{"model": SONNET, "weight": 1}, {"model": OPUS, "weight": 1}]}
    system = {"role": "system", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    turns: list[dict[str, Any]] = [system]
    for number in range(6):
        turns += [{"role": "user", "content": f"question {number}"}]
        chat(rig, load_balancer=arms, messages=turns)
        turns += [{"role": "assistant", "content": f"answer {number}"}]

    assert len(set(models_sent(rig.stub))) == 1


def test_native_endpoint_gets_the_next_key_too(rig: Rig, second_key: ProviderKey) -> None:
    rig.stub.replies.append(REFUSED)

    response = rig.post("/v3/anthropic/v1/messages", message_body())

    assert (response.status_code, response.headers["x-orq-attempts"]) == (200, "2")


def test_impatient_clients_open_no_circuit(rig: Rig) -> None:
    rig.stub.replies.extend([replace(OVERLOADED, delay_s=0.5)] * 6)
    for _ in range(6):
        assert chat(rig, timeout={"call_timeout": 50}).status_code == 504
    rig.stub.replies.clear()
    rig.stub.requests.clear()

    assert chat(rig, fallbacks=[{"model": OPUS}]).json()["model"] == SONNET


def _refusing(answer: Callable[[Seen], Reply], secret: str, *, but_not: bool) -> Callable[[Seen], Reply]:
    return lambda seen: answer(seen) if (seen.headers.get("x-api-key") == secret) == but_not else REFUSED


def _counted(headers: dict[str, str]) -> Reply:
    message = {"type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [], "id": "msg_1"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return Reply.of_json({**message, "stop_reason": "end_turn", "usage": usage}, headers=headers)


def _first_events() -> bytes:
    start = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
        b'"model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    )
    return start + (
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hel"}}\n\n'
    )


def real() -> float:
    return timezone.now().timestamp()
