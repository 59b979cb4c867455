"""Real exchanges with OpenAI and two gateways, replayed: counts by arithmetic, native bytes kept, text translated."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers import openai
from providers.base import AnswerStream, ModelCall, Outcome, Shape, TokenCounts
from tests.providers.openai_samples import gather_message, read_events, split_evenly

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"
FILES = sorted([*RECORDINGS.glob("openai-*.json"), *RECORDINGS.glob("gateway-*.json")])

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")


def load(path: Path) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(path.read_text())
    return recording


def body_of(path: Path) -> bytes:
    body: str = load(path)["response"]["body"]
    return body.encode()


def chosen(*, status_ok: bool = True, streamed: bool = False, only_chat: bool = False) -> list[Any]:
    """The recordings of a kind, each under its name."""
    return [pytest.param(path, id=path.stem) for path in FILES if _is_kind(load(path), status_ok, streamed, only_chat)]


def _is_kind(recording: dict[str, Any], status_ok: bool, streamed: bool, only_chat: bool) -> bool:
    response = recording["response"]
    if only_chat and recording["operation"] != "chat.completions":
        return False
    is_json = response["body"].lstrip().startswith("{")
    return (response["status"] < 400) is status_ok and is_json is not streamed


def call_of(path: Path, shape: Shape | None = None) -> ModelCall:
    recording = load(path)
    native = Shape.RESPONSES if recording["operation"] == "responses" else Shape.CHAT
    body = json.dumps(recording["request"].get("json") or {}).encode()
    return ModelCall(recording["model"] or "", body, "data:" in recording["response"]["body"], shape or native)


def reported_usage(path: Path) -> dict[str, Any] | None:
    """The last usage that the recorded answer holds, found without the product's help."""
    body = load(path)["response"]["body"]
    if body.lstrip().startswith("{"):
        return json.loads(body).get("usage")  # type: ignore[no-any-return]
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    found = [event.get("response", event).get("usage") for event in events]
    return next((usage for usage in reversed(found) if usage), None)


def expected_counts(usage: dict[str, Any] | None) -> TokenCounts:
    """The five counts, by arithmetic on the usage."""
    if usage is None:
        return TokenCounts()
    prompt, output = "prompt_tokens" in usage, "completion_tokens" in usage
    details = usage.get("prompt_tokens_details" if prompt else "input_tokens_details") or {}
    reasoning = usage.get("completion_tokens_details" if output else "output_tokens_details") or {}
    read, written = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    counts = TokenCounts(
        usage["prompt_tokens" if prompt else "input_tokens"] - read - written,
        read,
        written,
        0,
        usage["completion_tokens" if output else "output_tokens"],
        reasoning.get("reasoning_tokens"),
    )
    assert usage["total_tokens"] == counts.input_total + (counts.output or 0)
    return counts


def known_of(stream: AnswerStream) -> tuple[object, ...]:
    return stream.counts, stream.model, stream.stop_reason, stream.error, stream.is_complete, stream.text_chars


def test_all_recordings_are_of_one_kind_or_another() -> None:
    kinds = [chosen(), chosen(streamed=True), chosen(status_ok=False)]

    assert sum(map(len, kinds)) == len(FILES) >= 51


@pytest.mark.parametrize("path", chosen())
def test_a_whole_answer_passes_with_its_counts(path: Path) -> None:
    body = body_of(path)

    answer = openai.read_answer(call_of(path), body)

    assert answer.body == body
    assert answer.counts == expected_counts(reported_usage(path))
    assert answer.model == json.loads(body)["model"]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("path", chosen(streamed=True))
def test_a_stream_passes_byte_for_byte_with_its_counts(path: Path, size: int) -> None:
    body = body_of(path)
    stream = openai.answer_stream(call_of(path))

    out = b"".join(map(stream.feed, split_evenly(body, size)))

    assert out == body
    assert stream.counts == expected_counts(reported_usage(path))
    assert stream.is_complete
    assert stream.error is None


@pytest.mark.parametrize("path", chosen(streamed=True))
def test_the_recorded_chunks_change_nothing(path: Path) -> None:
    body, sizes = body_of(path), load(path)["response"].get("chunk_sizes") or []
    whole, cut = openai.answer_stream(call_of(path)), openai.answer_stream(call_of(path))
    whole.feed(body)

    start, out = 0, b""
    for size in [*sizes, len(body)]:
        out += cut.feed(body[start : start + size])
        start += size

    assert out == body
    assert known_of(cut) == known_of(whole)


@pytest.mark.parametrize("path", chosen(streamed=True, only_chat=True))
def test_a_client_that_did_not_ask_gets_all_but_the_usage(path: Path) -> None:
    body = body_of(path)
    stream = openai.answer_stream(ModelCall("m", b"{}", True, Shape.CHAT))

    out = b"".join(map(stream.feed, split_evenly(body, 11)))

    kept = [frame for frame in body.split(b"\n\n") if not (b'"choices":[]' in frame and b'"usage":{' in frame)]
    assert out == b"\n\n".join(kept)
    assert stream.counts == expected_counts(reported_usage(path))


@pytest.mark.parametrize("path", chosen(only_chat=True))
def test_a_whole_answer_is_translated(path: Path) -> None:
    answer = openai.read_answer(call_of(path, Shape.MESSAGES), body_of(path))

    said = json.loads(body_of(path))["choices"][0]["message"]
    message = json.loads(answer.body)
    assert answer.counts == expected_counts(reported_usage(path))
    assert text_in(message) == (said.get("content") or "")
    assert calls_in(message) == [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in said.get("tool_calls") or ()
    ]


@pytest.mark.parametrize("size", [1, 1000, 10**6])
@pytest.mark.parametrize("path", chosen(streamed=True, only_chat=True))
def test_a_stream_is_translated(path: Path, size: int) -> None:
    stream = openai.answer_stream(call_of(path, Shape.MESSAGES))

    message = gather_message(read_events(b"".join(map(stream.feed, split_evenly(body_of(path), size)))))

    text, calls, reasoning = gathered(path)
    assert (text_in(message), calls_in(message), reasoning_in(message)) == (text, calls, reasoning)
    assert stream.counts == expected_counts(reported_usage(path))
    assert (message["stop_reason"] == "tool_use") is bool(calls)
    assert stream.is_complete


def text_in(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def reasoning_in(message: dict[str, Any]) -> str:
    return "".join(block["thinking"] for block in message["content"] if block["type"] == "thinking")


def calls_in(message: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [(block["id"], block["name"], block["input"]) for block in message["content"] if block["type"] == "tool_use"]


def gathered(path: Path) -> tuple[str, list[tuple[str, str, Any]], str]:
    """Text (or refusal), calls and reasoning of a recorded stream, found without the product's help."""
    lines = load(path)["response"]["body"].splitlines()
    deltas = [
        choice["delta"] for line in lines if line.startswith("data: {") for choice in json.loads(line[6:])["choices"]
    ]
    text = "".join((delta.get("content") or "") + (delta.get("refusal") or "") for delta in deltas)
    calls: dict[int, list[str]] = {}
    for delta in deltas:
        for call in delta.get("tool_calls") or ():
            known = calls.setdefault(call["index"], [call.get("id", ""), call["function"].get("name", ""), ""])
            known[2] += call["function"]["arguments"]
    found = [(call_id, name, json.loads(arguments)) for call_id, name, arguments in calls.values()]
    return text, found, "".join(delta.get("reasoning") or "" for delta in deltas)


OUTCOMES = {
    (400, "unsupported_parameter"): Outcome.INVALID_REQUEST,
    (400, "unsupported_value"): Outcome.INVALID_REQUEST,
    (400, "unsupported_file"): Outcome.INVALID_REQUEST,
    (400, "context_length_exceeded"): Outcome.INVALID_REQUEST,
    (400, 400): Outcome.INVALID_REQUEST,
    (401, "invalid_api_key"): Outcome.INVALID_CREDENTIAL,
    (403, None): Outcome.NO_PERMISSION,
    (404, None): Outcome.MODEL_NOT_AVAILABLE,
    (404, "model_not_found"): Outcome.MODEL_NOT_AVAILABLE,
    (429, "rate_limit_exceeded"): Outcome.RATE_LIMITED,
}


@pytest.mark.parametrize("path", chosen(status_ok=False))
def test_an_error_is_classified_with_its_message(path: Path) -> None:
    body, status = body_of(path), load(path)["response"]["status"]

    outcome, message = openai.classify_error(status, body)

    error = json.loads(body)["error"]
    assert outcome is OUTCOMES[status, error["code"]]
    assert message == error["message"]
