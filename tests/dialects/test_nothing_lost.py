"""What cannot be had is refused where it stands, instead of being lost on the way."""

from typing import Any

import msgspec
import pytest

from router.dialects import CHAT, RESPONSES
from router.dialects.base import Dialect, RequestRefused
from router.dialects.fetching import put_bytes, url_parts
from tests.dialects.samples import ADAPTIVE, ADAPTIVE_ONLY, BUDGET_ONLY, parse, translate

CACHED = {"type": "ephemeral"}
HOURLY = {"type": "ephemeral", "ttl": "1h"}
REASONING = {"type": "reasoning", "reasoning": "r", "signature": "s"}
SEALED = {"type": "reasoning", "summary": [], "encrypted_content": "signature:s"}
BYTES_ONLY = msgspec.structs.replace(ADAPTIVE, takes_urls=False)


def said(*parts: dict[str, Any], role: str = "user", **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": list(parts), **fields}


def text(content: str = "x", **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **fields}


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BREAKPOINTS_LOST = [
    (CHAT, {"messages": [said(text("", cache_control=CACHED), text())]}, "messages.0.content.0.cache_control"),
    (CHAT, {"messages": [said(role="system", cache_control=CACHED), said(text())]}, "messages.0.cache_control"),
    (
        CHAT,
        {"messages": [said(text()), said({**REASONING, "cache_control": CACHED}, role="assistant")]},
        "messages.1.content.0.cache_control",
    ),
    (
        CHAT,
        {"messages": [said(text()), said(REASONING, role="assistant", cache_control=CACHED)]},
        "messages.1.cache_control",
    ),
    (
        CHAT,
        {"messages": [said(text(cache_control=CACHED), cache_control=HOURLY)]},
        "messages.0.cache_control.ttl",
    ),
    (
        CHAT,
        {
            "messages": [
                said(text()),
                {"role": "assistant", "tool_calls": [CALL]},
                said(text(cache_control=CACHED), role="tool", tool_call_id="c", cache_control=HOURLY),
            ]
        },
        "messages.2.cache_control.ttl",
    ),
    (RESPONSES, {"input": [said(text("", cache_control=CACHED), text())]}, "input.0.content.0.cache_control"),
    (RESPONSES, {"input": [said(text()), {**SEALED, "cache_control": CACHED}]}, "input.1.cache_control"),
]


@pytest.mark.parametrize(("dialect", "fields", "param"), BREAKPOINTS_LOST)
def test_breakpoint_that_would_be_lost_is_refused(dialect: Dialect, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(dialect, **fields)

    assert refused.value.param == param


def test_equal_breakpoints_on_one_block_are_one() -> None:
    body = translate(CHAT, messages=[said(text(cache_control=HOURLY), cache_control=HOURLY)], cache_control=HOURLY)

    assert body["messages"][0]["content"] == [text(cache_control=HOURLY)]


@pytest.mark.parametrize("is_error", [True, False])
def test_a_tool_that_failed_is_told_to_have_failed(is_error: bool) -> None:
    function = {"name": "f", "arguments": "{}"}
    chat = [
        said(text()),
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "no", "is_error": is_error},
    ]
    items = [
        said(text()),
        {"type": "function_call", "call_id": "c", **function},
        {"type": "function_call_output", "call_id": "c", "output": "no", "is_error": is_error},
    ]

    for body in (translate(CHAT, messages=chat), translate(RESPONSES, input=items)):
        [result] = body["messages"][-1]["content"]
        assert result == {"type": "tool_result", "tool_use_id": "c", "content": [text("no")], "is_error": is_error}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"tools": [{"type": "function", "name": "f", "async": True}]}, "tools.0.async"),
        (
            {"tools": [{"type": "function", "name": "f", "allowed_callers": ["programmatic"]}]},
            "tools.0.allowed_callers",
        ),
        ({"fallback_on_codes": [42]}, "fallback_on_codes"),
    ],
)
def test_detail_of_a_response_that_cannot_be_had(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(RESPONSES, input="x", **fields)

    assert refused.value.param == param


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "x", "audio": {"id": "a"}},
        {"role": "assistant", "content": "x", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": ""}}]},
    ],
)
def test_message_that_cannot_be_sent_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(CHAT, messages=[said(text()), message])

    assert refused.value.param is not None
    assert refused.value.param.startswith("messages.1.")


@pytest.mark.parametrize("summary", ["auto", "concise", "detailed"])
def test_reasoning_in_words_is_asked_of_models_that_keep_it_to_themselves(summary: str) -> None:
    fields = {"input": "x", "reasoning": {"effort": "high", "summary": summary}, "max_output_tokens": 9_000}

    assert translate(RESPONSES, ADAPTIVE_ONLY, **fields)["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert translate(RESPONSES, ADAPTIVE, **fields)["thinking"] == {"type": "adaptive"}
    assert translate(RESPONSES, BUDGET_ONLY, **fields)["thinking"].keys() == {"type", "budget_tokens"}


def test_reasoning_is_not_put_into_words_for_nobody() -> None:
    body = translate(RESPONSES, ADAPTIVE_ONLY, input="x", reasoning={"effort": "high"})

    assert body["thinking"] == {"type": "adaptive"}


def test_statuses_to_fall_back_on_are_read() -> None:
    assert parse(CHAT, fallback_on_codes=[500, 529]).options.fallback_on_codes == (500, 529)
    assert parse(CHAT, orq={"fallback_on_codes": [500]}).options.fallback_on_codes == (500,)


# --- URLs ---

PNG, PDF = "https://example.com/a.png", "HTTPS://example.com/a.pdf"
IMAGE = {"type": "image_url", "image_url": {"url": PNG}}
DOCUMENT = {"type": "document", "document": {"type": "pdf", "url": PDF}}
FILE = {"type": "file", "file": {"uri": PDF, "mimeType": "application/pdf"}}
URLS = [
    (CHAT, {"messages": [said(text(), IMAGE)]}, "messages.0.content.1.image_url.url"),
    (CHAT, {"messages": [said(text(), DOCUMENT)]}, "messages.0.content.1.document.url"),
    (CHAT, {"messages": [said(FILE)]}, "messages.0.content.0.file.uri"),
    (
        CHAT,
        {"messages": [said(text(), role="user"), said(IMAGE, role="tool", tool_call_id="c")]},
        "messages.1.content.0.image_url.url",
    ),
    (RESPONSES, {"input": [said({"type": "input_image", "image_url": PNG})]}, "input.0.content.0.image_url"),
    (RESPONSES, {"input": [said({"type": "input_file", "file_url": PDF})]}, "input.0.content.0.file_url"),
    (
        RESPONSES,
        {
            "input": [
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_image", "image_url": PNG}],
                }
            ]
        },
        "input.0.output.0.image_url",
    ),
]


@pytest.mark.parametrize(("dialect", "fields", "param"), URLS)
def test_url_is_refused_where_the_provider_takes_bytes_only(
    dialect: Dialect, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        translate(dialect, BYTES_ONLY, **fields)

    assert refused.value.param == param
    assert refused.value.message == f"{param}: This provider takes no URLs. Send the file as base64."


@pytest.mark.parametrize(("dialect", "fields", "param"), URLS)
def test_urls_are_found_to_be_fetched(dialect: Dialect, fields: dict[str, Any], param: str) -> None:
    body = translate(dialect, **fields)
    [part] = url_parts(body)
    put_bytes(body, part.path, "image/png", "AA==")

    assert (part.param, part.url) == (param, PNG if "image" in param else PDF)
    assert part.kind == ("image" if part.url == PNG else "document")
    assert url_parts(body) == []
    assert b'"source":{"type":"base64","media_type":"image/png","data":"AA=="}' in msgspec.json.encode(body)


def test_base64_passes_where_the_provider_takes_bytes_only() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}

    assert translate(CHAT, BYTES_ONLY, messages=[said(part)])["messages"][0]["content"][0]["type"] == "image"


def test_a_native_body_of_any_shape_can_be_searched_for_urls() -> None:
    assert url_parts({}) == url_parts({"messages": [None, {"content": "x"}, {"content": [1, {"type": "image"}]}]}) == []
