"""Messages requests become chat completions that mean the same, or are refused by the name of the field."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import openai
from providers.base import ModelCall, ModelTraits, NotTranslatable, Target
from tests.providers.openai_samples import ELSEWHERE, OPENAI, assistant, chat_body, make_call, make_messages, user

PNG = {"type": "base64", "media_type": "image/png", "data": "aWltYWdl"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}
# As the catalog has them: GPT-5.4; o3, which always reasons; and GPT-4o, which never does.
MAY_REASON = ModelTraits(("none", "low", "medium", "high", "xhigh"), 128_000)
REASONS = ModelTraits(("low", "medium", "high"), 100_000)
NEVER_REASONS = ModelTraits((), 16_384)
TOOL = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object", "properties": {}}}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def tool_use(call_id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {"city": "Paris"}, **fields}


def tool_result(content: object = "sunny", call_id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


def messages_of(*messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = chat_body(make_messages(*messages, **fields))["messages"]
    return sent


def refusal_of(call: ModelCall) -> NotTranslatable:
    with pytest.raises(NotTranslatable) as refusal:
        openai.build_request(call, OPENAI)
    return refusal.value


# Messages


def test_a_whole_request_is_translated() -> None:
    call = make_messages(
        user([text("What is the weather in Paris?", cache_control={"type": "ephemeral"})]),
        assistant([{"type": "thinking", "thinking": "Hm.", "signature": "s"}, text("Let me see."), tool_use()]),
        user([tool_result(), text("Be brief.")]),
        system=[text("You are kind."), text("You are short.", cache_control={"type": "ephemeral"})],
        tools=[{**TOOL, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        service_tier="auto",
    )

    assert chat_body(call) == {
        "model": "gpt-5",
        "messages": [
            {"role": "system", "content": "You are kind.\n\nYou are short."},
            {"role": "user", "content": "What is the weather in Paris?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {
                        "id": "toolu_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"},
            {"role": "user", "content": "Be brief."},
        ],
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "user": "u-1",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Tells it.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
    }


def test_a_stream_is_asked_for_its_usage() -> None:
    body = chat_body(make_call({"messages": [user("Hello")]}, stream=True))

    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_the_token_limit_has_its_old_name_elsewhere() -> None:
    body = chat_body(make_messages(), ELSEWHERE)

    assert body["max_tokens"] == 100
    assert "max_completion_tokens" not in body


def test_images_go_as_url_or_data_uri() -> None:
    url = {"type": "url", "url": "https://example.com/cat.png"}

    [message] = messages_of(user([{"type": "image", "source": PNG}, {"type": "image", "source": url}, text("Which?")]))

    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWltYWdl"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "text", "text": "Which?"},
    ]


def test_a_pdf_goes_as_a_file_after_its_context() -> None:
    document = {"type": "document", "source": PDF, "title": "deed.pdf", "context": "Signed in May."}

    [message] = messages_of(user([document]))

    assert message["content"] == [
        {"type": "text", "text": "Signed in May."},
        {"type": "file", "file": {"filename": "deed.pdf", "file_data": "data:application/pdf;base64,cGRm"}},
    ]


@pytest.mark.parametrize(
    "source",
    [
        {"type": "text", "media_type": "text/plain", "data": "It is mine."},
        {"type": "content", "content": "It is mine."},
        {"type": "content", "content": [{"type": "text", "text": "It is mine."}]},
    ],
)
def test_a_document_of_text_goes_as_text(source: dict[str, Any]) -> None:
    document = {"type": "document", "source": source, "title": "Deed", "citations": {"enabled": False}}

    assert messages_of(user([document, text("Whose?")])) == [user("Deed\n\nIt is mine.\n\nWhose?")]


def test_a_tools_error_is_marked() -> None:
    sent = messages_of(user("?"), assistant([tool_use()]), user([tool_result([text("no such city")], is_error=True)]))

    assert sent[-1] == {"role": "tool", "tool_call_id": "toolu_1", "content": "Error: no such city"}


def test_an_image_in_a_result_follows_as_a_message_of_the_user() -> None:
    results = [
        tool_result([text("a map"), {"type": "image", "source": PNG}], "toolu_1"),
        tool_result(None, "toolu_2"),
    ]

    sent = messages_of(user("?"), assistant([tool_use(), tool_use("toolu_2")]), user([*results, text("Well?")]))

    assert sent[2:] == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "a map"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Attached to the result of tool call toolu_1:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWltYWdl"}},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]


def test_the_input_of_a_call_keeps_its_bytes() -> None:
    body = b'{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"a":1.0e2}}]},'
    body += b'{"role":"user","content":"Go on."}]}'

    [turn, _] = chat_body(ModelCall("gpt-5", body))["messages"]

    assert turn["content"] is None
    assert turn["tool_calls"][0]["function"]["arguments"] == '{"a":1.0e2}'


def test_turns_that_hold_nothing_for_this_provider_are_left_out() -> None:
    thoughts = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}]

    assert messages_of(user("Hi"), assistant(thoughts), user([text("")]), user("Well?")) == [user("Hi"), user("Well?")]


def test_a_system_message_between_turns_stays_where_it_is() -> None:
    sent = messages_of(user("Hi"), {"role": "system", "content": [text("Be brief.")]}, user("Well?"))

    assert [message["role"] for message in sent] == ["user", "system", "user"]


# Settings


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_each_tool_choice_has_its_counterpart(choice: dict[str, str], sent: object) -> None:
    body = chat_body(make_messages(tools=[TOOL], tool_choice=choice))

    assert body["tool_choice"] == sent
    assert "parallel_tool_calls" not in body


def test_a_tool_choice_without_tools_is_left_out() -> None:
    body = chat_body(make_messages(tool_choice={"type": "auto", "disable_parallel_tool_use": True}))

    assert set(body) == {"model", "messages", "max_completion_tokens"}


def test_a_strict_tool_stays_strict() -> None:
    [tool] = chat_body(make_messages(tools=[{**TOOL, "type": "custom", "strict": True}]))["tools"]

    assert tool["function"]["strict"] is True


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2049}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8193}}, "high"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "high"}}, "high"),
        ({"output_config": {"effort": "xhigh"}}, "high"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, None),
        ({"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}}, None),
        ({}, None),
    ],
)
def test_thinking_becomes_reasoning_effort(fields: dict[str, Any], effort: str | None) -> None:
    assert chat_body(make_messages(**fields)).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("traits", "effort"),
    [(MAY_REASON, "none"), (REASONS, "high"), (NEVER_REASONS, None), (None, None)],
    ids=["may reason", "reasons", "never reasons", "unknown"],
)
def test_tools_go_to_openai_with_the_effort_that_it_takes_beside_them(
    traits: ModelTraits | None, effort: str | None
) -> None:
    call = make_messages(tools=[TOOL], thinking={"type": "adaptive"}, output_config={"effort": "high"}, traits=traits)

    assert chat_body(call).get("reasoning_effort") == effort


def test_tools_alone_go_to_openai_without_reasoning() -> None:
    """GPT-5.6 refuses them with the effort that it takes by default."""
    assert chat_body(make_messages(tools=[TOOL], traits=MAY_REASON))["reasoning_effort"] == "none"


def test_tools_go_elsewhere_with_the_effort_that_is_asked_for() -> None:
    call = make_messages(tools=[TOOL], thinking={"type": "adaptive"}, traits=MAY_REASON)

    assert chat_body(call, ELSEWHERE)["reasoning_effort"] == "medium"


def test_without_tools_a_model_of_openai_reasons_as_it_is_asked_to() -> None:
    assert chat_body(make_messages(thinking={"type": "adaptive"}, traits=MAY_REASON))["reasoning_effort"] == "medium"


SETTINGS = {"temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"], "thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("traits", "kept"),
    [
        (MAY_REASON, {"reasoning_effort": "medium"}),
        (REASONS, {"reasoning_effort": "medium"}),
        (NEVER_REASONS, {"temperature": 0.5, "top_p": 0.9, "stop": ["END"]}),
    ],
    ids=["may reason", "reasons", "never reasons"],
)
def test_a_model_of_openai_gets_the_settings_that_it_takes(traits: ModelTraits, kept: dict[str, Any]) -> None:
    body = chat_body(make_messages(**SETTINGS, traits=traits))

    assert set(body) == {"model", "messages", "max_completion_tokens", *kept}
    assert kept.items() <= body.items()


@pytest.mark.parametrize(("traits", "target"), [(None, OPENAI), (REASONS, ELSEWHERE)], ids=["unknown", "elsewhere"])
def test_what_a_model_takes_is_not_judged_where_it_is_not_known(traits: ModelTraits | None, target: Target) -> None:
    body = chat_body(make_messages(**SETTINGS, traits=traits), target)

    assert {"temperature", "top_p", "stop", "reasoning_effort"} <= set(body)


@pytest.mark.parametrize(
    ("traits", "target", "sent"),
    [
        (NEVER_REASONS, OPENAI, {"max_completion_tokens": 16_384}),
        (REASONS, OPENAI, {"max_completion_tokens": 50_000}),
        (ModelTraits(), OPENAI, {"max_completion_tokens": 50_000}),
        (None, OPENAI, {"max_completion_tokens": 50_000}),
        (NEVER_REASONS, ELSEWHERE, {"max_tokens": 50_000}),
    ],
    ids=["capped", "within", "no most", "unknown", "elsewhere"],
)
def test_openai_is_asked_for_no_more_tokens_than_the_model_gives(
    traits: ModelTraits | None, target: Target, sent: dict[str, int]
) -> None:
    body = chat_body(make_messages(max_tokens=50_000, traits=traits), target)

    assert sent.items() <= body.items()


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_schema_becomes_a_strict_response_format(place: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    wanted = {"type": "json_schema", "schema": schema}
    fields = {"output_config": {"format": wanted}} if place == "output_config" else {"output_format": wanted}

    assert chat_body(make_messages(**fields))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def test_a_user_id_too_long_for_openai_is_hashed() -> None:
    user_id = "user_" + "0" * 100

    body = chat_body(make_messages(metadata={"user_id": user_id}))

    assert body["user"] == hashlib.sha256(user_id.encode()).hexdigest()
    assert len(body["user"]) == 64


# Refusals


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools.1.type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools.0.type"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"container": "c_1"}, "container"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"stop_sequences": ["1", "2", "3", "4", "5"]}, "stop_sequences"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"output_config": {"format": {"type": "regex"}}}, "output_config.format.type"),
        ({"messages": [user("Hi"), assistant("I am")]}, "messages.1.role"),
        ({"messages": [user([{"type": "server_tool_use", "id": "1"}])]}, "messages.0.content.0.type"),
        ({"messages": [user([{"type": "search_result"}])]}, "messages.0.content.0.type"),
        ({"messages": [user([tool_use()])]}, "messages.0.content.0.type"),
        ({"messages": [assistant([{"type": "image", "source": PNG}]), user("?")]}, "messages.0.content.0.type"),
        ({"messages": [user([{"type": "image", "source": {"type": "file"}}])]}, "messages.0.content.0.source.type"),
        ({"messages": [user([text(7)])]}, "messages.0.content.0.text"),  # type: ignore[arg-type]
        ({"messages": [user(None)]}, "messages.0.content"),
        ({"messages": {}}, "messages"),
        ({"messages": [{"role": "system", "content": [tool_use()]}, user("?")]}, "messages.0.content"),
        ({"messages": [assistant([tool_use(input=[1])]), user("?")]}, "messages.0.content.0.input"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    refusal = refusal_of(make_messages(**{"messages": [user("Hi")], **fields}))

    assert refusal.param == param
    assert refusal.message.startswith((param, param.rsplit(".", 1)[0], "This provider"))


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"source": {"type": "url", "url": "https://example.com/a.pdf"}}, "source"),
        ({"source": {"type": "base64", "media_type": "text/csv", "data": "YQ=="}}, "source.media_type"),
        ({"source": PDF, "citations": {"enabled": True}}, "citations"),
    ],
)
def test_documents_that_cannot_be_sent_are_refused(document: dict[str, Any], param: str) -> None:
    refusal = refusal_of(make_messages(user([tool_result([{"type": "document", **document}])])))

    assert refusal.param == f"messages.0.content.0.content.0.{param}"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":' + b"[" * 5000])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    refusal_of(ModelCall("gpt-5", body))


# Properties

words = st.text(max_size=20)
text_blocks = st.builds(text, words)
image_blocks = st.sampled_from(
    [{"type": "image", "source": PNG}, {"type": "image", "source": {"type": "url", "url": "x"}}]
)
documents = st.builds(
    lambda source, title, context: {"type": "document", "source": source, "title": title, "context": context},
    st.sampled_from(
        [PDF, {"type": "text", "media_type": "text/plain", "data": "a"}, {"type": "content", "content": "a"}]
    ),
    st.none() | words,
    st.none() | words,
)
attachments = text_blocks | image_blocks | documents
json_objects = st.dictionaries(
    words, st.recursive(st.none() | st.integers() | words, st.lists, max_leaves=5), max_size=3
)
tool_uses = st.builds(lambda value: tool_use(input=value), json_objects)
tool_results = st.builds(
    lambda content, is_error: tool_result(content, is_error=is_error),
    st.none() | words | st.lists(attachments, max_size=3),
    st.none() | st.booleans(),
)
thoughts = st.sampled_from(
    [{"type": "thinking", "thinking": "x", "signature": "y"}, {"type": "redacted_thinking", "data": "z"}]
)
turns = st.builds(user, words | st.lists(attachments | tool_results, max_size=4)) | st.builds(
    assistant, words | st.lists(text_blocks | tool_uses | thoughts, max_size=4)
)
requests = st.fixed_dictionaries(
    {
        "messages": st.lists(turns, max_size=5).map(lambda said: [*said, user("Well?")]),
        "max_tokens": st.integers(1, 10**6),
    },
    optional={
        "system": words | st.lists(text_blocks, max_size=3),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 500),
        "stop_sequences": st.lists(words, max_size=4),
        "metadata": st.fixed_dictionaries({"user_id": st.none() | st.text(max_size=256)}),
        "thinking": st.sampled_from([{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 5000}]),
        "tools": st.just([TOOL]),
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "none", "disable_parallel_tool_use": True}]),
        "cache_control": st.just({"type": "ephemeral"}),
    },
)


@settings(deadline=None, derandomize=True)
@given(requests, st.booleans())
def test_any_valid_request_is_translated(request: dict[str, Any], stream: bool) -> None:
    body = chat_body(make_call(request, stream=stream))

    assert body["messages"][-1] == user("Well?")
    assert {message["role"] for message in body["messages"]} <= {"system", "user", "assistant", "tool"}
    assert all(isinstance(call["function"]["arguments"], str) for call in calls_in(body))
    assert len(calls_in(body)) == json.dumps(request["messages"]).count('"type": "tool_use"')
    assert body.get("stream", False) is stream


def calls_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for message in body["messages"] for call in message.get("tool_calls", ())]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True)
@given(requests, st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "metadata"]), json_values)
def test_a_request_of_the_wrong_types_is_refused_or_translated_and_nothing_else(
    request: dict[str, Any], name: str, value: object
) -> None:
    call = make_call({**request, name: value})

    assert param_at_fault(call).split(".")[0] in (name, "")


def param_at_fault(call: ModelCall) -> str:
    """The field that a call is refused for, '' if it goes through."""
    try:
        assert chat_body(call)["model"] == "gpt-5"
    except NotTranslatable as refusal:
        return refusal.param
    return ""


def test_the_documentation_lists_every_rule() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/compatibility.md").read_text()

    missing = [field for field, rule in openai.TRANSLATION_RULES if f"| {field} | {rule} |" not in page]

    assert missing == []
