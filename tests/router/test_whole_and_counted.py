"""What is whole stays whole, what is counted counts for itself, and what cannot be sent is passed over."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from catalog.routes import RouteSpec, TargetSpec, create_route
from keys.models import ProviderKey
from keys.services import create_provider_key
from providers.secret import Secret
from router import course
from router.outbox import OutboxUnavailable, OutboxWriter
from tests.router.conftest import Rig, message_body, wait_for
from tests.stub import Reply, Seen, answer_counted

CHAT = "/v3/router/chat/completions"
COUNT = "/v3/anthropic/v1/messages/count_tokens"
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
HAIKU = "anthropic/claude-haiku-4-5"
QUESTION = [{"role": "user", "content": "Hello"}]


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": SONNET, "messages": QUESTION} | fields


def post_raw(rig: Rig, body: bytes, *headers: tuple[str, str]) -> httpx.Response:
    signed = [*rig.headers.items(), *headers]
    return httpx.post(f"{rig.url}/v3/anthropic/v1/messages", content=body, headers=signed, timeout=10, trust_env=False)


def whole_stream() -> Reply:
    body = json.dumps(message_body(stream=True)).encode()
    return answer_counted(Seen("POST", "/v1/messages", {}, body, "req_whole"))


# What ends untidily


def test_a_whole_stream_stays_whole_however_its_connection_ends(rig: Rig) -> None:
    whole = whole_stream()
    rig.stub.replies.append(replace(whole, cut_after=len(whole.body)))

    response = rig.messages(stream=True)

    [row] = rig.ledger()
    assert response.content == whole.body
    assert (row.certainty, row.error_code) == ("exact", "")


def test_a_count_that_is_final_is_not_estimated_again(rig: Rig) -> None:
    events = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " " * 700}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
    ]
    reply = Reply.of_events(events)
    rig.stub.replies.append(replace(reply, cut_after=len(reply.body)))

    rig.messages(stream=True)

    [row] = rig.ledger()
    assert (row.certainty, row.output_tokens) == ("partial", 20)


def test_an_outbox_that_fills_up_between_attempts_leaves_a_final_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "FIRST_WAIT_S", 0.01)
    rig.stub.replies.append(Reply.of_error(529, "overloaded_error", "Overloaded"))
    opened = OutboxWriter.open

    def open_once(writer: OutboxWriter, attempt: Any) -> None:
        monkeypatch.setattr(OutboxWriter, "open", refuse)
        opened(writer, attempt)

    def refuse(writer: OutboxWriter, attempt: Any) -> None:
        raise OutboxUnavailable("No space left on device")

    monkeypatch.setattr(OutboxWriter, "open", open_once)

    response = rig.post(CHAT, chat_body(retry={"count": 1}))

    [row] = rig.ledger()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "metering_unavailable")
    assert (row.final, row.error_code) == (True, "provider_overloaded")


# Counting tokens


@pytest.mark.parametrize(
    "refusal",
    [
        Reply.of_error(403, "permission_error", "No permission to count"),
        Reply.of_error(429, "rate_limit_error", "Too many counts", headers={"retry-after": "30"}),
    ],
    ids=["forbidden", "limited"],
)
def test_what_befalls_a_count_says_nothing_of_messages(rig: Rig, refusal: Reply) -> None:
    rig.stub.replies.append(refusal)
    rig.post(COUNT, message_body())

    response = rig.post(CHAT, chat_body(fallbacks=[{"model": OPUS}]))

    assert response.json()["model"] == SONNET


def test_a_count_brings_no_resting_key_back(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_error(429, "rate_limit_error", "Slow down", headers={"retry-after": "30"}))
    rig.messages()
    assert rig.post(COUNT, message_body()).status_code == 200

    response = rig.post(CHAT, chat_body(fallbacks=[{"model": OPUS}]))

    assert response.json()["model"] == OPUS


# What cannot be sent


def test_a_fallback_that_cannot_say_it_does_not_stand_before_a_resting_model(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_error(429, "rate_limit_error", "Slow down", headers={"retry-after": "30"}))
    rig.post(CHAT, chat_body())

    response = rig.post(CHAT, chat_body(thinking={"type": "adaptive"}, fallbacks=[{"model": HAIKU}]))

    assert (response.status_code, response.json()["model"]) == (200, SONNET)


def test_the_model_asked_for_is_refused_for_itself(rig: Rig) -> None:
    response = rig.post(CHAT, chat_body(model=HAIKU, thinking={"type": "adaptive"}, fallbacks=[{"model": SONNET}]))

    assert (response.status_code, response.json()["error"]["param"]) == (400, "thinking.type")
    assert not rig.stub.requests


def test_a_routes_target_that_cannot_count_is_passed_over(rig: Rig) -> None:
    create_provider_key(
        rig.workspace, provider="openai", name="Other", secret=Secret("sk-x" * 12), actor=None, base_url=rig.stub.origin
    )
    targets = [TargetSpec("openai/gpt-x"), TargetSpec(SONNET)]
    create_route(rig.workspace, RouteSpec("both", targets), actor=None)

    def count() -> int | None:
        answered = rig.post(COUNT, message_body(model="route/both"))
        return answered.status_code if answered.status_code != 404 else None

    assert wait_for(count) == 200


def test_a_number_beyond_any_is_the_providers_to_judge(rig: Rig) -> None:
    create_provider_key(
        rig.workspace,
        provider="anthropic",
        name="Second",
        secret=Secret("sk-ant-api03-second-only-for-tests-0123"),
        actor=None,
        base_url=rig.stub.origin,
    )
    # Of one order there is something to choose between.
    ProviderKey.objects.update(order=1)

    def both_serve() -> bool | None:
        rig.messages()
        return len({seen.headers["x-api-key"] for seen in rig.stub.requests}) == 2 or None

    wait_for(both_serve)
    body = json.dumps(message_body(odd=0, cache_control={"type": "ephemeral"})).replace('"odd": 0', '"odd": 1e999')

    response = post_raw(rig, body.encode())

    assert response.status_code == 200
    assert rig.stub.requests[-1].body == body.encode()


# Headers


def test_a_redirect_is_followed_by_nobody(rig: Rig) -> None:
    for _ in range(2):
        rig.stub.replies.append(Reply.of_json({}, status=302, headers={"location": "https://elsewhere.example/"}))

    native, chat = rig.messages(), rig.post(CHAT, chat_body())

    assert (native.status_code, chat.status_code) == (502, 502)
    assert "location" not in native.headers
    assert "location" not in chat.headers


def test_a_list_in_several_lines_is_one_list(rig: Rig) -> None:
    post_raw(rig, json.dumps(message_body()).encode(), ("anthropic-beta", "one"), ("anthropic-beta", "two"))

    assert rig.stub.requests[-1].headers["anthropic-beta"] == "one, two"


def test_a_header_sent_twice_is_sent_on_once(rig: Rig) -> None:
    twice = ("Authorization", rig.headers["authorization"]), ("Content-Type", "application/json")

    response = post_raw(rig, json.dumps(message_body()).encode(), *twice, ("content-type", "application/json"))

    assert response.status_code == 200
    assert rig.stub.requests[-1].headers["content-type"] == "application/json"


def test_what_is_said_of_the_providers_host_stops_here(rig: Rig) -> None:
    said = {"strict-transport-security": "max-age=1", "alt-svc": "h3", "access-control-allow-origin": "*"}
    rig.stub.replies.append(Reply.of_json({"type": "message"}, headers=said | {"x-new": "1"}))

    response = rig.messages()

    assert response.headers["x-new"] == "1"
    assert not said.keys() & response.headers.keys()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_comes_compressed_is_a_failure(rig: Rig, stream: bool) -> None:
    rig.stub.replies.append(Reply.of_json({"type": "message"}, headers={"content-encoding": "gzip"}))

    response = rig.messages(stream=stream)

    [row] = rig.ledger()
    assert (response.status_code, row.certainty) == (502, "unknown")
    assert "compressed" in response.json()["error"]["message"]


def test_the_name_of_a_request_is_kept(rig: Rig) -> None:
    rig.post(CHAT, chat_body(name="nightly"))

    [row] = rig.ledger()
    assert row.tags == ["name=nightly"]
