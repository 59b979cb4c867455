"""Streams in OpenAI's own shapes pass as they come, and are metered on the way."""

import json
from typing import Any

import pytest

from providers import openai
from providers.base import AnswerStream, ModelCall, Shape, StreamError, TokenCounts
from tests.providers.openai_samples import as_stream, call_delta, chat_chunk, make_call, split_evenly

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
ASKS = {"stream_options": {"include_usage": True}}


def chat_stream(**fields: Any) -> AnswerStream:
    return openai.answer_stream(make_call(fields, Shape.CHAT, stream=True))


def responses_stream() -> AnswerStream:
    return openai.answer_stream(make_call({}, Shape.RESPONSES, stream=True))


def response_event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def passed(stream: AnswerStream, whole: bytes, size: int) -> bytes:
    return b"".join(map(stream.feed, split_evenly(whole, size)))


# Chat completions


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_the_chunk_of_usage_is_held_back_from_a_client_that_did_not_ask(size: int) -> None:
    before = as_stream(chat_chunk({"content": "Hé"}, usage=None), chat_chunk({}, "stop", usage=None), done=False)
    after = b": keep-alive\n\ndata: [DONE]\n\n"
    stream = chat_stream()

    out = passed(stream, before + as_stream(chat_chunk(usage=USAGE), done=False) + after, size)

    assert out == before + after
    assert stream.counts == TokenCounts(10, 0, 0, 0, 4)


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_line_ends_in_crlf_pass(size: int) -> None:
    whole = as_stream(chat_chunk({"content": "Hi"}), chat_chunk(usage=USAGE)).replace(b"\n", b"\r\n")
    stream = chat_stream()

    out = passed(stream, whole, size)

    assert out == as_stream(chat_chunk({"content": "Hi"})).replace(b"\n", b"\r\n")
    assert (stream.is_complete, stream.counts.output) == (True, 4)


def test_a_client_that_asked_gets_the_chunk_of_usage() -> None:
    whole = as_stream(chat_chunk({"content": "Hi"}), chat_chunk(usage=USAGE))
    stream = chat_stream(**ASKS)

    assert passed(stream, whole, 5) == whole
    assert stream.counts == TokenCounts(10, 0, 0, 0, 4)


def test_chunks_go_on_at_once_to_a_client_that_asked() -> None:
    assert chat_stream(**ASKS).feed(b'data: {"cho') == b'data: {"cho'


@pytest.mark.parametrize(
    "chunk",
    [
        chat_chunk({"content": ""}, "stop", usage=USAGE),
        chat_chunk(prompt_filter_results=[]),
        chat_chunk(usage=None),
        chat_chunk(usage=USAGE, error={"message": "No."}),
        chat_chunk({"content": '"choices":[],"usage":{}'}),
    ],
)
def test_any_other_chunk_passes(chunk: dict[str, Any]) -> None:
    whole = as_stream(chunk)

    assert passed(chat_stream(), whole, 9) == whole


def test_an_event_line_before_the_chunk_held_back_keeps_its_end() -> None:
    held = b"event: usage\n" + as_stream(chat_chunk(usage=USAGE), done=False)

    assert chat_stream().feed(held + b"data: [DONE]\n\n") == b"event: usage\n\ndata: [DONE]\n\n"


def test_usage_in_several_chunks_is_never_added_up() -> None:
    first = {**USAGE, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}
    stream = chat_stream(**ASKS)

    stream.feed(as_stream(chat_chunk({"content": "H"}, usage=first), chat_chunk({"content": "i"}, usage=None)))
    stream.feed(as_stream(chat_chunk({}, "stop", usage=USAGE)))

    assert stream.counts == TokenCounts(8, 2, 0, 0, 4)


@pytest.mark.parametrize(
    ("delta", "chars"),
    [
        ({"content": "Hé!"}, 3),
        ({"refusal": "No."}, 3),
        ({"reasoning": "Hm", "reasoning_content": "Hm"}, 2),
        ({"content": [{"type": "text", "text": "Hi"}]}, 2),
        (call_delta(0, '{"a":1}', id="call_1", name="f"), 7),
        (call_delta(0, "", id="call_1", name="f"), 0),
    ],
)
def test_the_first_token_is_text_reasoning_or_a_call(delta: dict[str, Any], chars: int) -> None:
    stream = chat_stream(**ASKS)
    stream.feed(as_stream(chat_chunk({"role": "assistant", "content": ""}), done=False))
    seen_before = stream.first_token_seen

    stream.feed(as_stream(chat_chunk(delta), done=False))

    assert (seen_before, stream.first_token_seen) == (False, True)
    assert stream.text_chars == chars


def test_model_and_finish_reason_are_the_providers_own() -> None:
    stream = chat_stream(**ASKS)
    stream.feed(as_stream(chat_chunk({"content": "Hi"}), chat_chunk({}, "tool_calls"), chat_chunk({})))

    assert (stream.model, stream.stop_reason) == ("gpt-5-2025-08-07", "tool_calls")


def test_a_stream_is_complete_once_it_says_done() -> None:
    stream = chat_stream(**ASKS)
    stream.feed(as_stream(chat_chunk({"content": "Hi"}, "stop"), done=False))
    complete_before = stream.is_complete

    stream.feed(b"data:[DONE]\n")

    assert (complete_before, stream.is_complete) == (False, True)


@pytest.mark.parametrize("error", [{"message": "No.", "code": "server_error", "type": "x"}, "No."])
def test_an_error_inside_the_stream_passes_and_is_noted(error: object) -> None:
    whole = as_stream(chat_chunk({"content": "Hi"}), {"error": error}, done=False)
    stream = chat_stream()

    assert passed(stream, whole, 11) == whole
    assert stream.error == StreamError("server_error" if isinstance(error, dict) else "", "No.")


@pytest.mark.parametrize(
    "odd", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices":7,"usage":[]}\n\n', b"data: \xff\n\n"]
)
def test_events_that_cannot_be_read_pass_and_are_left_out_of_the_count(odd: bytes) -> None:
    stream = chat_stream()

    assert stream.feed(odd) == odd
    assert (stream.counts, stream.error, stream.is_complete) == (TokenCounts(), None, False)


def test_a_long_answer_is_counted_exactly() -> None:
    stream = chat_stream(**ASKS)
    for _ in range(2000):
        stream.feed(as_stream(chat_chunk({"content": "0123456789"}), done=False))

    assert stream.text_chars == 20_000


def test_a_body_that_does_not_say_what_it_wants_gets_no_usage() -> None:
    stream = openai.answer_stream(ModelCall("gpt-5", b'{"stream_options":7}', True, Shape.CHAT))

    assert stream.feed(as_stream(chat_chunk(usage=USAGE), done=False)) == b""


# Responses


@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_a_streamed_response_passes_and_is_metered(size: int) -> None:
    usage = {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}
    response = {"model": "o3", "status": "completed", "usage": usage}
    whole = b"".join(
        [
            response_event("response.created", response={"model": "o3", "status": "in_progress", "usage": None}),
            response_event("response.output_text.delta", delta="Hi"),
            response_event("response.function_call_arguments.delta", delta="{}"),
            response_event("response.output_text.done", text="Hi"),
            response_event("response.completed", response=response),
        ]
    )
    stream = responses_stream()

    assert passed(stream, whole, size) == whole
    assert (stream.counts, stream.model) == (TokenCounts(5, 4, 0, 0, 3), "o3")
    assert (stream.stop_reason, stream.is_complete, stream.error, stream.text_chars) == ("completed", True, None, 4)


def test_the_first_token_of_a_response_is_its_first_delta() -> None:
    stream = responses_stream()
    stream.feed(response_event("response.created", response={"model": "o3"}))
    seen_before = stream.first_token_seen

    stream.feed(response_event("response.reasoning_summary_text.delta", delta="Hm"))

    assert (seen_before, stream.first_token_seen, stream.text_chars) == (False, True, 2)


def test_sound_is_no_text() -> None:
    stream = responses_stream()
    stream.feed(response_event("response.audio.delta", delta="UklGRg=="))

    assert (stream.first_token_seen, stream.text_chars) == (True, 0)


def test_an_incomplete_response_is_complete_and_says_why() -> None:
    stream = responses_stream()
    details = {"reason": "max_output_tokens"}
    stream.feed(response_event("response.incomplete", response={"incomplete_details": details}))

    assert (stream.is_complete, stream.stop_reason, stream.error) == (True, "max_output_tokens", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"response": {"status": "failed", "error": {"code": "server_error", "message": "No."}}},
        {"error": {"code": "server_error", "message": "No."}},
    ],
)
def test_a_failed_response_is_over_and_has_its_error(fields: dict[str, Any]) -> None:
    stream = responses_stream()
    stream.feed(response_event("response.failed", **fields))

    assert (stream.is_complete, stream.stop_reason) == (True, "failed")
    assert stream.error == StreamError("server_error", "No.")


@pytest.mark.parametrize(
    "fields",
    [{"code": "rate_limit_exceeded", "message": "No."}, {"error": {"code": "rate_limit_exceeded", "message": "No."}}],
)
def test_an_error_event_is_noted_in_both_its_forms(fields: dict[str, Any]) -> None:
    stream = responses_stream()
    stream.feed(response_event("error", **fields))

    assert (stream.error, stream.is_complete) == (StreamError("rate_limit_exceeded", "No."), False)
