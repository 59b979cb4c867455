"""Messages answers and streams, rendered for OpenAI's own client to read."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from providers.base import UnreadableAnswer
from providers.sse import SSEDecoder
from providers.usage import parse_usage
from router.dialects import CHAT, RESPONSES
from tests.dialects.samples import (
    MODEL,
    encode_events,
    fold,
    make_context,
    message_events,
    openai_client,
    parse,
    recorded_answers,
    render_stream,
    translate,
)
from tests.dialects.test_usage import from_chat, from_responses

TRANSLATED = pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
RESPONSE_EVENT = TypeAdapter(ResponseStreamEvent)

THOUGHT = (
    {"type": "thinking", "thinking": "", "signature": ""},
    [
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "see."},
        {"type": "signature_delta", "signature": "sig=="},
    ],
)
REDACTED = ({"type": "redacted_thinking", "data": "enc"}, [])
TEXT = (
    {"type": "text", "text": ""},
    [{"type": "text_delta", "text": "Grüße"}, {"type": "text_delta", "text": " 🌍"}],
)
CALL = (
    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    [
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a": '},
        {"type": "input_json_delta", "partial_json": "[1, 2]}"},
    ],
)
CALL_WITHOUT_ARGUMENTS = ({"type": "tool_use", "id": "t2", "name": "g", "input": {}}, [])
SERVER_CALL = (
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    [{"type": "input_json_delta", "partial_json": '{"q": 1}'}],
)
EVERYTHING = (THOUGHT, REDACTED, TEXT, SERVER_CALL, TEXT, CALL, CALL_WITHOUT_ARGUMENTS)


def chat_context(**fields):
    return make_context(parse(CHAT, stream_options={"include_usage": True}, **fields))


def chunks_of(rendered):
    *chunks, done = SSEDecoder().feed(rendered)
    assert done == b"[DONE]"
    return [ChatCompletionChunk.model_validate_json(chunk) for chunk in chunks]


def streamed_chat(stream, context=None):
    """Return the chat completion that OpenAI's client puts together, and its usage."""
    client = openai_client(render_stream(CHAT, stream, context or chat_context()))
    with client.chat.completions.stream(model=MODEL, messages=[]) as events:
        completion = events.get_final_completion()
    return completion.choices[0], completion.usage


def streamed_response(stream, context=None):
    """Return the last event's response as OpenAI's client reads it, and all its events."""
    client = openai_client(render_stream(RESPONSES, stream, context or make_context()))
    with client.responses.stream(model=MODEL, input="") as received:
        events = list(received)
    return events[-1].response, events


def whole_chat(answer, context=None):
    completion = ChatCompletion.model_validate_json(CHAT.render_answer(answer, context or chat_context()))
    return completion.choices[0], completion.usage


def whole_response(answer, context=None):
    return Response.model_validate_json(RESPONSES.render_answer(answer, context or make_context()))


def calls_of(choice):
    return [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()
    ]


def comparable(item):
    fields = item.to_dict()
    if "arguments" in fields:
        fields["arguments"] = json.loads(fields["arguments"])
    # What OpenAI's helper adds for itself.
    fields.pop("parsed_arguments", None)
    for part in fields.get("content") or ():
        part.pop("parsed", None)
    return fields


def test_whole_chat_completion():
    answer = {
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 6,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    }

    assert json.loads(CHAT.render_answer(json.dumps(answer).encode(), chat_context())) == {
        "id": "chatcmpl-r1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "stop_reason": "end_turn",
                "stop_sequence": None,
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 5,
            "total_tokens": 25,
            "prompt_tokens_details": {
                "cached_tokens": 4,
                "cache_creation_tokens": 6,
                "cache_write_tokens": 6,
                "cache_creation_5m_tokens": 2,
                "cache_creation_1h_tokens": 4,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 3,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
            "cost": 0.004,
        },
    }


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason", "status", "reason"),
    [
        ("end_turn", "stop", "completed", None),
        ("stop_sequence", "stop", "completed", None),
        ("pause_turn", "stop", "completed", None),
        ("tool_use", "tool_calls", "completed", None),
        ("max_tokens", "length", "incomplete", "max_output_tokens"),
        ("model_context_window_exceeded", "length", "incomplete", "max_output_tokens"),
        ("refusal", "content_filter", "incomplete", "content_filter"),
        ("a_reason_of_tomorrow", "stop", "completed", None),
    ],
)
def test_stop_reasons(stop_reason, finish_reason, status, reason):
    stream = message_events(TEXT, stop_reason=stop_reason)
    answer = fold(SSEDecoder().events(stream))

    assert whole_chat(answer)[0].finish_reason == finish_reason
    assert chunks_of(render_stream(CHAT, stream, chat_context()))[-2].choices[0].finish_reason == finish_reason
    for response in (whole_response(answer), streamed_response(stream)[0]):
        assert response.status == status
        assert (response.incomplete_details.reason if response.incomplete_details else None) == reason
        assert response.output[-1].status == status


def test_chat_stream_chunk_by_chunk():
    chunks = chunks_of(render_stream(CHAT, message_events(TEXT, CALL, stop_reason="tool_use"), chat_context()))

    deltas = [chunk.choices[0].delta.to_dict() for chunk in chunks[:-1]]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Grüße"},
        {"content": " 🌍"},
        {"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "[1, 2]}"}}]},
        {},
    ]
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * 7
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 20)
    assert {chunk.id for chunk in chunks} == {"chatcmpl-r1"}


@pytest.mark.parametrize("name", ["a%d%b%%", '"delta":{}', '\\"', "ü/🌍"])
def test_odd_names_of_models_come_through_in_every_event(name):
    context = make_context(model=name, request_id="r%d")
    chat = [json.loads(data) for data in SSEDecoder().feed(render_stream(CHAT, message_events(TEXT), context))[:-1]]
    events = [json.loads(data) for data in SSEDecoder().feed(render_stream(RESPONSES, message_events(TEXT), context))]

    assert {chunk["model"] for chunk in chat} == {events[-1]["response"]["model"]} == {name}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chat) == "Grüße 🌍"
    texts = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [(event["delta"], event["item_id"]) for event in texts] == [("Grüße", "msg_r%d_0"), (" 🌍", "msg_r%d_0")]


def test_usage_chunk_comes_only_when_asked_for():
    rendered = render_stream(CHAT, message_events(TEXT), make_context(parse(CHAT, stream_options={})))

    assert b'"usage"' not in rendered


def test_everything_in_one_chat_answer():
    choice, usage = streamed_chat(message_events(*EVERYTHING, stop_reason="tool_use"))

    message = choice.message
    assert message.content == "Grüße 🌍Grüße 🌍"
    assert calls_of(choice) == [("t1", "f", {"a": [1, 2]}), ("t2", "g", {})]
    assert (message.reasoning, message.reasoning_signature, message.redacted_reasoning) == (
        "Let me see.",
        "sig==",
        "enc",
    )
    assert from_chat(usage.to_dict()).output == 7


@pytest.mark.parametrize(
    "blocks",
    [
        (THOUGHT, TEXT),
        (REDACTED, TEXT),
        (THOUGHT, REDACTED, THOUGHT, TEXT),
        (THOUGHT, TEXT, THOUGHT, TEXT),
        (TEXT, THOUGHT, TEXT, REDACTED),
        (TEXT, THOUGHT),
        (THOUGHT, TEXT, THOUGHT, CALL),
    ],
)
def test_chat_reasoning_replays_to_the_same_blocks(blocks):
    stream = message_events(*blocks)
    blocks = fold(SSEDecoder().events(stream))["content"]

    for choice, _ in (streamed_chat(stream), whole_chat(fold(SSEDecoder().events(stream)))):
        history = [{"role": "user", "content": "Hi"}, choice.message.to_dict()]
        assert translate(CHAT, messages=history)["messages"][1]["content"] == blocks


def test_response_items_replay_to_the_same_blocks():
    stream = message_events(THOUGHT, REDACTED, TEXT, CALL, stop_reason="tool_use")
    blocks = fold(SSEDecoder().events(stream))["content"]

    for response in (streamed_response(stream)[0], whole_response(fold(SSEDecoder().events(stream)))):
        history = [{"role": "user", "content": "Hi"}, *(item.to_dict() for item in response.output)]
        assert translate(RESPONSES, input=history)["messages"][1]["content"] == blocks


def test_response_events_come_in_their_order():
    rendered = render_stream(RESPONSES, message_events(THOUGHT, TEXT, CALL, stop_reason="tool_use"), make_context())

    events = [RESPONSE_EVENT.validate_json(data) for data in SSEDecoder().feed(rendered)]

    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [line.split(b": ")[1].decode() for line in rendered.split(b"\n") if line.startswith(b"event: ")]
    assert names == [event.type for event in events]


def test_everything_in_one_response():
    response, _ = streamed_response(message_events(*EVERYTHING, stop_reason="tool_use"))

    assert [item.type for item in response.output] == [
        "reasoning",
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert response.output_text == "Grüße 🌍Grüße 🌍"
    assert [json.loads(item.arguments) for item in response.output[3:]] == [{"a": [1, 2]}, {}]
    assert len({item.id for item in response.output}) == 5


NEVER_NULL = {
    "background",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
    "store",
    "top_logprobs",
    "truncation",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "tool_choice",
    "tools",
    "metadata",
    "text",
}
MAY_BE_NULL = {
    "completed_at",
    "input",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "user",
    "error",
    "incomplete_details",
    "instructions",
    "usage",
}


def test_response_has_every_key_at_each_of_its_stages():
    answer = json.loads(RESPONSES.render_answer(fold(SSEDecoder().events(message_events(TEXT))), make_context()))
    rendered = SSEDecoder().feed(render_stream(RESPONSES, message_events(TEXT), make_context()))
    created, *_, completed = (json.loads(data)["response"] for data in rendered if b'"response":' in data)

    for response in (answer, created, completed):
        assert set(response) >= NEVER_NULL | MAY_BE_NULL
        assert not [name for name in NEVER_NULL if response[name] is None]
    assert (created["status"], created["usage"], created["output"]) == ("in_progress", None, [])
    assert answer == completed


def test_response_says_again_what_was_asked():
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    asked = {
        "input": "Hi",
        "instructions": "Be brief.",
        "tools": [tool],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "temperature": 0.2,
        "max_output_tokens": 99,
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "text": {"format": None, "verbosity": "low"},
        "store": True,
        "user": "u",
    }
    context = make_context(parse(RESPONSES, **asked), now=lambda: 1_700_000_009)

    response = json.loads(RESPONSES.render_answer(fold(SSEDecoder().events(message_events(TEXT))), context))

    for name in ("instructions", "tool_choice", "parallel_tool_calls", "temperature", "max_output_tokens", "user"):
        assert response[name] == asked[name]
    assert response["metadata"] == {"a": "b"}
    assert response["tools"] == [{**tool, "description": None}]
    assert response["reasoning"] == {"effort": "low", "summary": None}
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["store"] is False
    assert response["completed_at"] == 1_700_000_009


def test_openai_client_reads_whole_answers():
    answer = fold(SSEDecoder().events(message_events(TEXT, CALL, stop_reason="tool_use")))

    completion = openai_client(CHAT.render_answer(answer, chat_context())).chat.completions.create(
        model=MODEL, messages=[]
    )
    response = openai_client(RESPONSES.render_answer(answer, make_context())).responses.create(model=MODEL, input="")

    assert completion.choices[0].message.content == response.output_text == "Grüße 🌍"
    assert completion.usage.cost == response.usage.total_cost == 0.004


@TRANSLATED
def test_answer_of_another_shape_is_unreadable(dialect):
    for answer in (b"", b"[]", b'{"content": "x"}', b'{"content": [{"type": "text"}]}', b'{"error": {}}', b"<html>"):
        with pytest.raises(UnreadableAnswer):
            dialect.render_answer(answer, make_context())


def test_openai_client_raises_when_a_chat_stream_fails():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    begun = message_events(TEXT).partition(b"event: message_delta")[0]

    client = openai_client(render_stream(CHAT, begun + encode_events([error]), chat_context()))

    with pytest.raises(openai.APIError, match="Overloaded") as raised:
        list(client.chat.completions.create(model=MODEL, messages=[], stream=True))
    assert raised.value.code == "provider_overloaded"


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (
            encode_events([{"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}]),
            "rate_limit_exceeded",
        ),
        (message_events(TEXT).partition(b"event: message_stop")[0], "provider_error"),
        (b"", "provider_error"),
        (encode_events([{"type": "content_block_delta", "delta": None}, {"type": "message_start"}]), "provider_error"),
    ],
    ids=["error event", "cut off", "nothing", "unreadable"],
)
def test_response_stream_that_fails_says_so_once(stream, code):
    rendered = render_stream(RESPONSES, stream, make_context())

    events = [RESPONSE_EVENT.validate_json(data) for data in SSEDecoder().feed(rendered)]
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-2].code == code
    assert events[-1].response.status == "failed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


@TRANSLATED
def test_nothing_follows_the_end_of_a_stream(dialect):
    renderer = dialect.stream_renderer(make_context())
    for event in SSEDecoder().events(message_events(TEXT)):
        renderer.feed(event)

    late = (renderer.feed({"type": "ping"}), renderer.finish(), renderer.fail("provider_error", "m"))

    assert late == (b"", b"", b"")


@TRANSLATED
def test_a_failure_from_outside_ends_the_stream(dialect):
    renderer = dialect.stream_renderer(make_context())

    assert b"provider_timeout" in renderer.fail("provider_timeout", "Too slow.")
    assert renderer.fail("provider_timeout", "Too slow.") + renderer.finish() == b""


@TRANSLATED
def test_ping_keeps_the_connection_alive_as_a_comment(dialect):
    assert dialect.stream_renderer(make_context()).feed({"type": "ping"}) == b": ping\n\n"


@TRANSLATED
def test_error_envelope(dialect):
    body = dialect.render_error(
        429, "requests_per_minute_exceeded", "Slow down.", param=None, extra={"scope_kind": "gateway_key"}
    )

    assert json.loads(body) == {
        "error": {
            "message": "Slow down.",
            "type": "rate_limit_error",
            "param": None,
            "code": "requests_per_minute_exceeded",
            "scope_kind": "gateway_key",
        }
    }


@TRANSLATED
def test_openai_client_reads_the_error(dialect):
    client = openai_client(dialect.render_error(400, "invalid_request_body", "Bad.", param="messages"), status=400)

    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=[])
    assert (raised.value.code, raised.value.param, raised.value.type) == (
        "invalid_request_body",
        "messages",
        "invalid_request_error",
    )


@pytest.mark.parametrize("body", recorded_answers(streamed=False))
def test_recorded_answer_keeps_its_text_calls_and_counts(body):
    answer = json.loads(body)

    choice, usage = whole_chat(body)
    response = whole_response(body)

    assert_holds(answer, choice, usage, response)


@pytest.mark.parametrize("body", recorded_answers(streamed=True))
def test_recorded_stream_renders_as_its_whole_answer_does(body):
    events = SSEDecoder().events(body)
    if events[-1]["type"] == "error":
        pytest.skip("the recorded stream broke off")
    answer = fold(events)

    choice, usage = streamed_chat_leniently(body)
    response, _ = streamed_response(body)

    assert_holds(answer, choice, usage, response)
    whole = whole_response(answer)
    assert [comparable(item) for item in response.output] == [comparable(item) for item in whole.output]
    assert response.usage == whole.usage
    assert response.status == whole.status
    assert choice.message.to_dict().get("reasoning_parts") == whole_chat(answer)[0].message.to_dict().get(
        "reasoning_parts"
    )


def streamed_chat_leniently(body):
    """As streamed_chat, also for an answer cut short, which OpenAI's helper raises for at the end."""
    client = openai_client(render_stream(CHAT, body, chat_context()))
    with client.chat.completions.stream(model=MODEL, messages=[]) as events:
        try:
            events.until_done()
        except openai.LengthFinishReasonError as cut_short:
            return cut_short.completion.choices[0], cut_short.completion.usage
        completion = events.current_completion_snapshot
    return completion.choices[0], completion.usage


def assert_holds(answer, choice, usage, response):
    text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    calls = [(block["id"], block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]
    counts = parse_usage(answer["usage"])

    assert (choice.message.content or "") == response.output_text == text
    assert calls_of(choice) == calls
    assert [
        (item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    ] == calls
    for read in (from_chat(usage.to_dict()), from_responses(response.usage.to_dict())):
        assert (read.uncached_input, read.cache_read_input, read.output) == (
            counts.uncached_input,
            counts.cache_read_input,
            counts.output,
        )
        assert (read.cache_write_5m_input, read.cache_write_1h_input) == (
            counts.cache_write_5m_input,
            counts.cache_write_1h_input,
        )
