"""Servers that speak OpenAI's language end streams as they please, and get nothing that was not meant for them."""

import json
from typing import Any

import pytest

from keys.models import ProviderKey
from keys.services import create_provider_key
from providers.secret import Secret
from router import relay
from tests.router.conftest import Rig, message_body, wait_for
from tests.stub import Reply

CHAT = "/v3/router/chat/completions"
NATIVE = "/v3/anthropic/v1/messages"
MODEL = "openai/some-model"
FALLBACK = {"fallbacks": [{"model": "anthropic/claude-sonnet-4-6"}]}
TEXT = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]}
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
FAILURE = {"error": {"code": 502, "message": "The model is down"}}


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 64, "stream": True, "messages": [{"role": "user", "content": "Hi"}]} | fields


def events(*chunks: dict[str, Any], begin: bytes = b"", end: bytes = b"", **reply: Any) -> Reply:
    body = begin + b"".join(b"data: %b\n\n" % json.dumps({"model": "m", **chunk}).encode() for chunk in chunks) + end
    return Reply(200, {"content-type": "text/event-stream"}, body, **reply)


@pytest.fixture
def server(rig: Rig) -> ProviderKey:
    """A server of somebody's own, which the gateway knows of."""
    secret = Secret("sk-proj-only-for-tests-0123456789abcdef")
    key = create_provider_key(
        rig.workspace, provider="openai", name="Own", secret=secret, actor=None, base_url=rig.stub.origin
    )
    wait_for(lambda: rig.post(CHAT, chat_body(stream=False)).status_code != 422 or None)
    rig.ledger()
    return key


@pytest.mark.parametrize("end", [b"", b"data: [DONE]", b"data: [DONE]\n\n"], ids=["no mark", "half a line", "the mark"])
@pytest.mark.parametrize("path", [CHAT, NATIVE])
def test_an_answer_is_whole_without_the_mark_of_its_end(rig: Rig, server: ProviderKey, path: str, end: bytes) -> None:
    rig.stub.replies.append(events(TEXT, STOP, USAGE, end=end))

    response = rig.post(path, chat_body())

    *_, row = rig.ledger(at_least=2)
    assert "error" not in response.text
    assert (row.certainty, row.error_code, row.output_tokens) == ("exact", "", 3)
    assert path == CHAT or "message_stop" in response.text


def test_an_answer_that_ends_without_a_reason_is_cut_off(rig: Rig, server: ProviderKey) -> None:
    rig.stub.replies.append(events(TEXT))

    response = rig.post(CHAT, chat_body())

    assert "The provider broke the answer off." in response.text


def test_another_model_answers_after_nothing_but_comments(rig: Rig, server: ProviderKey) -> None:
    comment = b": PROCESSING\n\n"
    rig.stub.replies.append(events(FAILURE, begin=comment, chunk_sizes=(len(comment),), between_s=0.1))

    response = rig.post(CHAT, chat_body(**FALLBACK))

    assert response.headers["x-orq-attempts"] == "2"
    assert "The model is down" not in response.text


def test_another_model_answers_after_a_failure_that_is_no_whole_event(rig: Rig, server: ProviderKey) -> None:
    half = b"data: " + json.dumps(FAILURE).encode() + b"\n"
    rig.stub.replies.append(Reply(200, {"content-type": "text/event-stream"}, half))

    response = rig.post(CHAT, chat_body(**FALLBACK))

    assert response.headers["x-orq-attempts"] == "2"


def test_a_client_hears_that_its_answer_is_worked_on(
    rig: Rig, server: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_HOLDS_COMMENTS_MS", 50)
    comment = b": PROCESSING\n\n"
    rig.stub.replies.append(events(TEXT, STOP, begin=comment * 2, chunk_sizes=(len(comment),) * 2, between_s=0.1))

    response = rig.post(NATIVE, chat_body())

    assert response.text.startswith(": still waiting\n\nevent: message_start")


def test_comments_go_on_with_the_first_event(rig: Rig, server: ProviderKey) -> None:
    comment = b": PROCESSING\n\n"
    rig.stub.replies.append(events(TEXT, STOP, begin=comment, chunk_sizes=(len(comment),), between_s=0.1))

    response = rig.post(CHAT, chat_body())

    assert response.text.startswith(comment.decode())


def test_headers_written_for_anthropic_choose_nothing_at_openai(rig: Rig, server: ProviderKey) -> None:
    body = message_body(model=MODEL)

    rig.post(NATIVE, body, headers={"OpenAI-Organization": "org-other", "OpenAI-Project": "proj-other"})

    assert not {"openai-organization", "openai-project"} & rig.stub.requests[-1].headers.keys()


def test_a_response_of_a_server_that_has_none_is_cut_by_its_own_limit(rig: Rig, server: ProviderKey) -> None:
    rig.post("/v3/router/responses", {"model": MODEL, "input": "Hi"})

    assert not {"max_tokens", "max_completion_tokens"} & rig.stub.requests[-1].json.keys()
