"""Real exchanges with the Messages API, told to OpenAI's clients: the same text, calls and counts as recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.sse import SSEDecoder
from tests.dialects.samples import fold
from tests.gateway import (
    Gateway,
    connected_gateway,
    counts_in_answer,
    counts_in_chat,
    counts_in_response,
    counts_in_row,
    transactional_db,
)
from tests.stub import Reply, Stub

__all__ = ["transactional_db"]

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"
MODEL = "anthropic/claude-sonnet-4-6"
CHAT = "/v3/router/chat/completions"
RESPONSES = "/v3/router/responses"
# What a client of ours is told, by the status that the provider gave.
STATUSES = {400: 400, 401: 422, 403: 422, 404: 404, 429: 429, 500: 502, 529: 503}

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")


def recorded(*, ends: str) -> list[Any]:
    """The recordings whose answer ``ends`` so: "whole", "stream", "error" (status) or "broken" (error event)."""
    cases = []
    for path in sorted(RECORDINGS.glob("anthropic-messages-*.json")):
        recording = json.loads(path.read_text())
        if "messages" in (recording["request"].get("json") or {}) and how_it_ends(recording["response"]) == ends:
            cases.append(pytest.param(path, id=path.stem.removeprefix("anthropic-messages-")))
    return cases


def how_it_ends(response: dict[str, Any]) -> str:
    if response["status"] != 200:
        return "error"
    if response["body"].startswith("{"):
        return "whole"
    return "broken" if SSEDecoder().events(response["body"].encode())[-1]["type"] == "error" else "stream"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture(scope="module")
def module_gateway(transactional_db: None, upstream: Stub, tmp_path_factory: Any) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with connected_gateway(upstream.origin, "sk-ant-api03-only-for-tests-0123456789", folder) as running:
        yield running


@pytest.fixture
def gateway(module_gateway: Gateway, upstream: Stub) -> Gateway:
    module_gateway.forget_rows()
    upstream.replies.clear()
    return module_gateway


def replay(gateway: Gateway, upstream: Stub, path: Path, endpoint: str, *, stream: bool) -> Any:
    upstream.replies.append(Reply.of_recording(path))
    said = {"input": "Hello"} if endpoint == RESPONSES else {"messages": [{"role": "user", "content": "Hello"}]}
    options = {"stream_options": {"include_usage": True}} if stream and endpoint == CHAT else {}
    return gateway.post(endpoint, {"model": MODEL, "stream": stream, **said, **options})


def text_of(answer: dict[str, Any]) -> str:
    return "".join(block["text"] for block in answer["content"] if block["type"] == "text")


def calls_of(answer: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [(block["id"], block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]


def thinking_of(answer: dict[str, Any]) -> str:
    return "".join(block.get("thinking", "") for block in answer["content"])


def read_chat(body: str) -> dict[str, Any]:
    """Put a chat stream's chunks together into one message, with the usage that came last."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    *chunks, last = (json.loads(line) for line in lines[:-1])
    message: dict[str, Any] = {"content": "", "reasoning": "", "tool_calls": []}
    for delta in (chunk["choices"][0]["delta"] for chunk in chunks):
        message["content"] += delta.get("content") or ""
        message["reasoning"] += delta.get("reasoning") or ""
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                message["tool_calls"].append({"id": call["id"], "function": {**call["function"]}})
            else:
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    assert last["choices"] == []
    return {"message": message, "usage": last["usage"]}


def read_response(body: str) -> dict[str, Any]:
    """Return the response that a stream ended with."""
    events = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] in ("response.completed", "response.incomplete")
    response: dict[str, Any] = events[-1]["response"]
    return response


def assert_chat_holds(answer: dict[str, Any], message: dict[str, Any]) -> None:
    calls = message.get("tool_calls") or []
    assert (message["content"] or "") == text_of(answer)
    assert [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls] == calls_of(answer)
    assert message.get("reasoning", "") == thinking_of(answer)


def assert_response_holds(answer: dict[str, Any], response: dict[str, Any]) -> None:
    output = response["output"]
    texts = [part["text"] for item in output if item["type"] == "message" for part in item["content"]]
    calls = [item for item in output if item["type"] == "function_call"]
    thoughts = [part["text"] for item in output if item["type"] == "reasoning" for part in item["summary"]]
    assert "".join(texts) == text_of(answer)
    assert [(c["call_id"], c["name"], json.loads(c["arguments"])) for c in calls] == calls_of(answer)
    assert "".join(thoughts) == thinking_of(answer)


@pytest.mark.parametrize("path", recorded(ends="whole"))
def test_whole_answer_as_a_chat_completion(gateway: Gateway, upstream: Stub, path: Path) -> None:
    response = replay(gateway, upstream, path, CHAT, stream=False)

    recording = json.loads(path.read_text())["response"]["body"]
    completion = response.json()
    assert_chat_holds(json.loads(recording), completion["choices"][0]["message"])
    assert counts_in_chat(completion["usage"]) == counts_in_row(gateway.new_row()) == counts_in_answer(recording)


@pytest.mark.parametrize("path", recorded(ends="whole"))
def test_whole_answer_as_a_response(gateway: Gateway, upstream: Stub, path: Path) -> None:
    response = replay(gateway, upstream, path, RESPONSES, stream=False)

    recording = json.loads(path.read_text())["response"]["body"]
    assert_response_holds(json.loads(recording), response.json())
    counts = counts_in_response(response.json()["usage"])
    assert counts == counts_in_row(gateway.new_row()) == counts_in_answer(recording)


@pytest.mark.parametrize("path", recorded(ends="stream"))
def test_stream_as_a_chat_completion(gateway: Gateway, upstream: Stub, path: Path) -> None:
    response = replay(gateway, upstream, path, CHAT, stream=True)

    recording, completion = json.loads(path.read_text())["response"]["body"], read_chat(response.text)
    assert_chat_holds(fold(SSEDecoder().events(recording.encode())), completion["message"])
    row = gateway.new_row()
    assert counts_in_chat(completion["usage"]) == counts_in_row(row) == counts_in_answer(recording)
    assert row.certainty == "exact"


@pytest.mark.parametrize("path", recorded(ends="stream"))
def test_stream_as_a_response(gateway: Gateway, upstream: Stub, path: Path) -> None:
    response = replay(gateway, upstream, path, RESPONSES, stream=True)

    recording, last = json.loads(path.read_text())["response"]["body"], read_response(response.text)
    assert_response_holds(fold(SSEDecoder().events(recording.encode())), last)
    row = gateway.new_row()
    assert counts_in_response(last["usage"]) == counts_in_row(row) == counts_in_answer(recording)
    assert row.certainty == "exact"


@pytest.mark.parametrize("path", recorded(ends="broken"))
@pytest.mark.parametrize(("endpoint", "told"), [(CHAT, '"error":'), (RESPONSES, "event: response.failed")])
def test_stream_that_broke_off(gateway: Gateway, upstream: Stub, path: Path, endpoint: str, told: str) -> None:
    response = replay(gateway, upstream, path, endpoint, stream=True)

    row, recorded_body = gateway.new_row(), json.loads(path.read_text())["response"]["body"]
    if SSEDecoder().events(recorded_body.encode())[0]["type"] == "error":
        # Nothing had gone to the client yet, so it gets the failure as such.
        assert (response.status_code, response.json()["error"]["code"]) == (503, "provider_overloaded")
    else:
        assert told in response.text
    assert "[DONE]" not in response.text
    assert "response.completed" not in response.text
    assert row.error_code == "provider_overloaded"
    assert counts_in_row(row) == counts_in_answer(recorded_body)


@pytest.mark.parametrize("path", recorded(ends="error"))
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
def test_error_in_our_envelope(gateway: Gateway, upstream: Stub, path: Path, endpoint: str, stream: bool) -> None:
    response = replay(gateway, upstream, path, endpoint, stream=stream)

    recording = json.loads(path.read_text())["response"]
    row = gateway.new_row()
    assert (response.status_code, row.status) == (STATUSES[recording["status"]], recording["status"])
    assert json.loads(recording["body"])["error"]["message"] in response.json()["error"]["message"]
    assert (response.json()["error"]["code"], set(counts_in_row(row).values())) == (row.error_code, {None})
