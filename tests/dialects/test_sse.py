"""Streams are cut and metered the same wherever their chunks end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import StreamError, TokenCounts, UnreadableAnswer
from providers.sse import SSEDecoder, StreamMeter
from providers.usage import parse_usage
from tests.dialects.samples import encode_events, fold, message_events, recorded_answers

STREAM = message_events(
    ({"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": "Hm 🤔"}]),
    ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Grüße "}, {"type": "text_delta", "text": "日本"}]),
    (
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        [
            {"type": "input_json_delta", "partial_json": '{"a": "\\n'},
            {"type": "input_json_delta", "partial_json": '"}'},
        ],
    ),
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


def metered(chunks: list[bytes]) -> tuple[object, ...]:
    meter = StreamMeter()
    for chunk in chunks:
        meter.feed(chunk)
    return (
        meter.counts,
        meter.model,
        meter.stop_reason,
        meter.error,
        meter.is_complete,
        meter.first_token_seen,
        meter.text_chars,
        meter.unreadable,
    )


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100_000])
def test_decoder_gives_the_same_events_for_any_chunk_size(newline, size):
    stream = STREAM.replace(b"\n", newline)
    decoder = SSEDecoder()

    events = [event for start in range(0, len(stream), size) for event in decoder.events(stream[start : start + size])]

    assert events == SSEDecoder().events(STREAM)
    assert fold(events)["content"][1]["text"] == "Grüße 日本"


@given(places=st.lists(st.integers(min_value=0), max_size=40), newline=st.sampled_from([b"\n", b"\r\n"]))
def test_chunk_splits_change_neither_events_nor_counts(places, newline):
    stream = STREAM.replace(b"\n", newline)
    decoder, chunks = SSEDecoder(), cut(stream, places)

    events = [data for chunk in chunks for data in decoder.feed(chunk)]

    assert events == SSEDecoder().feed(STREAM)
    assert metered(chunks) == metered([STREAM])


def test_decoder_joins_data_lines_and_skips_comments():
    decoder = SSEDecoder()

    data = decoder.feed(b': hello\n\nevent: x\nid: 7\ndata: {"a":\ndata: 1}\n\ndata:{"b": 2}\n\ndata: {"cut')

    assert data == [b'{"a":\n1}', b'{"b": 2}']


def test_decoder_refuses_an_event_that_is_not_an_object():
    with pytest.raises(UnreadableAnswer):
        SSEDecoder().events(b"data: [DONE]\n\n")


def test_meter_overwrites_what_message_delta_reports_and_keeps_the_rest():
    start_usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 1,
    }
    events = [
        {"type": "message_start", "message": {"model": "m", "usage": start_usage}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 12, "cache_read_input_tokens": None, "output_tokens": 50},
        },
    ]
    meter = StreamMeter()

    meter.feed(encode_events(events))

    assert meter.counts == TokenCounts(12, 5, 10, 20, 50)


def test_meter_knows_nothing_before_anything_came():
    meter = StreamMeter()

    assert metered([]) == (TokenCounts(), None, None, None, False, False, 0, 0)
    assert not meter.counts.is_known


def test_meter_sees_the_first_token_when_it_is_there():
    meter = StreamMeter()
    before, delta, rest = STREAM.partition(b"event: content_block_delta")

    meter.feed(before)
    assert not meter.first_token_seen

    meter.feed(delta + rest[: rest.index(b"\n\n") + 1])
    assert not meter.first_token_seen

    meter.feed(b"\n")
    assert meter.first_token_seen


def test_meter_reads_an_error_inside_the_stream():
    meter = StreamMeter()

    meter.feed(encode_events([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]))

    assert meter.error == StreamError("overloaded_error", "Overloaded")
    assert not meter.is_complete


def test_meter_takes_frames_without_event_names_and_with_other_spelling():
    bare = b"".join(line + b"\n\n" for line in STREAM.split(b"\n") if line.startswith(b"data:"))

    assert metered([bare]) == metered([STREAM])


def test_meter_counts_what_it_cannot_read():
    meter = StreamMeter()

    meter.feed(b"event: message_start\ndata: {oops\n\n" + STREAM)

    assert meter.unreadable == 1
    assert meter.is_complete


def test_long_streams_are_not_held_in_memory():
    meter = StreamMeter()
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é" * 100}}
    frame = encode_events([delta])

    for _ in range(3_000):
        meter.feed(frame)

    held = sum(map(len, meter._chunks)) + sum(map(len, meter._deltas))
    assert held < 100_000
    assert meter.text_chars == 300_000


@pytest.mark.parametrize("body", recorded_answers(streamed=True))
def test_recorded_stream_is_metered_as_its_events_say(body):
    events = SSEDecoder().events(body)
    answer = fold(events)

    counts, model, stop_reason, error, is_complete, *_ = metered(cut(body, list(range(0, len(body), 61))))

    assert counts == parse_usage(answer["usage"])
    assert model == answer.get("model")
    assert stop_reason == answer.get("stop_reason")
    assert is_complete == (error is None)
