"""Bedrock's event stream comes out as Anthropic's server-sent events, metered, with its exceptions as errors."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import bedrock
from providers.base import ModelCall, StreamError, TokenCounts, UnreadableAnswer
from providers.bedrock_stream import BedrockStream
from providers.sse import SSEDecoder
from tests.providers import recordings
from tests.providers.recordings import encode_chunk, encode_exception, encode_message, needs_recordings

STREAMS = recordings.streams("bedrock-invoke-with-response-stream-*.json")
ANSWER: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"model": "claude-x", "usage": {"input_tokens": 7, "output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße 🌍"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7}},
]
STREAM = b"".join(encode_chunk(json.dumps(event, ensure_ascii=False).encode()) for event in ANSWER)


def _read(*chunks: bytes) -> tuple[BedrockStream, bytes]:
    stream = bedrock.answer_stream(ModelCall("anthropic.claude-x", b"{}", stream=True))
    return stream, b"".join(stream.feed(chunk) for chunk in chunks)


def _facts(stream: BedrockStream) -> tuple[object, ...]:
    return (
        stream.counts,
        stream.model,
        stream.stop_reason,
        stream.error,
        stream.is_complete,
        stream.text_chars,
        stream.first_token_seen,
    )


def _usage(events: list[dict[str, Any]]) -> dict[str, int]:
    """The usage that a stream reports, by the rule that the last word counts."""
    usage: dict[str, int] = {}
    for event in events:
        usage |= event.get("message", {}).get("usage") or event.get("usage") or {}
    return usage


@needs_recordings
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_recorded_events_keep_their_bytes(path: Path) -> None:
    recorded = recordings.answer_bytes(recordings.load(path))

    _, passed_on = _read(recorded)

    assert SSEDecoder().feed(passed_on) == recordings.inner_events(recorded)


@needs_recordings
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_recorded_stream_is_metered(path: Path) -> None:
    recorded = recordings.answer_bytes(recordings.load(path))
    usage = _usage([json.loads(event) for event in recordings.inner_events(recorded)])

    stream, _ = _read(recorded)

    counts = stream.counts
    assert (counts.uncached_input, counts.output) == (usage.get("input_tokens"), usage.get("output_tokens"))
    if usage:
        assert counts.cache_read_input == usage.get("cache_read_input_tokens", 0)
        assert counts.cache_write_5m_input == usage.get("cache_creation_input_tokens", 0)
        assert stream.is_complete


@needs_recordings
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_recorded_stream_in_single_bytes_is_the_same(path: Path) -> None:
    recorded = recordings.answer_bytes(recordings.load(path))
    whole, passed_on = _read(recorded)

    piecemeal, passed_on_piecemeal = _read(*(recorded[at : at + 1] for at in range(len(recorded))))

    assert passed_on_piecemeal == passed_on
    assert _facts(piecemeal) == _facts(whole)


@needs_recordings
@settings(max_examples=40)
@given(data=st.data())
def test_cuts_of_recorded_streams_change_nothing(data: st.DataObject) -> None:
    recorded = recordings.answer_bytes(recordings.load(data.draw(st.sampled_from(STREAMS))))
    cuts = data.draw(st.lists(st.integers(0, len(recorded)), max_size=30))
    whole, passed_on = _read(recorded)

    cut, passed_on_cut = _read(*(recorded[a:b] for a, b in pairwise([0, *sorted(cuts), len(recorded)])))

    assert passed_on_cut == passed_on
    assert _facts(cut) == _facts(whole)


def test_events_are_named_by_their_type() -> None:
    _, passed_on = _read(STREAM)

    names = [line.removeprefix(b"event: ").decode() for line in passed_on.split(b"\n") if line.startswith(b"event:")]
    assert names == [event["type"] for event in ANSWER]


def test_stream_is_complete_only_once_it_says_so() -> None:
    stream, _ = _read(STREAM[:-1])
    assert not stream.is_complete

    stream.feed(STREAM[-1:])
    assert stream.is_complete
    assert stream.counts == TokenCounts(7, 0, 0, 0, 9)
    assert stream.text_chars == len("Grüße 🌍")


def test_line_breaks_in_an_event_do_not_break_it() -> None:
    spaced = json.dumps(ANSWER[1], indent=1).replace("\n", "\r\n").encode()

    _, passed_on = _read(encode_chunk(spaced))

    assert SSEDecoder().events(passed_on) == [ANSWER[1]]
    assert b"\r" not in passed_on


@pytest.mark.parametrize(
    ("exception", "error_type"),
    [
        ("throttlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("internalServerException", "api_error"),
        ("modelStreamErrorException", "api_error"),
        ("modelTimeoutException", "timeout_error"),
        ("validationException", "invalid_request_error"),
        ("somethingNewException", "api_error"),
    ],
)
def test_exception_inside_the_stream_is_an_error_event(exception: str, error_type: str) -> None:
    stream, passed_on = _read(encode_exception(exception, b'{"message":"Try \\"later\\"."}'))

    assert SSEDecoder().events(passed_on) == [
        {"type": "error", "error": {"type": error_type, "message": 'Try "later".'}}
    ]
    assert passed_on.startswith(b"event: error\n")
    assert stream.error == StreamError(error_type, 'Try "later".')
    assert not stream.is_complete


def test_error_message_of_the_protocol_is_an_error_event() -> None:
    headers = {":message-type": "error", ":error-code": "InternalServerException", ":error-message": "Oh no."}

    stream, _ = _read(encode_message(headers, b""))

    assert stream.error == StreamError("api_error", "Oh no.")


def test_exception_that_says_nothing_is_named() -> None:
    stream, _ = _read(encode_exception("modelTimeoutException", b"not json"))

    assert stream.error == StreamError("timeout_error", "modelTimeoutException")


def test_counts_before_an_exception_stand() -> None:
    begun = encode_chunk(json.dumps(ANSWER[0]).encode())

    stream, _ = _read(begun + encode_exception("throttlingException", b'{"message":"Too many tokens."}'))

    assert (stream.counts.uncached_input, stream.model) == (7, "claude-x")


def test_messages_that_are_not_of_the_answer_are_passed_over() -> None:
    headers = {":message-type": "event", ":event-type": "initial-response"}

    _, passed_on = _read(encode_message(headers, b"{}"))

    assert passed_on == b""


def test_damage_is_told_and_what_came_before_is_metered() -> None:
    damaged = bytearray(STREAM)
    damaged[-5] ^= 1
    stream = BedrockStream()

    with pytest.raises(UnreadableAnswer):
        stream.feed(bytes(damaged))

    assert (stream.counts.output, stream.is_complete) == (9, False)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b'{"bytes":"***"}', b'{"bytes":"bm8="}', b'{"bytes":"MQ=="}', b'{"odd":' + b"[" * 100_000],
)
def test_chunk_that_is_no_event_is_unreadable(payload: bytes) -> None:
    headers = {":message-type": "event", ":event-type": "chunk"}

    with pytest.raises(UnreadableAnswer):
        _read(encode_message(headers, payload))


@pytest.mark.parametrize("kind", ["a\nb", "ping\r\ndata: x", ""])
def test_type_that_is_no_name_does_not_become_a_line(kind: str) -> None:
    _, passed_on = _read(encode_chunk(json.dumps({"type": kind}).encode()))

    assert passed_on == b"data: %b\n\n" % json.dumps({"type": kind}).encode()
