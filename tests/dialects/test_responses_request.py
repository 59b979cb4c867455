"""Responses requests become Messages bodies."""

import pytest

from router.dialects import RESPONSES
from router.dialects.base import RequestRefused
from tests.dialects.samples import ADAPTIVE, BUDGET_ONLY, PLAIN, parse, translate

CACHED = {"type": "ephemeral", "ttl": "1h"}
TOOL = {
    "type": "function",
    "name": "f",
    "description": "Does.",
    "parameters": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
    "strict": True,
}
OTHER_TOOL = {"type": "function", "name": "g", "cache_control": CACHED}


def text(words, **fields):
    return {"type": "text", "text": words, **fields}


def messages(*items, **fields):
    return translate(RESPONSES, input=list(items), **fields)["messages"]


def user(*parts):
    return {"type": "message", "role": "user", "content": list(parts)}


def refusal(facts=ADAPTIVE, **fields):
    with pytest.raises(RequestRefused) as refused:
        translate(RESPONSES, facts, **{"input": "Hi", **fields})
    assert (refused.value.status, refused.value.code) == (400, "invalid_request_body")
    return refused.value


def test_smallest_request():
    assert translate(RESPONSES, PLAIN, input="Hi") == {
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [text("Hi")]}],
    }


def test_instructions_come_before_system_items():
    body = translate(
        RESPONSES,
        instructions="One",
        input=[
            {"role": "system", "content": "Two"},
            {"role": "developer", "content": [{"type": "input_text", "text": "Three", "cache_control": CACHED}]},
            {"role": "user", "content": "Hi"},
        ],
    )

    assert body["system"] == [text("One"), text("Two"), text("Three", cache_control=CACHED)]


def test_a_whole_conversation():
    turns = messages(
        user({"type": "input_text", "text": "Weather?"}),
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "redacted:enc"},
        {
            "type": "reasoning",
            "id": "rs_2",
            "summary": [{"type": "summary_text", "text": "So"}],
            "encrypted_content": "signature:s==",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
    )

    assert turns == [
        {"role": "user", "content": [text("Weather?")]},
        {
            "role": "assistant",
            "content": [
                {"type": "redacted_thinking", "data": "enc"},
                {"type": "thinking", "thinking": "So", "signature": "s=="},
                text("Let me see."),
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [text("sunny")]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [text("rain")]},
            ],
        },
    ]


def test_assistant_text_may_be_a_string_or_a_refusal():
    turns = messages(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    )

    assert turns[1]["content"] == [text("b"), text("no")]


def test_tools():
    body = translate(RESPONSES, input="Hi", tools=[TOOL, OTHER_TOOL])

    assert body["tools"] == [
        {"name": "f", "description": "Does.", "input_schema": TOOL["parameters"], "strict": True},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}, "cache_control": CACHED},
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "name": "g"}, {"type": "tool", "name": "g"}),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}, {"type": "any"}),
    ],
)
def test_tool_choice(choice, expected):
    assert translate(RESPONSES, input="Hi", tools=[TOOL, OTHER_TOOL], tool_choice=choice)["tool_choice"] == expected


def test_one_tool_at_a_time():
    body = translate(RESPONSES, input="Hi", tools=[TOOL], parallel_tool_calls=False)

    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "input_image", "image_url": "https://e.com/a.png", "detail": "auto"},
            {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}},
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "cache_control": CACHED},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                "cache_control": CACHED,
            },
        ),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "input_file", "file_url": "https://e.com/a.pdf"},
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
        ),
    ],
)
def test_images_and_files(part, block):
    assert messages(user({"type": "input_text", "text": "See"}, part))[0]["content"] == [text("See"), block]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "user", "content": "x", "cache_control": CACHED},
        user({"type": "input_text", "text": "x", "cache_control": CACHED}),
        {"type": "function_call_output", "call_id": "c", "output": "x", "cache_control": CACHED},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "x", "cache_control": CACHED}],
        },
    ],
)
def test_cache_control_in_the_input(item):
    assert messages(item)[0]["content"][-1]["cache_control"] == CACHED


def test_top_level_cache_control_marks_the_last_block():
    turns = messages(
        user({"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}), cache_control=CACHED
    )

    assert turns[0]["content"] == [text("a"), text("b", cache_control=CACHED)]


def test_five_breakpoints_are_refused():
    parts = [{"type": "input_text", "text": "x", "cache_control": CACHED} for _ in range(4)]

    assert refusal(input=[user(*parts)], tools=[OTHER_TOOL]).param == "cache_control"


def test_effort_and_format():
    schema = {"type": "object", "properties": {}, "additionalProperties": False}

    body = translate(
        RESPONSES,
        input="Hi",
        reasoning={"effort": "medium", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "strict": True, "schema": schema}, "verbosity": "low"},
    )

    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "medium", "format": {"type": "json_schema", "schema": schema}}


def test_effort_on_a_budget_model():
    body = translate(RESPONSES, BUDGET_ONLY, input="Hi", reasoning={"effort": "high"}, max_output_tokens=8000)

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 4000}


def test_limits_and_sampling():
    body = translate(RESPONSES, PLAIN, input="Hi", max_output_tokens=9, temperature=0.5, top_p=0.9, stream=True)

    del body["messages"]
    assert body == {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stream": True}


def test_what_claude_has_not_is_left_out():
    dropped = {
        "store": True,
        "background": False,
        "truncation": "auto",
        "include": ["reasoning.encrypted_content"],
        "max_tool_calls": 3,
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "stream_options": {"include_obfuscation": False},
        "previous_response_id": None,
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": None},
    }

    assert translate(RESPONSES, input="Hi", **dropped) == translate(RESPONSES, input="Hi")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["Hi"]}, "input.0"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
        ({"input": [{"type": "web_search_call"}]}, "input.0.type"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        ({"input": [user({"type": "input_audio"})]}, "input.0.content.0.type"),
        ({"input": [user({"type": "input_image", "file_id": "f"})]}, "input.0.content.0.file_id"),
        ({"input": [user({"type": "input_file", "file_id": "f"})]}, "input.0.content.0.file_id"),
        ({"input": [user({"type": "input_image"})]}, "input.0.content.0.image_url"),
        ({"input": [user({"type": "input_image", "image_url": {"url": "x"}})]}, "input.0.content.0.image_url"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input.0.name"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "x"}]}, "input.0.arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input.0.encrypted_content"),
        (
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}]},
            "input.0.encrypted_content",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"instructions": ["a"]}, "instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 2}, "temperature"),
        ({"temperature": 1, "top_p": 0.5}, "temperature"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"reasoning": "high"}, "reasoning"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "z"}]}},
            "tool_choice",
        ),
        ({"cache_control": {"type": "ephemeral", "ttl": 5}}, "cache_control.ttl"),
    ],
)
def test_wrong_field_is_refused_by_name(fields, param):
    assert refusal(**fields).param == param


def test_stored_responses_are_refused_with_the_way_out():
    assert "Send the conversation as input" in refusal(previous_response_id="resp_1").message


def test_options_are_read():
    options = parse(RESPONSES, input="Hi", identity={"id": "u"}, metadata={"a": "b"}, tags=["t"]).options

    assert (options.identity_id, options.metadata, options.tags) == ("u", {"a": "b"}, ("t",))
