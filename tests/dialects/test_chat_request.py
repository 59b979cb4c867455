"""Chat completion requests become Messages bodies."""

import base64

import pytest

from router.dialects import CHAT
from router.dialects.base import ModelFacts, RequestRefused, Retry, WeightedModel
from tests.dialects.samples import (
    ADAPTIVE,
    ADAPTIVE_ONLY,
    ALWAYS_THINKS,
    BUDGET_ONLY,
    MINUTES_ONLY,
    NO_SAMPLING,
    PLAIN,
    THINKS_BETWEEN_TOOLS,
    parse,
    translate,
)

HI = [{"role": "user", "content": "Hi"}]
CACHED = {"type": "ephemeral"}
CACHED_1H = {"type": "ephemeral", "ttl": "1h"}
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "Does.", "parameters": {"type": "object", "properties": {"a": {}}}},
}
OTHER_TOOL = {"type": "function", "function": {"name": "g"}}
PNG = "data:image/png;base64,iVBORw0KGgo="


def messages(*turns, **fields):
    return translate(CHAT, messages=list(turns), **fields)["messages"]


def user(*parts, **fields):
    return {"role": "user", "content": list(parts), **fields}


def text(words, **fields):
    return {"type": "text", "text": words, **fields}


def refusal(facts=ADAPTIVE, **fields):
    with pytest.raises(RequestRefused) as refused:
        translate(CHAT, facts, **{"messages": HI, **fields})
    assert (refused.value.status, refused.value.code) == (400, "invalid_request_body")
    return refused.value


def test_smallest_request():
    assert translate(CHAT, messages=HI) == {
        "max_tokens": 128_000,
        "messages": [{"role": "user", "content": [text("Hi")]}],
    }


def test_system_and_developer_messages_become_the_system_prompt_in_order():
    body = translate(
        CHAT,
        messages=[
            {"role": "system", "content": "One"},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [text("Two", cache_control=CACHED), text("Three")]},
        ],
    )

    assert body["system"] == [text("One"), text("Two", cache_control=CACHED), text("Three")]
    assert body["messages"] == [{"role": "user", "content": [text("Hi")]}]


def test_turns_alternate_and_neighbours_of_one_role_are_joined():
    turns = messages(
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    )

    assert turns == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c")]},
        {"role": "user", "content": [text("d")]},
    ]


def test_parallel_tool_calls_and_their_results():
    def call(call_id, arguments):
        return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}

    turns = messages(
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call("c1", '{"a": 1}'), call("c.2:x", "")]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c.2:x", "content": [text("two", cache_control=CACHED), text("")]},
        {"role": "user", "content": "and?"},
    )

    assert turns[1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c_2_x", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "c_2_x", "content": [text("two")], "cache_control": CACHED},
                text("and?"),
            ],
        },
    ]


def test_tool_result_may_be_empty_or_hold_an_image():
    turns = messages(
        *HI,
        {"role": "tool", "tool_call_id": "c1", "content": ""},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
    )

    empty, image = turns[0]["content"][1:]
    assert "content" not in empty
    assert image["content"][0]["type"] == "image"


def test_tools_are_defined_with_schema_and_breakpoint():
    body = translate(CHAT, messages=HI, tools=[TOOL, {**OTHER_TOOL, "cache_control": CACHED_1H}])

    assert body["tools"] == [
        {"name": "f", "description": "Does.", "input_schema": {"type": "object", "properties": {"a": {}}}},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}, "cache_control": CACHED_1H},
    ]
    assert "tool_choice" not in body


def test_tool_breakpoint_may_stand_inside_the_function():
    body = translate(
        CHAT, messages=HI, tools=[{"type": "function", "function": {"name": "g", "cache_control": CACHED}}]
    )

    assert body["tools"][0]["cache_control"] == CACHED


@pytest.mark.parametrize(("facts", "is_strict"), [(ADAPTIVE, True), (PLAIN, None)])
def test_strict_tools_are_strict_where_the_model_can(facts, is_strict):
    strict = {"type": "function", "function": {"name": "g", "strict": True}}

    assert translate(CHAT, facts, messages=HI, tools=[strict])["tools"][0].get("strict") is is_strict


ALLOWED = {"type": "function", "function": {"name": "g"}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "g"}}, {"type": "tool", "name": "g"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ALLOWED]}}, {"type": "any"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ALLOWED]}}, {"type": "auto"}),
    ],
)
def test_tool_choice(choice, expected):
    body = translate(CHAT, messages=HI, tools=[TOOL, OTHER_TOOL], tool_choice=choice)

    assert body["tool_choice"] == expected


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "function": {"name": "g"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ALLOWED]}},
    ],
)
def test_a_tool_is_not_forced_on_a_model_that_refuses_it(choice):
    refused = refusal(ALWAYS_THINKS, tools=[TOOL, OTHER_TOOL], tool_choice=choice)

    assert refused.param == "tool_choice"
    assert "auto or none" in refused.message


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_tool_may_be_offered_to_a_model_that_cannot_be_forced(choice):
    body = translate(CHAT, ALWAYS_THINKS, messages=HI, tools=[TOOL], tool_choice=choice)

    assert body["tool_choice"] == {"type": choice}


def test_allowed_tools_are_the_only_ones_sent():
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [ALLOWED]}}

    body = translate(CHAT, messages=HI, tools=[TOOL, OTHER_TOOL], tool_choice=choice)

    assert [tool["name"] for tool in body["tools"]] == ["g"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
def test_one_tool_at_a_time(choice, expected):
    body = translate(CHAT, messages=HI, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)

    assert body["tool_choice"] == expected


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_choice_without_tools_is_left_out(choice):
    assert "tool_choice" not in translate(CHAT, messages=HI, tool_choice=choice, parallel_tool_calls=False)


def test_cache_control_stands_wherever_it_may():
    body = translate(
        CHAT,
        messages=[
            {"role": "system", "content": [text("s", cache_control=CACHED_1H)]},
            user({"type": "image_url", "image_url": {"url": PNG}, "cache_control": CACHED}, text("a")),
            {"role": "assistant", "content": [text("b", cache_control=CACHED)]},
            user({"type": "document", "document": {"type": "pdf", "url": "https://e.com/a"}, "cache_control": CACHED}),
        ],
    )

    assert body["system"][0]["cache_control"] == CACHED_1H
    assert [block.get("cache_control") for turn in body["messages"] for block in turn["content"]] == [
        CACHED,
        None,
        CACHED,
        CACHED,
    ]


def test_cache_control_beside_a_string_marks_it():
    body = translate(CHAT, messages=[{"role": "system", "content": "s", "cache_control": CACHED}, *HI])

    assert body["system"] == [text("s", cache_control=CACHED)]


def test_cache_control_on_a_tool_result_message():
    turns = messages(*HI, {"role": "tool", "tool_call_id": "c", "content": "r", "cache_control": CACHED})

    assert turns[0]["content"][-1]["cache_control"] == CACHED


def test_top_level_cache_control_marks_the_last_block():
    turns = messages(*HI, user(text("a"), text("b")), cache_control=CACHED_1H)

    assert [block.get("cache_control") for block in turns[0]["content"]] == [None, None, CACHED_1H]


def test_top_level_cache_control_passes_reasoning_by():
    thought = {"type": "reasoning", "reasoning": "x", "signature": "s"}

    turns = messages(*HI, {"role": "assistant", "content": [thought]}, cache_control=CACHED)

    assert turns[0]["content"][0]["cache_control"] == CACHED
    assert "cache_control" not in turns[1]["content"][0]


def test_top_level_cache_control_agrees_with_the_last_blocks_own():
    assert messages(user(text("a", cache_control={**CACHED, "ttl": "5m"})), cache_control=CACHED)
    refused = refusal(messages=[user(text("a", cache_control=CACHED_1H))], cache_control=CACHED)

    assert refused.param == "cache_control.ttl"


def test_four_breakpoints_are_allowed_and_five_are_not():
    marked = [text(str(number), cache_control=CACHED) for number in range(4)]
    tool = {**TOOL, "cache_control": CACHED}

    assert messages(user(*marked))
    assert refusal(messages=[user(*marked)], tools=[tool]).param == "cache_control"
    assert refusal(messages=[user(*marked, text("x"))], cache_control=CACHED).param == "cache_control"


def test_a_cache_of_an_hour_is_refused_where_there_is_none():
    hourly = {"type": "ephemeral", "ttl": "1h"}
    system = {"role": "system", "content": [text("x", cache_control=hourly)]}
    result = {"role": "tool", "tool_call_id": "c", "content": "r", "cache_control": hourly}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    places = {
        "cache_control.ttl": {"messages": HI, "cache_control": hourly},
        "messages.0.content.0.cache_control.ttl": {"messages": [system, *HI]},
        "messages.2.cache_control.ttl": {"messages": [*HI, {"role": "assistant", "tool_calls": [call]}, result]},
        "tools.0.cache_control.ttl": {"messages": HI, "tools": [{**TOOL, "cache_control": hourly}]},
    }

    assert [refusal(MINUTES_ONLY, **fields).param for fields in places.values()] == list(places)


def test_five_minutes_go_without_saying_where_there_is_no_other_cache():
    marked = {"messages": HI, "cache_control": {"type": "ephemeral", "ttl": "5m"}}

    body = translate(CHAT, MINUTES_ONLY, **marked)

    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert marked["cache_control"]["ttl"] == "5m"


def test_thinking_passes_as_sent():
    enabled = {"type": "enabled", "budget_tokens": 8000, "display": "omitted"}

    assert translate(CHAT, BUDGET_ONLY, messages=HI, thinking=enabled, max_tokens=16000)["thinking"] == enabled
    assert translate(CHAT, messages=HI, thinking={"type": "adaptive"})["thinking"] == {"type": "adaptive"}
    assert translate(CHAT, messages=HI, thinking={"type": "disabled"})["thinking"] == {"type": "disabled"}
    assert "thinking" not in translate(CHAT, PLAIN, messages=HI, thinking={"type": "disabled"})
    between = {"type": "between_tools"}
    assert translate(CHAT, THINKS_BETWEEN_TOOLS, messages=HI, thinking=between)["thinking"] == between


@pytest.mark.parametrize(
    ("facts", "thinking", "param", "words"),
    [
        (ADAPTIVE, {"type": "enabled"}, "thinking.budget_tokens", "required"),
        (ADAPTIVE, {"type": "enabled", "budget_tokens": 1023}, "thinking.budget_tokens", "1024"),
        (ADAPTIVE, {"type": "enabled", "budget_tokens": 2000}, "thinking.budget_tokens", "less than max_tokens"),
        (ADAPTIVE, {"type": "enabled", "budget_tokens": "9"}, "thinking.budget_tokens", "integer"),
        (BUDGET_ONLY, {"type": "adaptive"}, "thinking.type", "budget_tokens"),
        (ADAPTIVE_ONLY, {"type": "enabled", "budget_tokens": 1024}, "thinking.type", "adaptive"),
        (PLAIN, {"type": "adaptive"}, "thinking.type", "no thinking"),
        (PLAIN, {"type": "between_tools"}, "thinking.type", "no thinking"),
        (ADAPTIVE, {"type": "between_tools"}, "thinking.type", '{"type": "disabled"}'),
        (ALWAYS_THINKS, {"type": "disabled"}, "thinking.type", 'it has {"type": "adaptive"}.'),
        (ALWAYS_THINKS, {"type": "between_tools"}, "thinking.type", 'it has {"type": "adaptive"}.'),
        (THINKS_BETWEEN_TOOLS, {"type": "disabled"}, "thinking.type", '{"type": "between_tools"}'),
        (ADAPTIVE, {"type": "sometimes"}, "thinking.type", "enabled, adaptive, disabled"),
        (ADAPTIVE, {}, "thinking.type", "enabled"),
        (ADAPTIVE, "on", "thinking", "object"),
    ],
)
def test_thinking_the_model_cannot_do_is_refused(facts, thinking, param, words):
    refused = refusal(facts, thinking=thinking, max_tokens=2000)

    assert refused.param == param
    assert words in refused.message


@pytest.mark.parametrize(
    ("facts", "effort", "thinking", "level"),
    [
        (ADAPTIVE, "none", {"type": "disabled"}, None),
        (ADAPTIVE, "minimal", {"type": "adaptive"}, "low"),
        (ADAPTIVE, "low", {"type": "adaptive"}, "low"),
        (ADAPTIVE, "medium", {"type": "adaptive"}, "medium"),
        (ADAPTIVE, "high", {"type": "adaptive"}, "high"),
        (ADAPTIVE, "xhigh", {"type": "adaptive"}, "high"),
        (ADAPTIVE, "max", {"type": "adaptive"}, "max"),
        (ADAPTIVE_ONLY, "low", {"type": "adaptive"}, "high"),
        (ALWAYS_THINKS, "none", None, "low"),
        (ALWAYS_THINKS, "low", {"type": "adaptive"}, "low"),
        (THINKS_BETWEEN_TOOLS, "none", {"type": "between_tools"}, None),
        (THINKS_BETWEEN_TOOLS, "max", {"type": "adaptive"}, "max"),
        (BUDGET_ONLY, "none", {"type": "disabled"}, None),
        (BUDGET_ONLY, "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
        (BUDGET_ONLY, "low", {"type": "enabled", "budget_tokens": 2048}, None),
        (BUDGET_ONLY, "medium", {"type": "enabled", "budget_tokens": 8192}, None),
        (BUDGET_ONLY, "high", {"type": "enabled", "budget_tokens": 16384}, None),
        (BUDGET_ONLY, "xhigh", {"type": "enabled", "budget_tokens": 32000}, None),
        (PLAIN, "none", None, None),
    ],
)
def test_reasoning_effort_maps_to_the_models_kind_of_thinking(facts, effort, thinking, level):
    body = translate(CHAT, facts, messages=HI, reasoning_effort=effort)

    assert body.get("thinking") == thinking
    assert body.get("output_config") == ({"effort": level} if level else None)


def test_effort_beside_thinking_only_sets_the_level():
    body = translate(CHAT, messages=HI, thinking={"type": "disabled"}, reasoning_effort="low")

    assert (body["thinking"], body["output_config"]) == ({"type": "disabled"}, {"effort": "low"})


@pytest.mark.parametrize(("effort", "level"), [("low", "low"), ("high", "high"), ("xhigh", "high"), ("max", "high")])
def test_effort_is_no_higher_than_goes_with_thinking_off(effort, level):
    off = {"type": "between_tools"}

    body = translate(CHAT, THINKS_BETWEEN_TOOLS, messages=HI, thinking=off, reasoning_effort=effort)

    assert (body["thinking"], body["output_config"]) == (off, {"effort": level})


def test_effort_is_refused_where_it_cannot_be_had():
    assert refusal(PLAIN, reasoning_effort="low").param == "reasoning_effort"
    assert refusal(BUDGET_ONLY, reasoning_effort="low", max_tokens=1024).param == "reasoning_effort"
    assert refusal(reasoning_effort="extreme").param == "reasoning_effort"


@pytest.mark.parametrize(("facts", "has_thinking"), [(BUDGET_ONLY, False), (ADAPTIVE, True)])
def test_effort_pauses_in_a_tool_loop_whose_reasoning_did_not_come_back(facts, has_thinking):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    loop = [*HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "r"}]

    body = translate(CHAT, facts, messages=loop, tools=[TOOL], reasoning_effort="low")

    assert ("thinking" in body) is has_thinking


def test_replayed_reasoning_parts_keep_their_signatures_and_come_before_calls():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = messages(
        *HI,
        {
            "role": "assistant",
            "content": [
                {"type": "reasoning", "reasoning": "So…", "signature": "sig=="},
                {"type": "redacted_reasoning", "data": "enc"},
                text("Well"),
            ],
            "tool_calls": [call],
        },
    )

    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "So…", "signature": "sig=="},
        {"type": "redacted_thinking", "data": "enc"},
        text("Well"),
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    ]


@pytest.mark.parametrize(
    ("fields", "blocks"),
    [
        (
            {"reasoning": "a", "reasoning_signature": "s"},
            [{"type": "thinking", "thinking": "a", "signature": "s"}],
        ),
        ({"reasoning": None, "redacted_reasoning": "d"}, [{"type": "redacted_thinking", "data": "d"}]),
        (
            {
                "reasoning": "ab",
                "reasoning_signature": "st",
                "reasoning_parts": [
                    {"type": "reasoning", "reasoning": "a", "signature": "s"},
                    {"type": "reasoning", "reasoning": "b", "signature": "t"},
                ],
            },
            [
                {"type": "thinking", "thinking": "a", "signature": "s"},
                {"type": "thinking", "thinking": "b", "signature": "t"},
            ],
        ),
    ],
)
def test_message_sent_back_as_received_replays_its_reasoning(fields, blocks):
    turns = messages(*HI, {"role": "assistant", "content": "x", **fields})

    assert turns[1]["content"] == [*blocks, text("x")]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "a"}]},
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "a", "signature": ""}]},
        {"role": "assistant", "content": "x", "reasoning": "a"},
    ],
)
def test_reasoning_without_its_signature_is_refused(message):
    assert "signature" in refusal(messages=[*HI, message]).message


@pytest.mark.parametrize("facts", [ADAPTIVE, BUDGET_ONLY])
def test_json_schema_becomes_the_output_format(facts):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}

    body = translate(CHAT, facts, messages=HI, response_format=wanted)

    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


def test_schema_and_effort_share_the_output_config():
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}

    body = translate(CHAT, messages=HI, response_format=wanted, reasoning_effort="high")

    assert set(body["output_config"]) == {"effort", "format"}


def test_json_object_needs_the_word_in_the_prompt():
    ask = [{"role": "user", "content": "Answer in JSON."}]

    assert "output_config" not in translate(CHAT, messages=ask, response_format={"type": "json_object"})
    assert refusal(response_format={"type": "json_object"}).param == "response_format.type"


def test_format_refusals_name_their_field():
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}

    assert refusal(PLAIN, response_format=schema).param == "response_format.json_schema.type"
    assert refusal(response_format={"type": "json_schema"}).param == "response_format.json_schema"
    assert refusal(response_format={"type": "xml"}).param == "response_format.type"


def image(url):
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def file(**fields):
    return {"type": "file", "file": fields}


TEXT64 = base64.b64encode("Grüße".encode()).decode()


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (image("https://e.com/a.png"), {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}}),
        (
            image(PNG),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ),
        (
            image("data:image/jpg;base64,/9j/"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}},
        ),
        (
            {"type": "document", "document": {"type": "pdf", "url": "https://e.com/a.pdf"}},
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
        ),
        (
            file(file_data="data:application/pdf;base64,JVBE", filename="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "title": "a.pdf",
            },
        ),
        (
            file(file_data="JVBE", mimeType="application/pdf"),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
        ),
        (
            file(uri="https://e.com/a.pdf", mimeType="application/pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
        ),
        (
            file(file_data=f"data:text/plain;base64,{TEXT64}"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
        ),
        (
            file(file_data="data:text/plain,a%20b"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a b"}},
        ),
        (
            file(file_data=PNG),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ),
    ],
)
def test_images_and_documents(part, block):
    assert messages(user(text("See"), part))[0]["content"][1] == block


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (image("ftp://e.com/a.png"), "image_url.url"),
        (image("data:image/png;base64,"), "image_url.url"),
        (image("data:application/pdf;base64,JVBE"), "image_url.url"),
        ({"type": "image_url", "image_url": "https://e.com/a.png"}, "image_url"),
        ({"type": "document", "document": {"type": "word", "url": "https://e.com"}}, "document.type"),
        (file(file_id="file-1"), "file.file_id"),
        (file(filename="a.pdf"), "file.file_data"),
        (file(file_data="data:application/zip;base64,AAAA"), "file.file_data"),
        (file(file_data="data:text/plain;base64,*"), "file.file_data"),
        ({"type": "input_audio", "input_audio": {}}, "type"),
        ({"type": "reasoning", "reasoning": "x", "signature": "s"}, "type"),
        ({}, "type"),
    ],
)
def test_part_that_cannot_be_sent_is_refused_by_its_place(part, param):
    assert refusal(messages=[user(text("a"), part)]).param == f"messages.0.content.1.{param}"


def test_sampling_and_limits():
    body = translate(CHAT, PLAIN, messages=HI, temperature=0, top_p=0.5, top_k=5, max_tokens=9, stop="x", stream=True)

    del body["messages"]
    assert body == {
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 5,
        "stop_sequences": ["x"],
        "stream": True,
    }


def test_sampling_is_left_out_where_the_model_takes_none():
    body = translate(CHAT, NO_SAMPLING, messages=HI, temperature=0.2, top_p=0.5, top_k=5, stop="x")

    assert body == {**translate(CHAT, NO_SAMPLING, messages=HI), "stop_sequences": ["x"]}
    assert refusal(NO_SAMPLING, temperature=1.2).param == "temperature"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 4096),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": None}, 4096),
    ],
)
def test_max_tokens(fields, expected):
    assert translate(CHAT, PLAIN, messages=HI, **fields)["max_tokens"] == expected


def test_no_limit_is_made_up_where_none_is_needed():
    facts = ModelFacts(max_output_tokens=4096, needs_max_tokens=False)

    assert "max_tokens" not in translate(CHAT, facts, messages=HI)
    assert translate(CHAT, facts, messages=HI, max_tokens=5)["max_tokens"] == 5


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (None, 8192),
        ({"type": "enabled", "budget_tokens": 10_000}, 18_192),
        ({"type": "enabled", "budget_tokens": 31_000}, 32_000),
    ],
)
def test_default_max_tokens_leaves_room_beside_a_budget(thinking, expected):
    facts = ModelFacts(max_output_tokens=32_000, default_max_tokens=8192, thinking=frozenset({"enabled"}))

    assert translate(CHAT, facts, messages=HI, thinking=thinking)["max_tokens"] == expected


def test_budget_beyond_the_model_is_refused_without_max_tokens_too():
    assert "64000" in refusal(BUDGET_ONLY, thinking={"type": "enabled", "budget_tokens": 64_000}).message


def test_both_names_for_stops_are_read():
    body = translate(CHAT, messages=HI, stop=["a"], stop_sequences=["b"])

    assert body["stop_sequences"] == ["a", "b"]


def test_user_goes_along_as_the_providers_user_id():
    assert translate(CHAT, messages=HI, user="u")["metadata"] == {"user_id": "u"}
    assert translate(CHAT, messages=HI, user="u", safety_identifier="s")["metadata"] == {"user_id": "s"}


def test_what_claude_has_not_is_left_out():
    dropped = {
        "frequency_penalty": 1.5,
        "presence_penalty": 1,
        "seed": 7,
        "logit_bias": {"50256": -100},
        "logprobs": False,
        "n": 1,
        "store": True,
        "service_tier": "flex",
        "verbosity": "low",
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "k",
        "modalities": ["text"],
        "a_field_of_tomorrow": {},
    }

    assert translate(CHAT, messages=HI, **dropped) == translate(CHAT, messages=HI)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages.0"),
        ({"messages": [{"role": "system", "content": "only"}]}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "system", "content": [image(PNG)]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"temperature": 1.2}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"temperature": 1, "top_p": 1}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": []}, "functions"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "zz"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": "no", "tools": [TOOL]}, "parallel_tool_calls"),
        ({"cache_control": {"type": "permanent"}}, "cache_control.type"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl"),
        ({"cache_control": True}, "cache_control"),
        ({"user": "u" * 257}, "user"),
    ],
)
def test_wrong_field_is_refused_by_name(fields, param):
    assert refusal(**fields).param == param


def test_arguments_of_a_call_must_be_an_object():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[1]"}}

    refused = refusal(messages=[*HI, {"role": "assistant", "tool_calls": [call]}])

    assert refused.param == "messages.1.tool_calls.0.function.arguments"


OPTIONS = {
    "identity": {"id": "u1", "email": "a@b.c"},
    "thread": {"id": "t1", "tags": ["x"]},
    "name": "nightly",
    "tags": ["a", "b"],
    "fallbacks": [{"model": "aws/anthropic/claude-sonnet-4-6"}],
    "retry": {"count": 3, "on_codes": [429, 500]},
    "timeout": {"call_timeout": 5000},
    "load_balancer": {"type": "weight_based", "models": [{"model": "m1", "weight": 0.3}, {"model": "m2"}]},
    "integration_id": "Team key",
    "metadata": {"team": "blue"},
}


@pytest.mark.parametrize("fields", [OPTIONS, {"orq": OPTIONS}], ids=["top level", "under orq"])
def test_options_are_read_from_both_places(fields):
    options = parse(CHAT, **fields).options

    assert (options.identity_id, options.thread_id) == ("u1", "t1")
    assert options.identity == {"id": "u1", "email": "a@b.c"}
    assert (options.name, options.tags, options.integration_id) == ("nightly", ("a", "b"), "Team key")
    assert options.fallbacks == ("aws/anthropic/claude-sonnet-4-6",)
    assert options.retry == Retry(3, (429, 500))
    assert options.timeout_ms == 5000
    assert options.load_balancer == (WeightedModel("m1", 0.3), WeightedModel("m2", 1.0))
    assert options.metadata == {"team": "blue"}


def test_top_level_options_win_and_the_rest_comes_from_orq():
    options = parse(CHAT, name="mine", orq={"name": "theirs", "integration_id": "k"}).options

    assert (options.name, options.integration_id) == ("mine", "k")


def test_old_forms_under_orq_are_read():
    options = parse(
        CHAT, orq={"contact": {"id": "u1"}, "load_balancer": [{"type": "weight_based", "model": "m", "weight": 2}]}
    ).options

    assert options.identity_id == "u1"
    assert options.load_balancer == (WeightedModel("m", 2.0),)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"identity": "u1"}, "identity"),
        ({"identity": {}}, "identity.id"),
        ({"thread": {"id": 5}}, "thread.id"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"tags": "a"}, "tags"),
        ({"fallbacks": ["m"]}, "fallbacks.0"),
        ({"fallbacks": [{}]}, "fallbacks.0.model"),
        ({"fallbacks": [{"model": "m"}] * 51}, "fallbacks"),
        ({"load_balancer": {"type": "weight_based", "models": [{"model": "m"}] * 51}}, "load_balancer.models"),
        ({"retry": {"count": 6}}, "retry.count"),
        ({"retry": {"count": 1, "on_codes": ["429"]}}, "retry.on_codes"),
        ({"timeout": {"call_timeout": 0}}, "timeout.call_timeout"),
        ({"load_balancer": {"type": "random", "models": []}}, "load_balancer.type"),
        ({"load_balancer": {"type": "weight_based"}}, "load_balancer.models"),
        ({"load_balancer": {"models": [{"model": "m", "weight": 0}]}}, "load_balancer.models.0.weight"),
        ({"integration_id": 5}, "integration_id"),
        ({"orq": {"retry": {"count": 0}}}, "orq.retry.count"),
        ({"orq": []}, "orq"),
    ],
)
def test_wrong_option_is_refused_when_parsed(fields, param):
    with pytest.raises(RequestRefused) as refused:
        parse(CHAT, **fields)

    assert refused.value.param == param
