"""Whatever stands in a field, translation refuses or answers; it never fails in another way."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import UnreadableAnswer
from providers.sse import SSEDecoder
from router.dialects import CHAT, RESPONSES
from router.dialects.base import RequestRefused
from tests.dialects.samples import ADAPTIVE, BUDGET_ONLY, MODEL, PLAIN, fold, make_context, render_stream
from tests.dialects.test_replies import EVERYTHING, message_events

CACHED = {"type": "ephemeral", "ttl": "1h"}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
SHARED = {
    "model": MODEL,
    "stream": True,
    "temperature": 0.5,
    "top_k": 3,
    "stop": ["x"],
    "parallel_tool_calls": False,
    "metadata": {"a": "b"},
    "user": "u",
    "identity": {"id": "u"},
    "retry": {"count": 1, "on_codes": [429]},
    "timeout": {"call_timeout": 5},
    "load_balancer": {"type": "weight_based", "models": [{"model": "m", "weight": 1}]},
    "fallbacks": [{"model": "m"}],
    "fallback_on_codes": [500],
    "cache_control": CACHED,
}
CHAT_BODY = {
    **SHARED,
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": CACHED}]},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "document", "document": {"type": "pdf", "url": "https://e.com"}},
                {
                    "type": "file",
                    "file": {"file_data": "data:text/plain,x", "filename": "a"},
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "reasoning", "reasoning": "r", "signature": "s"}, {"type": "text", "text": "x"}],
            "reasoning_parts": [{"type": "redacted_reasoning", "data": "d"}],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "r", "is_error": True},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "stream_options": {"include_usage": True},
    "max_tokens": 4000,
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "reasoning_effort": "low",
}
RESPONSES_BODY = {
    **SHARED,
    "instructions": "i",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "x", "cache_control": CACHED},
                {"type": "input_image", "image_url": "https://e.com"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a"},
            ],
        },
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "r"}],
            "encrypted_content": "signature:s",
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "r"}],
            "is_error": True,
        },
    ],
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
    "max_output_tokens": 4000,
    "reasoning": {"effort": "low", "summary": "auto", "mode": "standard"},
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_options": {"prewarm": False},
}
odd_values = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**62,
        1.5,
        "",
        "x",
        "json_object",
        "none",
        "data:,",
        "data:;base64,é",
        [],
        [None],
        {},
        {"a": 1},
    ]
) | st.recursive(st.text(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2))


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from places(child, (*path, name))


def with_value(whole, path, value):
    changed = copy.deepcopy(whole)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return changed


def changed_bodies(body):
    return st.builds(
        lambda path, value: with_value(body, path, value), st.sampled_from(list(places(body))[1:]), odd_values
    )


def answer_or_refuse(dialect, body, facts):
    stream = message_events(*EVERYTHING)
    try:
        parsed = dialect.parse(json.dumps(body).encode())
        inner = dialect.to_messages(parsed, facts)
    except RequestRefused:
        return
    json.dumps(inner)
    assert len(inner["messages"]) > 0
    dialect.render_answer(fold(SSEDecoder().events(stream)), make_context(parsed))
    render_stream(dialect, stream, make_context(parsed))


@pytest.mark.parametrize(
    ("dialect", "body"), [(CHAT, CHAT_BODY), (RESPONSES, RESPONSES_BODY)], ids=["chat", "responses"]
)
def test_the_full_bodies_are_fine_as_they_are(dialect, body):
    parsed = dialect.parse(json.dumps(body).encode())

    assert dialect.to_messages(parsed, ADAPTIVE)["tools"]


@given(body=changed_bodies(CHAT_BODY), facts=st.sampled_from([ADAPTIVE, BUDGET_ONLY, PLAIN]))
def test_any_value_in_any_field_of_a_chat_request(body, facts):
    answer_or_refuse(CHAT, body, facts)


@given(body=changed_bodies(RESPONSES_BODY), facts=st.sampled_from([ADAPTIVE, BUDGET_ONLY, PLAIN]))
def test_any_value_in_any_field_of_a_responses_request(body, facts):
    answer_or_refuse(RESPONSES, body, facts)


CITED = (
    {"type": "text", "text": "", "citations": []},
    [
        {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "c", "document_index": 0}},
        {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "https://e.com"}},
        {"type": "text_delta", "text": "x"},
    ],
)
EVENTS = SSEDecoder().events(message_events(*EVERYTHING, CITED))


@given(
    events=st.builds(
        lambda path, value: with_value(EVENTS, path, value), st.sampled_from(list(places(EVENTS))[1:]), odd_values
    )
)
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_any_value_in_any_event_of_a_stream(dialect, events):
    renderer = dialect.stream_renderer(make_context())

    rendered = b"".join(renderer.feed(event) for event in events if isinstance(event, dict)) + renderer.finish()

    assert SSEDecoder().feed(rendered)


ANSWER = fold(EVENTS)


@given(
    answer=st.builds(
        lambda path, value: with_value(ANSWER, path, value), st.sampled_from(list(places(ANSWER))[1:]), odd_values
    )
)
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_any_value_in_any_field_of_an_answer(dialect, answer):
    try:
        json.loads(dialect.render_answer(json.dumps(answer).encode(), make_context()))
    except UnreadableAnswer:
        return
