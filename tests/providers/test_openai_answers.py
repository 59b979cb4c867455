"""Chat completions that answer a Messages call come back as Messages answers, whole and streamed alike."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import openai
from providers.base import StreamError, TokenCounts, UnreadableAnswer
from providers.openai_answer import UNSIGNED
from tests.providers.openai_samples import (
    as_stream,
    call_delta,
    chat_chunk,
    gather_message,
    make_messages,
    read_events,
    split_evenly,
)

CALL = make_messages()
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
COUNTS = TokenCounts(30, 60, 10, 0, 20, 5)
MESSAGES_USAGE = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 60,
    "output_tokens": 20,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 0},
    "output_tokens_details": {"thinking_tokens": 5},
}


def completion(message: Mapping[str, Any], finish: str | None = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5-2025-08-07"}
    return json.dumps({**head, "choices": [choice], "usage": USAGE, **fields}).encode()


def translated(message: Mapping[str, Any], finish: str | None = "stop") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(openai.read_answer(CALL, completion(message, finish)).body)
    return answer


def tool_call(arguments: str = '{"city":"Paris"}', **fields: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}, **fields}


def stream_of(*events: Mapping[str, Any], done: bool = True) -> bytes:
    return openai.answer_stream(make_messages(stream=True)).feed(as_stream(*events, done=done))


def message_of(*events: Mapping[str, Any]) -> dict[str, Any]:
    return gather_message(read_events(stream_of(*events)))


# Whole answers


def test_a_text_is_translated_with_its_usage() -> None:
    answer = openai.read_answer(CALL, completion({"content": "Hello.", "refusal": None}))

    assert (answer.counts, answer.model) == (COUNTS, "gpt-5-2025-08-07")
    assert json.loads(answer.body) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5-2025-08-07",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


def test_reasoning_text_and_calls_come_in_the_order_of_messages() -> None:
    calls = [tool_call(), tool_call("", id="call_2")]

    answer = translated({"reasoning_content": "Hm.", "content": "Let me see.", "tool_calls": calls}, "tool_calls")

    assert answer["stop_reason"] == "tool_use"
    assert answer["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": UNSIGNED},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}},
    ]


@pytest.mark.parametrize(
    ("finish", "stop_reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("eos", "end_turn"),
        ("tool_calls", "end_turn"),
        (None, "end_turn"),
    ],
)
def test_each_finish_reason_has_its_stop_reason(finish: str | None, stop_reason: str) -> None:
    assert translated({"content": "Hello."}, finish)["stop_reason"] == stop_reason


def test_a_call_that_finishes_with_stop_is_still_to_be_made() -> None:
    assert translated({"content": None, "tool_calls": [tool_call()]}, "stop")["stop_reason"] == "tool_use"


def test_a_refusal_is_its_text_and_says_so() -> None:
    answer = translated({"content": None, "refusal": "I can't."})

    assert answer["content"] == [{"type": "text", "text": "I can't."}]
    assert answer["stop_reason"] == "refusal"


def test_content_in_parts_is_their_text() -> None:
    answer = translated({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]})

    assert answer["content"] == [{"type": "text", "text": "Hello."}]


def test_a_call_without_an_id_gets_one() -> None:
    answer = translated({"tool_calls": [tool_call(id=""), tool_call(id=None)]})

    assert [block["id"] for block in answer["content"]] == ["call_chatcmpl-1_0", "call_chatcmpl-1_1"]


def test_arguments_cut_off_by_the_limit_are_empty() -> None:
    answer = translated({"tool_calls": [tool_call('{"city":"Pa')]}, "length")

    assert answer["content"][0]["input"] == {}
    assert answer["stop_reason"] == "max_tokens"


def test_an_answer_without_usage_has_null_for_it() -> None:
    answer = openai.read_answer(CALL, completion({"content": "Hello."}, usage=None))

    assert answer.counts == TokenCounts()
    assert json.loads(answer.body)["usage"] == {
        "input_tokens": None,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": None,
        "output_tokens": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error":{"message":"No."}}',
        b'{"choices":[]}',
        b'{"choices":[{"message":null}]}',
        completion({"tool_calls": [tool_call("{")]}),
        completion({"tool_calls": [tool_call("[]")]}),
        completion({"tool_calls": [{"id": "call_1", "function": {"arguments": "{}"}}]}),
    ],
)
def test_what_is_no_chat_completion_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        openai.read_answer(CALL, body)


# Streams


def test_a_streamed_text_has_the_events_of_messages() -> None:
    events = read_events(
        stream_of(
            chat_chunk({"role": "assistant", "content": ""}),
            chat_chunk({"content": "Hel"}),
            chat_chunk({"content": "lo."}),
            chat_chunk({}, "stop"),
            chat_chunk(usage=USAGE),
        )
    )

    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert gather_message(events) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5-2025-08-07",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


def test_what_is_known_of_a_translated_stream_follows_its_chunks() -> None:
    stream = openai.answer_stream(make_messages(stream=True))

    stream.feed(as_stream(chat_chunk({"role": "assistant", "content": ""}), done=False))
    at_first = stream.first_token_seen, stream.stop_reason
    stream.feed(as_stream(chat_chunk({"reasoning": "Hm."}), chat_chunk({"content": "Hi."}), done=False))
    halfway = stream.first_token_seen, stream.text_chars, stream.is_complete
    stream.feed(as_stream(chat_chunk({}, "length"), chat_chunk(usage=USAGE)))

    assert at_first == (False, None)
    assert halfway == (True, 6, False)
    assert (stream.counts, stream.model, stream.stop_reason) == (COUNTS, "gpt-5-2025-08-07", "max_tokens")
    assert (stream.is_complete, stream.error) == (True, None)


def test_streamed_reasoning_is_a_block_of_its_own() -> None:
    message = message_of(
        chat_chunk({"role": "assistant", "reasoning_content": "H"}),
        chat_chunk({"reasoning_content": "m."}),
        chat_chunk({"content": "Hello."}),
        chat_chunk({}, "stop"),
    )

    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": UNSIGNED},
        {"type": "text", "text": "Hello."},
    ]


def test_a_streamed_refusal_is_its_text_and_says_so() -> None:
    message = message_of(chat_chunk({"refusal": "I can't."}), chat_chunk({}, "stop"))

    assert message["content"] == [{"type": "text", "text": "I can't."}]
    assert message["stop_reason"] == "refusal"


def test_calls_one_after_the_other_are_written_as_they_come() -> None:
    stream = openai.answer_stream(make_messages(stream=True))
    stream.feed(as_stream(chat_chunk(call_delta(0, '{"a":1}', id="call_1", name="f")), done=False))

    out = stream.feed(as_stream(chat_chunk(call_delta(1, '{"b"', id="call_2", name="g")), done=False))

    assert [event["type"] for event in read_events(out)] == [
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


def test_interleaved_calls_come_one_after_the_other() -> None:
    message = message_of(
        chat_chunk({"content": "Both."}),
        chat_chunk(call_delta(0, "", id="call_1", name="f")),
        chat_chunk(call_delta(1, "", id="call_2", name="g")),
        chat_chunk(call_delta(0, '{"a":')),
        chat_chunk(call_delta(1, '{"b":2}')),
        chat_chunk(call_delta(0, "1}")),
        chat_chunk({}, "tool_calls"),
    )

    assert message["stop_reason"] == "tool_use"
    assert message["content"] == [
        {"type": "text", "text": "Both."},
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "g", "input": {"b": 2}},
    ]


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    message = message_of(
        chat_chunk(call_delta(0, "{}", id="call_1", name="f")),
        chat_chunk(call_delta(0, "{}", id="call_2", name="g")),
        chat_chunk({}, "stop"),
    )

    assert [block["id"] for block in message["content"]] == ["call_1", "call_2"]


def test_text_after_a_call_is_a_block_after_it() -> None:
    message = message_of(
        chat_chunk(call_delta(0, "", id="call_1", name="f")),
        chat_chunk({"content": "Done."}),
        chat_chunk({}, "tool_calls"),
    )

    assert [block["type"] for block in message["content"]] == ["tool_use", "text"]


def test_an_error_inside_the_stream_ends_it() -> None:
    error = {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}
    stream = openai.answer_stream(make_messages(stream=True))

    out = stream.feed(as_stream(chat_chunk({"content": "Hel"}), {"error": error}, chat_chunk({"content": "lo"})))

    assert stream.error == StreamError("rate_limit_exceeded", "Slow down.")
    assert read_events(out)[-1] == {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}


def test_a_stream_that_breaks_off_is_not_complete() -> None:
    stream = openai.answer_stream(make_messages(stream=True))

    out = stream.feed(as_stream(chat_chunk({"content": "Hel"}), chat_chunk({}, "stop"), done=False))

    assert not stream.is_complete
    assert "message_stop" not in {event["type"] for event in read_events(out)}


def test_a_stream_without_usage_leaves_the_counts_unknown() -> None:
    stream = openai.answer_stream(make_messages(stream=True))

    out = stream.feed(as_stream(chat_chunk({"content": "Hi."}, usage=None), chat_chunk({}, "stop", usage=None)))

    assert stream.counts == TokenCounts()
    assert read_events(out)[-2]["usage"]["output_tokens"] is None


@pytest.mark.parametrize(
    "stream",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: " + b"[" * 5000 + b"\n\n",
        as_stream(chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})),
    ],
)
def test_a_stream_that_cannot_be_read_is_unreadable(stream: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        openai.answer_stream(make_messages(stream=True)).feed(stream)


words = st.text(max_size=8)
calls = st.lists(st.dictionaries(words, words, max_size=2), max_size=4)


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Arguments of some calls, and chunks that give them in pieces and in any order of the calls."""
    arguments = draw(calls)
    pieces = [list(split_evenly(json.dumps(value).encode(), draw(st.integers(1, 9)))) for value in arguments]
    order = draw(st.permutations([index for index, parts in enumerate(pieces) for _ in parts]))
    heads = [chat_chunk(call_delta(index, "", id=f"call_{index}", name="f")) for index in range(len(pieces))]
    queues: list[Iterable[bytes]] = [iter(parts) for parts in pieces]
    deltas = [chat_chunk(call_delta(index, next(iter(queues[index])).decode())) for index in order]
    return arguments, [*heads, *deltas]


@settings(deadline=None, derandomize=True)
@given(words, interleaved(), st.integers(1, 40))
def test_calls_in_any_order_and_any_chunks_keep_their_arguments(
    said: str, sent: tuple[list[dict[str, Any]], list[dict[str, Any]]], size: int
) -> None:
    arguments, chunks = sent
    whole = as_stream(chat_chunk({"content": said}), *chunks, chat_chunk({}, "tool_calls"), chat_chunk(usage=USAGE))
    stream = openai.answer_stream(make_messages(stream=True))

    message = gather_message(read_events(b"".join(map(stream.feed, split_evenly(whole, size)))))

    assert [block["text"] for block in message["content"] if block["type"] == "text"] == ([said] if said else [])
    assert [block["input"] for block in message["content"] if block["type"] == "tool_use"] == arguments
    assert (stream.counts, stream.is_complete) == (COUNTS, True)
