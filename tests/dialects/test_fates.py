"""Every field that the ``openai`` package can send is used, refused by name, or left out by a rule that is told."""

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typing_extensions
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params as responses_params

from router.dialects import CHAT, RESPONSES, fates
from router.dialects.base import Dialect, RequestRefused
from router.dialects.fates import GATEWAY_FIELDS, Fates
from tests.dialects.samples import ADAPTIVE, NO_SAMPLING, translate

COMPATIBILITY = Path(__file__).resolve().parents[2] / "docs/compatibility.md"
UNDECIDED = "decide in router/dialects/fates.py what becomes of these fields, and tell it in docs/compatibility.md"

# The package's types, by name, and what they are here. A type that is not named must be refused by its ``type``.
CHAT_TYPES = {
    "CompletionCreateParamsNonStreaming": fates.CHAT_BODY,
    "CompletionCreateParamsStreaming": fates.CHAT_BODY,
    "ChatCompletionStreamOptionsParam": fates.CHAT_STREAM_OPTIONS,
    "ChatCompletionDeveloperMessageParam": fates.CHAT_MESSAGE,
    "ChatCompletionSystemMessageParam": fates.CHAT_MESSAGE,
    "ChatCompletionUserMessageParam": fates.CHAT_MESSAGE,
    "ChatCompletionAssistantMessageParam": fates.CHAT_ASSISTANT,
    "ChatCompletionToolMessageParam": fates.CHAT_TOOL_MESSAGE,
    "ChatCompletionContentPartTextParam": fates.CHAT_TEXT,
    "ChatCompletionContentPartRefusalParam": fates.CHAT_REFUSAL,
    "ChatCompletionContentPartImageParam": fates.CHAT_IMAGE_PART,
    "ImageURL": fates.CHAT_IMAGE,
    "File": fates.CHAT_FILE_PART,
    "FileFile": fates.CHAT_FILE,
    "ChatCompletionMessageFunctionToolCallParam": fates.CHAT_TOOL_CALL,
    "Function": fates.CHAT_FUNCTION_CALL,
    "ChatCompletionFunctionToolParam": fates.CHAT_TOOL,
    "FunctionDefinition": fates.CHAT_FUNCTION,
    "ChatCompletionNamedToolChoiceParam": fates.CHAT_TOOL_CHOICE,
    "ChatCompletionAllowedToolChoiceParam": fates.CHAT_TOOL_CHOICE,
    "ChatCompletionAllowedToolsParam": fates.CHAT_ALLOWED_TOOLS,
    "ResponseFormatText": fates.CHAT_FORMAT,
    "ResponseFormatJSONObject": fates.CHAT_FORMAT,
    "ResponseFormatJSONSchema": fates.CHAT_FORMAT,
    "JSONSchema": fates.CHAT_SCHEMA,
}
RESPONSES_TYPES = {
    "ResponseCreateParamsNonStreaming": fates.RESPONSES_BODY,
    "ResponseCreateParamsStreaming": fates.RESPONSES_BODY,
    "StreamOptions": fates.RESPONSES_STREAM_OPTIONS,
    "PromptCacheOptions": fates.RESPONSES_CACHE_OPTIONS,
    "EasyInputMessageParam": fates.RESPONSES_MESSAGE,
    "Message": fates.RESPONSES_MESSAGE,
    "ResponseOutputMessageParam": fates.RESPONSES_MESSAGE,
    "ResponseInputTextParam": fates.RESPONSES_TEXT,
    "ResponseInputTextContentParam": fates.RESPONSES_TEXT,
    "ResponseOutputTextParam": fates.RESPONSES_TEXT,
    "ResponseOutputRefusalParam": fates.RESPONSES_REFUSAL,
    "ResponseInputImageParam": fates.RESPONSES_IMAGE,
    "ResponseInputImageContentParam": fates.RESPONSES_IMAGE,
    "ResponseInputFileParam": fates.RESPONSES_FILE,
    "ResponseInputFileContentParam": fates.RESPONSES_FILE,
    "ResponseFunctionToolCallParam": fates.RESPONSES_CALL,
    "FunctionCallOutput": fates.RESPONSES_CALL_OUTPUT,
    "ResponseReasoningItemParam": fates.RESPONSES_REASONING_ITEM,
    "Summary": fates.RESPONSES_SUMMARY,
    "FunctionToolParam": fates.RESPONSES_TOOL,
    "ToolChoiceFunctionParam": fates.RESPONSES_TOOL_CHOICE,
    "ToolChoiceAllowedParam": fates.RESPONSES_TOOL_CHOICE,
    "Reasoning": fates.RESPONSES_REASONING,
    "ResponseTextConfigParam": fates.RESPONSES_TEXT_OPTIONS,
    "ResponseFormatText": fates.RESPONSES_FORMAT,
    "ResponseFormatJSONObject": fates.RESPONSES_FORMAT,
    "ResponseFormatTextJSONSchemaConfigParam": fates.RESPONSES_FORMAT,
}


def dicts_in(hint: Any) -> Iterator[Any]:
    """Yield the typed dictionaries that stand in a type, themselves not looked into."""
    if typing_extensions.is_typeddict(hint):
        yield hint
        return
    for argument in typing.get_args(hint):
        if not isinstance(argument, str):
            yield from dicts_in(argument)


def walk(hint: Any, known: dict[str, Fates], path: str, seen: set[Any]) -> Iterator[tuple[str, Any, Fates | None]]:
    """Yield each typed dictionary that can be sent, with where it stands; those under a field without use are not."""
    for found in dicts_in(hint):
        decided = known.get(found.__name__)
        if (found, decided is None and path) in seen:
            continue
        seen.add((found, decided is None and path))
        yield path, found, decided
        if decided is None:
            continue
        for name, inner in typing_extensions.get_type_hints(found).items():
            if name in decided.used:
                yield from walk(inner, known, f"{path}.{name}".lstrip("."), seen)


def sent_types(dialect: Dialect) -> list[tuple[str, Any, Fates | None]]:
    if dialect is CHAT:
        variants, known = chat_params.CompletionCreateParams, CHAT_TYPES
    else:
        variants, known = responses_params.ResponseCreateParams, RESPONSES_TYPES
    return list(walk(variants, known, "", set()))


BOTH = pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])


@BOTH
def test_every_field_of_the_package_is_decided_on(dialect: Dialect) -> None:
    undecided = [
        f"{path}.{name}"
        for path, found, decided in sent_types(dialect)
        if decided is not None
        for name in typing_extensions.get_type_hints(found)
        if name not in decided.used | decided.left_out | {refusal.name for refusal in decided.refused}
    ]

    assert not undecided, UNDECIDED


def sample(found: Any) -> dict[str, Any]:
    """Return the least that says which of the package's types it is."""
    hints = typing_extensions.get_type_hints(found)
    kinds = [kind for kind in typing.get_args(hints.get("type")) if isinstance(kind, str)]
    if "role" in hints and not kinds:
        return {"role": typing.get_args(hints["role"])[0], "content": "x"}
    return {"type": kinds[0] if kinds else typing.get_args(typing.get_args(hints["type"])[0])[0]}


def unknown_types(dialect: Dialect) -> list[Any]:
    return [
        pytest.param(path, found, id=f"{path}-{found.__name__}")
        for path, found, decided in sent_types(dialect)
        if decided is None
    ]


def body_with(dialect: Dialect, path: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return a request that is fine but for ``value`` at ``path`` of the package's types."""
    name = "messages" if dialect is CHAT else "input"
    bodies: dict[str, dict[str, Any]] = {
        "messages": {"messages": [value]},
        "input": {"input": [value]},
        "messages.content": {"messages": [{"role": "user", "content": [value]}]},
        "input.content": {"input": [{"role": "user", "content": [value]}]},
        "messages.tool_calls": {"messages": [{"role": "assistant", "tool_calls": [value]}]},
        "tools": {"tools": [value]},
        "tool_choice": {"tool_choice": value},
    }
    return {name: [{"role": "user", "content": "x"}], **bodies[path]}


@pytest.mark.parametrize(("path", "found"), unknown_types(CHAT))
def test_types_that_chat_does_not_know_are_refused(path: str, found: Any) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(CHAT, **body_with(CHAT, path, sample(found)))

    assert refused.value.param is not None
    assert refused.value.param.endswith((".type", ".role"))


@pytest.mark.parametrize(("path", "found"), unknown_types(RESPONSES))
def test_types_that_responses_does_not_know_are_refused(path: str, found: Any) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(RESPONSES, **body_with(RESPONSES, path, sample(found)))

    assert refused.value.param is not None
    assert refused.value.param.endswith((".type", ".role"))


TABLES = {name: value for name, value in vars(fates).items() if isinstance(value, Fates)}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_field_has_one_fate(table: Fates) -> None:
    refused = frozenset(refusal.name for refusal in table.refused)

    assert not table.used & table.left_out
    assert not refused & (table.used | table.left_out)


def test_every_rule_is_told() -> None:
    told = COMPATIBILITY.read_text()
    untold = [
        f"{table}: {name}"
        for table, fate in TABLES.items()
        for name in (*fate.left_out, *(refusal.name for refusal in fate.refused))
        if f"`{name}`" not in told
    ]

    assert not untold


@BOTH
def test_refused_fields_are_refused_by_name(dialect: Dialect) -> None:
    table = fates.CHAT_BODY if dialect is CHAT else fates.RESPONSES_BODY
    conversation = {"messages" if dialect is CHAT else "input": [{"role": "user", "content": "x"}]}
    for refusal in table.refused:
        with pytest.raises(RequestRefused, match=refusal.name) as refused:
            translate(dialect, **conversation, **{refusal.name: ["something"]})
        assert refused.value.param == refusal.name
        for harmless in (None, *refusal.harmless):
            translate(dialect, **conversation, **{refusal.name: harmless})


@BOTH
def test_fields_left_out_change_nothing_and_are_named(dialect: Dialect) -> None:
    table = fates.CHAT_BODY if dialect is CHAT else fates.RESPONSES_BODY
    conversation = {"messages" if dialect is CHAT else "input": [{"role": "user", "content": "x"}]}
    plain = translate(dialect, **conversation)
    for name in table.left_out - {"include", "prompt_cache_options"}:
        assert translate(dialect, **conversation, **{name: "anything"}) == plain
    parsed = dialect.parse(
        json.dumps({"model": "m", **conversation, "seed": 1, "of_tomorrow": 2, "user": "u"}).encode()
    )
    assert dialect.left_out(parsed, ADAPTIVE) == ["seed", "of_tomorrow"]


@BOTH
def test_sampling_is_named_where_the_model_takes_none(dialect: Dialect) -> None:
    parsed = dialect.parse(b'{"model": "m", "top_k": 5, "temperature": 0.2, "stop": "x"}')

    assert dialect.left_out(parsed, ADAPTIVE) == []
    assert dialect.left_out(parsed, NO_SAMPLING) == ["top_k", "temperature"]


@BOTH
def test_the_gateways_own_fields_are_none_of_the_packages(dialect: Dialect) -> None:
    _, found, _ = sent_types(dialect)[0]

    assert not GATEWAY_FIELDS & set(typing_extensions.get_type_hints(found))
