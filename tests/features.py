"""What the gateway can do, one case a feature, in the words of each dialect.

A case holds request bodies without their model and says what the answer, and the Messages body that reaches the
provider, must hold. The answers are the simulator's; a case with a ``scripted`` answer needs an upstream that gives it.

    for feature in FEATURES:
        for dialect in feature.dialects:
            body = feature.body(dialect, "anthropic/" + feature.model, stream=False, nonce="run 1")
            …post it, and give the answer to feature.check(dialect, read_reply(dialect, answer))
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.signing import sign
from tests.replies import Reply

Body = Mapping[str, Any]
Check = Callable[[Reply], None]
SentCheck = Callable[[Mapping[str, Any]], None]

# Stands for a text that differs from run to run, so that a prompt can be new to the provider's cache.
NONCE = "{nonce}"

# How each stop reason of Messages ends an answer of the other dialects.
CHAT_ENDINGS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
RESPONSES_ENDINGS = {
    "end_turn": "completed",
    "stop_sequence": "completed",
    "pause_turn": "completed",
    "tool_use": "completed",
    "max_tokens": "incomplete:max_output_tokens",
    "model_context_window_exceeded": "incomplete:max_output_tokens",
    "refusal": "incomplete:content_filter",
}


def says_something(reply: Reply) -> None:
    assert reply.text


def is_sent(body: Mapping[str, Any]) -> None:
    assert body["messages"]


@dataclass(frozen=True)
class Feature:
    """One case. A body that is None says that the dialect has no words for it.

    ``refused`` names the field at fault, by dialect, where the gateway refuses the request with a 400 before anything
    is sent; ``lacking`` does so by provider and dialect, for what only some providers lack: there the native dialect
    gets the provider's own 400. ``needs_urls`` marks what providers that take bytes only (aws, google) get a 400 for.
    """

    name: str
    chat: Body | None = None
    responses: Body | None = None
    messages: Body | None = None
    expects: Check = says_something
    sent: SentCheck = is_sent
    stop_reason: str = "end_turn"
    model: str = "claude-sonnet-4-6"
    refused: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needs_urls: bool = False
    scripted: Mapping[str, Any] | None = None

    @property
    def dialects(self) -> list[str]:
        bodies = {"chat": self.chat, "responses": self.responses, "messages": self.messages}
        return [dialect for dialect, body in bodies.items() if body is not None]

    def body(self, dialect: str, model: str, *, stream: bool, nonce: str = "") -> dict[str, Any]:
        """Return the request for ``model``, whole as it goes over the wire."""
        body = {"chat": self.chat, "responses": self.responses, "messages": self.messages}[dialect]
        filled: dict[str, Any] = json.loads(json.dumps(body).replace(NONCE, nonce))
        usage = {"stream_options": {"include_usage": True}} if stream and dialect == "chat" else {}
        return {"model": model, "stream": stream, **usage, **filled}

    def check(self, dialect: str, reply: Reply) -> None:
        """Assert that a successful answer is what the feature promises."""
        endings = {"chat": CHAT_ENDINGS, "responses": RESPONSES_ENDINGS}.get(dialect, {})
        assert reply.ending == endings.get(self.stop_reason, self.stop_reason)
        assert reply.usage["output"] > 0
        self.expects(reply)


# --- bodies -----------------------------------------------------------------------------------------------------------

CLOSE = "Thanks. What follows from that, in one sentence?"
QUESTION = "Why is the sky blue?"
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["name", "inhabitants"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="
PNG_URL, PDF_URL = "https://example.com/image.png", "https://example.com/document.pdf"
EPHEMERAL, HOURLY = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
# Above every model's least cacheable prompt.
LONG = f"{NONCE} " + "rule " * 6_000
THOUGHT = "A thought of an earlier turn."
SIGNATURE = sign(THOUGHT)


def turns(*texts: str) -> list[dict[str, Any]]:
    """Return messages of the user and the assistant, in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def asked(name: str, *texts: str, **options: Any) -> Feature:
    """Return a feature whose dialects differ in nothing but where the conversation stands.

    ``chat``, ``responses`` and ``messages`` among the options are what each body has beside it.
    """
    conversation = turns(*(texts or (QUESTION,)))
    chat, responses, messages = (options.pop(dialect, {}) for dialect in ("chat", "responses", "messages"))
    return Feature(
        name,
        chat=None if chat is None else {"messages": conversation, **chat},
        responses=None if responses is None else {"input": conversation, **responses},
        messages=None if messages is None else {"messages": conversation, "max_tokens": 4_096, **messages},
        **options,
    )


def parts(name: str, *, chat: Body | None, responses: Body | None, messages: Body | None, **options: Any) -> Feature:
    """Return a feature whose user message holds one part of a kind beside a text."""

    def message(part: Body, text_type: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [part, {"type": text_type, "text": f"{QUESTION} {NONCE}"}]}]

    return Feature(
        name,
        chat=chat and {"messages": message(chat, "text")},
        responses=responses and {"input": message(responses, "input_text")},
        messages=messages and {"messages": message(messages, "text"), "max_tokens": 4_096},
        **options,
    )


def chat_tool(name: str = "get_weather", **fields: Any) -> dict[str, Any]:
    function = {"name": name, "description": "Current weather at a place", "parameters": PLACE}
    return {"type": "function", "function": function | fields.pop("function", {}), **fields}


def flat_tool(name: str = "get_weather", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "Current weather at a place", "parameters": PLACE} | fields


def native_tool(name: str = "get_weather", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "Current weather at a place", "input_schema": PLACE} | fields


def with_tools(name: str, text: str, *, choice: tuple[Any, Any, Any] | None = None, **options: Any) -> Feature:
    """Return a feature whose request offers two tools; ``choice`` is the tool_choice of each dialect."""
    chat: dict[str, Any] = {"tools": [chat_tool(), chat_tool("find_hotel")]}
    responses: dict[str, Any] = {"tools": [flat_tool(), flat_tool("find_hotel")]}
    messages: dict[str, Any] = {"tools": [native_tool(), native_tool("find_hotel")]}
    if choice:
        for body, chosen in zip((chat, responses, messages), choice, strict=True):
            body["tool_choice"] = chosen
    return asked(
        name,
        text,
        chat=chat | options.pop("chat", {}),
        responses=responses | options.pop("responses", {}),
        messages=messages | options.pop("messages", {}),
        **options,
    )


def tool_result(
    name: str,
    *,
    chat: Any,
    responses: Any,
    messages: Any,
    beside: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    **options: Any,
) -> Feature:
    """Return a feature whose last turn brings a tool's result; ``beside`` are the fields beside its content."""
    mark = {"cache_control": control} if control else {}
    first = f"How is the weather in Tokyo? {NONCE}"
    call = {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"place":"Tokyo"}'}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": messages, **(beside or {}), **mark}
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"place": "Tokyo"}}
    return Feature(
        name,
        chat={
            "tools": [chat_tool()],
            "messages": [
                {"role": "user", "content": first},
                {"role": "assistant", "content": "I look.", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": chat, **(beside or {}), **mark},
            ],
        },
        responses={
            "tools": [flat_tool()],
            "input": [
                {"role": "user", "content": first},
                {"role": "assistant", "content": "I look."},
                {"type": "function_call", "call_id": "toolu_1", **call["function"]},
                {"type": "function_call_output", "call_id": "toolu_1", "output": responses, **(beside or {}), **mark},
            ],
        },
        messages={
            "max_tokens": 4_096,
            "tools": [native_tool()],
            "messages": [
                {"role": "user", "content": first},
                {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
                {"role": "user", "content": [result]},
            ],
        },
        **options,
    )


def cached(name: str, control: Mapping[str, Any], **bodies: Any) -> Feature:
    """Return a feature whose long prompt goes into the cache, for as long as ``control`` says."""
    is_hourly = control.get("ttl") == "1h"

    def was_cached(reply: Reply) -> None:
        written, other = reply.usage["cache_write_5m"], reply.usage["cache_write_1h"]
        if is_hourly:
            written, other = other, written
        assert written + reply.usage["cache_read"] > 5_000
        assert other == 0

    def keeps_control(body: Mapping[str, Any]) -> None:
        assert [block["cache_control"] for block in marked(body)] == [control]

    return Feature(name, expects=was_cached, sent=keeps_control, **bodies)


def scripted(name: str, *blocks: Mapping[str, Any], stop_reason: str, expects: Check, **fields: Any) -> Feature:
    """Return a feature of the answer: a plain question, and blocks that the simulator never gives."""
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": list(blocks),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 7},
        **fields,
    }
    return asked(name, scripted=answer, stop_reason=stop_reason, expects=expects)


# --- what to expect ---------------------------------------------------------------------------------------------------


def blocks_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every block of a Messages body that can hold a breakpoint: tools, system, then the messages."""
    system = body.get("system") or []
    said = [message["content"] for message in body["messages"]]
    texts = [
        [{"type": "text", "text": content}] if isinstance(content, str) else content for content in (system, *said)
    ]
    return [*body.get("tools", ()), *(block for content in texts for block in content)]


def marked(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks with a breakpoint; a top-level one stands at the last block."""
    found = [block for block in blocks_of(body) if "cache_control" in block]
    if body.get("cache_control") and not blocks_of(body)[-1].get("cache_control"):
        found.append({"cache_control": body["cache_control"]})
    return found


def says_brief(body: Mapping[str, Any]) -> None:
    assert body["system"] in ("Be brief.", [{"type": "text", "text": "Be brief."}])


def is_strict(body: Mapping[str, Any]) -> None:
    assert body["tools"][0]["strict"] is True


def holds(**fields: Any) -> SentCheck:
    """Return a check that the body sent has these top-level fields."""

    def check(body: Mapping[str, Any]) -> None:
        assert {name: body.get(name) for name in fields} == fields

    return check


def holds_block(kind: str, **source: Any) -> SentCheck:
    """Return a check that a block of ``kind`` is sent whose source has these fields."""

    def check(body: Mapping[str, Any]) -> None:
        found = [block["source"] for block in blocks_of(body) if block.get("type") == kind]
        assert any(source.items() <= one.items() for one in found), found

    return check


def result_is(**fields: Any) -> SentCheck:
    """Return a check of the one tool_result that is sent; ``kinds`` are those of its parts."""

    def check(body: Mapping[str, Any]) -> None:
        [result] = [block for block in blocks_of(body) if block.get("type") == "tool_result"]
        wanted = dict(fields)
        kinds = wanted.pop("kinds", None)
        assert kinds is None or [part["type"] for part in result["content"]] == kinds
        assert {name: result.get(name) for name in wanted} == wanted

    return check


def replays(*kinds: str) -> SentCheck:
    """Return a check that the assistant's turn goes back as these blocks, a thought's signature untouched."""

    def check(body: Mapping[str, Any]) -> None:
        said = next(message["content"] for message in body["messages"] if message["role"] == "assistant")
        assert [block["type"] for block in said] == list(kinds)
        for block in said:
            if block["type"] == "thinking":
                assert (block["thinking"], block["signature"]) == (THOUGHT, SIGNATURE)
            if block["type"] == "redacted_thinking":
                assert block["data"] == SIGNATURE

    return check


def calls(*names: str) -> Check:
    """Return a check that these tools are called, each for a place of its own id."""

    def check(reply: Reply) -> None:
        assert [call.name for call in reply.calls] == list(names)
        assert len({call.id for call in reply.calls}) == len(names)
        assert all(isinstance(call.arguments["place"], str) for call in reply.calls)

    return check


def calls_nothing(reply: Reply) -> None:
    assert reply.text
    assert not reply.calls


def is_a_city(reply: Reply) -> None:
    city = json.loads(reply.text)
    assert isinstance(city["name"], str)
    assert isinstance(city["inhabitants"], int)


def thinks(reply: Reply) -> None:
    [thought] = reply.thoughts
    assert thought.text
    assert thought.signature == sign(thought.text)
    assert reply.usage["reasoning"] > 0
    assert reply.text


def thinks_in_silence(reply: Reply) -> None:
    [thought] = reply.thoughts
    assert not thought.text
    assert thought.signature
    assert reply.usage["reasoning"] > 0


def thinks_in_secret(reply: Reply) -> None:
    [thought] = reply.thoughts
    assert thought.redacted.startswith("SIM")
    assert reply.text


def does_not_think(reply: Reply) -> None:
    assert not reply.thoughts
    assert reply.text


def ends_before_the_word(reply: Reply) -> None:
    assert reply.text == "This answer is "


def says(text: str) -> Check:
    def check(reply: Reply) -> None:
        assert reply.text == text

    return check


def cites_the_document(reply: Reply) -> None:
    [(text, title)] = reply.citations
    assert text in SOURCE
    assert title == "Colours"


def ends_anyhow(reply: Reply) -> None:
    assert not reply.calls


def cites(*citations: tuple[str, str | None]) -> Check:
    def check(reply: Reply) -> None:
        assert list(reply.citations) == list(citations)

    return check


def replayed_thought(name: str, *kinds: str, with_tool: bool, redacted: bool = False) -> Feature:
    """Return a feature that sends back an earlier thought, with the call of a tool after it or with text."""
    part = {"type": "redacted_reasoning", "data": SIGNATURE}
    item = {"type": "reasoning", "summary": [], "encrypted_content": f"redacted:{SIGNATURE}"}
    block = {"type": "redacted_thinking", "data": SIGNATURE}
    if not redacted:
        part = {"type": "reasoning", "reasoning": THOUGHT, "signature": SIGNATURE}
        summary = [{"type": "summary_text", "text": THOUGHT}]
        item = {"type": "reasoning", "summary": summary, "encrypted_content": f"signature:{SIGNATURE}"}
        block = {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    function = {"name": "get_weather", "arguments": '{"place":"Tokyo"}'}
    if with_tool:
        tail: Any = [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"place": "Tokyo"}}]
        answer = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"}]}]
        chat_tail: dict[str, Any] = {"tool_calls": [{"id": "toolu_1", "type": "function", "function": function}]}
        chat_answer = [{"role": "tool", "tool_call_id": "toolu_1", "content": "Rain"}]
        items = [
            {"type": "function_call", "call_id": "toolu_1", **function},
            {"type": "function_call_output", "call_id": "toolu_1", "output": "Rain"},
        ]
    else:
        tail, chat_tail, chat_answer = [{"type": "text", "text": "It scatters."}], {}, turns(CLOSE)
        answer, items = turns(CLOSE), [{"role": "assistant", "content": "It scatters."}, *turns(CLOSE)]
    said = [part] if with_tool else [part, {"type": "text", "text": "It scatters."}]
    return Feature(
        name,
        chat={
            "max_tokens": 8_000,
            "thinking": thinking,
            "tools": [chat_tool()],
            "messages": [*turns(QUESTION), {"role": "assistant", "content": said, **chat_tail}, *chat_answer],
        },
        responses={
            "max_output_tokens": 8_000,
            "thinking": thinking,
            "tools": [flat_tool()],
            "input": [*turns(QUESTION), item, *items],
        },
        messages={
            "max_tokens": 8_000,
            "thinking": thinking,
            "tools": [native_tool()],
            "messages": [*turns(QUESTION), {"role": "assistant", "content": [block, *tail]}, *answer],
        },
        sent=replays(*kinds),
    )


# --- the table --------------------------------------------------------------------------------------------------------

TEXT = (
    asked("text"),
    asked("responses input as a string", chat=None, messages=None, responses={"input": QUESTION}),
    asked(
        "system",
        chat={"messages": [{"role": "system", "content": "Be brief."}, *turns(QUESTION)]},
        responses={"instructions": "Be brief."},
        messages={"system": "Be brief."},
        sent=says_brief,
    ),
    asked(
        "developer message",
        messages=None,
        chat={"messages": [{"role": "developer", "content": "Be brief."}, *turns(QUESTION)]},
        responses={"input": [{"role": "developer", "content": "Be brief."}, *turns(QUESTION)]},
        sent=says_brief,
    ),
    asked("multi-turn", QUESTION, "It scatters.", CLOSE),
    asked(
        "max_tokens",
        stop_reason="max_tokens",
        chat={"max_tokens": 5},
        responses={"max_output_tokens": 5},
        messages={"max_tokens": 5},
        sent=holds(max_tokens=5),
    ),
    asked(
        "max_completion_tokens",
        chat={"max_completion_tokens": 5},
        responses=None,
        messages=None,
        stop_reason="max_tokens",
        sent=holds(max_tokens=5),
    ),
    asked(
        "stop_sequence",
        stop_reason="stop_sequence",
        expects=ends_before_the_word,
        chat={"stop": "simulated"},
        responses={"stop_sequences": ["simulated"]},
        messages={"stop_sequences": ["simulated"]},
        sent=holds(stop_sequences=["simulated"]),
    ),
    *(
        asked(f"parameter {name}", chat=fields, responses=fields, messages=fields, sent=holds(**fields))
        for name, fields in (
            ("temperature", {"temperature": 0.5}),
            ("top_p", {"top_p": 0.9}),
            ("top_k", {"top_k": 40}),
            ("stop_sequences", {"stop_sequences": ["zzz"]}),
        )
    ),
    asked(
        "parameters of sampling on a model that takes none",
        messages=None,
        model="claude-opus-4-8",
        chat={"temperature": 0.5, "top_p": 0.9, "top_k": 40},
        responses={"temperature": 0.5, "top_p": 0.9, "top_k": 40},
        sent=holds(temperature=None, top_p=None, top_k=None),
    ),
    asked(
        "metadata and identity",
        messages=None,
        chat={"metadata": {"team": "a"}, "identity": {"id": "i-1"}, "thread": {"id": "t-1"}, "user": "u-1"},
        responses={"metadata": {"team": "a"}, "identity": {"id": "i-1"}, "thread": {"id": "t-1"}, "user": "u-1"},
        sent=holds(metadata={"user_id": "u-1"}, identity=None, thread=None),
    ),
)

TOOLS = (
    with_tools("tool call", "How is the weather in Tokyo?", expects=calls("get_weather"), stop_reason="tool_use"),
    with_tools(
        "parallel tool calls",
        "How is the weather in Tokyo, and which hotel is there?",
        expects=calls("get_weather", "find_hotel"),
        stop_reason="tool_use",
    ),
    with_tools(
        "one tool call at a time",
        "How is the weather in Tokyo, and which hotel is there?",
        chat={"parallel_tool_calls": False},
        responses={"parallel_tool_calls": False},
        messages={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        expects=calls("get_weather"),
        stop_reason="tool_use",
        sent=holds(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    ),
    with_tools(
        "tool_choice auto",
        QUESTION,
        choice=("auto", "auto", {"type": "auto"}),
        expects=calls_nothing,
        sent=holds(tool_choice={"type": "auto"}),
    ),
    with_tools(
        "tool_choice none",
        "How is the weather in Tokyo?",
        choice=("none", "none", {"type": "none"}),
        expects=calls_nothing,
        sent=holds(tool_choice={"type": "none"}),
    ),
    with_tools(
        "tool_choice required",
        QUESTION,
        choice=("required", "required", {"type": "any"}),
        expects=calls("get_weather"),
        stop_reason="tool_use",
        sent=holds(tool_choice={"type": "any"}),
    ),
    with_tools(
        "tool_choice of one tool",
        QUESTION,
        choice=(
            {"type": "function", "function": {"name": "find_hotel"}},
            {"type": "function", "name": "find_hotel"},
            {"type": "tool", "name": "find_hotel"},
        ),
        expects=calls("find_hotel"),
        stop_reason="tool_use",
        sent=holds(tool_choice={"type": "tool", "name": "find_hotel"}),
    ),
    asked(
        "tool_choice of allowed tools",
        messages=None,
        chat={
            "tools": [chat_tool(), chat_tool("find_hotel")],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "find_hotel"}}],
                },
            },
        },
        responses={
            "tools": [flat_tool(), flat_tool("find_hotel")],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "find_hotel"}],
            },
        },
        expects=calls("find_hotel"),
        stop_reason="tool_use",
        sent=holds(tool_choice={"type": "any"}),
    ),
    asked(
        "strict tool",
        "How is the weather in Tokyo?",
        chat={"tools": [chat_tool(function={"strict": True})]},
        responses={"tools": [flat_tool(strict=True)]},
        messages={"tools": [native_tool(strict=True)]},
        expects=calls("get_weather"),
        stop_reason="tool_use",
        sent=is_strict,
    ),
    asked(
        "strict tool on a model that Bedrock offers without",
        "How is the weather in Tokyo?",
        model="claude-opus-4-8",
        messages=None,
        chat={"tools": [chat_tool(function={"strict": True})]},
        responses={"tools": [flat_tool(strict=True)]},
        expects=calls("get_weather"),
        stop_reason="tool_use",
    ),
    tool_result("tool result", chat="Rain", responses="Rain", messages="Rain", sent=result_is(tool_use_id="toolu_1")),
    tool_result(
        "tool result with an image",
        chat=[
            {"type": "text", "text": "A map"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ],
        responses=[
            {"type": "input_text", "text": "A map"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
        ],
        messages=[
            {"type": "text", "text": "A map"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        ],
        sent=result_is(kinds=["text", "image"]),
    ),
    tool_result(
        "tool result that is an error",
        chat="no such place",
        responses="no such place",
        messages="no such place",
        beside={"is_error": True},
        sent=result_is(is_error=True),
    ),
)

FORMATS = (
    asked(
        "json_schema",
        chat={
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "strict": True, "schema": CITY},
            }
        },
        responses={"text": {"format": {"type": "json_schema", "name": "city", "strict": True, "schema": CITY}}},
        messages={"output_config": {"format": {"type": "json_schema", "schema": CITY}}},
        expects=is_a_city,
        sent=holds(output_config={"format": {"type": "json_schema", "schema": CITY}}),
    ),
    asked(
        "json_schema on a model that Bedrock offers without",
        model="claude-opus-4-8",
        lacking={"aws": {"chat": "response_format.json_schema.type", "responses": "text.format.type"}},
        chat={"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}},
        responses={"text": {"format": {"type": "json_schema", "name": "city", "schema": CITY}}},
        messages={"output_config": {"format": {"type": "json_schema", "schema": CITY}}},
        expects=is_a_city,
        sent=holds(output_config={"format": {"type": "json_schema", "schema": CITY}}),
    ),
    asked(
        "json_object",
        "Why is the sky blue? Answer in JSON.",
        messages=None,
        chat={"response_format": {"type": "json_object"}},
        responses={"text": {"format": {"type": "json_object"}}},
    ),
)

BASE64_PNG = {"type": "base64", "media_type": "image/png", "data": PIXEL}
BASE64_PDF = {"type": "base64", "media_type": "application/pdf", "data": PDF}
PDF_DATA_URL = f"data:application/pdf;base64,{PDF}"
MEDIA = (
    parts(
        "image by URL",
        chat={"type": "image_url", "image_url": {"url": PNG_URL}},
        responses={"type": "input_image", "image_url": PNG_URL},
        messages={"type": "image", "source": {"type": "url", "url": PNG_URL}},
        sent=holds_block("image", type="url", url=PNG_URL),
        needs_urls=True,
    ),
    parts(
        "image in base64",
        chat={"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        responses={"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
        messages={"type": "image", "source": BASE64_PNG},
        sent=holds_block("image", **BASE64_PNG),
    ),
    parts(
        "PDF by URL",
        chat={"type": "document", "document": {"type": "pdf", "url": PDF_URL}},
        responses={"type": "input_file", "file_url": PDF_URL},
        messages={"type": "document", "source": {"type": "url", "url": PDF_URL}},
        sent=holds_block("document", type="url", url=PDF_URL),
        needs_urls=True,
    ),
    parts(
        "PDF by URL in a file part",
        chat={"type": "file", "file": {"uri": PDF_URL, "filename": "a.pdf", "mimeType": "application/pdf"}},
        responses=None,
        messages=None,
        sent=holds_block("document", type="url", url=PDF_URL),
        needs_urls=True,
    ),
    parts(
        "PDF in a document part",
        chat={"type": "document", "document": {"type": "pdf", "url": PDF_DATA_URL}},
        responses=None,
        messages=None,
        sent=holds_block("document", **BASE64_PDF),
    ),
    parts(
        "PDF in base64",
        chat={"type": "file", "file": {"file_data": PDF_DATA_URL, "filename": "a.pdf"}},
        responses={"type": "input_file", "file_data": PDF_DATA_URL, "filename": "a.pdf"},
        messages={"type": "document", "source": BASE64_PDF, "title": "a.pdf"},
        sent=holds_block("document", **BASE64_PDF),
    ),
    parts(
        "PDF in bare base64",
        chat={"type": "file", "file": {"file_data": PDF, "mimeType": "application/pdf"}},
        responses={"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
        messages=None,
        sent=holds_block("document", **BASE64_PDF),
    ),
)


def _cached_part(name: str, control: Mapping[str, Any]) -> Feature:
    def body(kind: str) -> list[dict[str, Any]]:
        long = {"type": kind, "text": LONG, "cache_control": control}
        return [{"role": "user", "content": [long, {"type": kind, "text": QUESTION}]}]

    return cached(
        name,
        control,
        chat={"messages": body("text")},
        responses={"input": body("input_text")},
        messages={"messages": body("text"), "max_tokens": 1_024},
    )


def _cached_system(name: str, control: Mapping[str, Any]) -> Feature:
    text = {"type": "text", "text": LONG, "cache_control": control}
    input_text = {"type": "input_text", "text": LONG, "cache_control": control}
    return cached(
        name,
        control,
        chat={"messages": [{"role": "system", "content": [text]}, *turns(QUESTION)]},
        responses={"input": [{"role": "system", "content": [input_text]}, *turns(QUESTION)]},
        messages={"system": [text], "messages": turns(QUESTION), "max_tokens": 1_024},
    )


def _cached_tool(name: str, control: Mapping[str, Any]) -> Feature:
    marked_tool = {"description": LONG, "cache_control": control}
    return cached(
        name,
        control,
        chat={
            "tools": [chat_tool(function={"description": LONG}, cache_control=control)],
            "messages": turns(QUESTION),
        },
        responses={"tools": [flat_tool(**marked_tool)], "input": turns(QUESTION)},
        messages={"tools": [native_tool(**marked_tool)], "messages": turns(QUESTION), "max_tokens": 1_024},
    )


def _cached_media(name: str, chat: Body, responses: Body, messages: Body) -> Feature:
    """Return a feature whose breakpoint stands on an image or a document, after a long text."""

    def body(part: Body, kind: str) -> list[dict[str, Any]]:
        texts = {"type": kind, "text": LONG}, {"type": kind, "text": QUESTION}
        return [{"role": "user", "content": [texts[0], {**part, "cache_control": EPHEMERAL}, texts[1]]}]

    return cached(
        name,
        EPHEMERAL,
        chat={"messages": body(chat, "text")},
        responses={"input": body(responses, "input_text")},
        messages={"messages": body(messages, "text"), "max_tokens": 1_024},
    )


def _cached_tool_result(name: str, control: Mapping[str, Any]) -> Feature:
    case = tool_result(name, chat=LONG, responses=LONG, messages=LONG, control=control)
    return cached(name, control, chat=case.chat, responses=case.responses, messages=case.messages)


def _cached_automatically(name: str, control: Mapping[str, Any]) -> Feature:
    long = turns(LONG)
    return cached(
        name,
        control,
        chat={"messages": long, "cache_control": control},
        responses={"input": long, "cache_control": control},
        messages={"messages": long, "max_tokens": 1_024, "cache_control": control},
    )


CACHING = (
    _cached_part("cache_control on a user's text, 5m", {"type": "ephemeral", "ttl": "5m"}),
    _cached_part("cache_control on a user's text, 1h", HOURLY),
    _cached_system("cache_control on a system text", EPHEMERAL),
    _cached_system("cache_control on a system text, 1h", HOURLY),
    _cached_tool("cache_control on a tool", EPHEMERAL),
    _cached_tool("cache_control on a tool, 1h", HOURLY),
    replace(
        _cached_part("cache_control for 1h on a model that Bedrock offers without", HOURLY),
        model="claude-sonnet-4-0",
        lacking={
            "aws": {
                "chat": "messages.0.content.0.cache_control.ttl",
                "responses": "input.0.content.0.cache_control.ttl",
            }
        },
    ),
    _cached_tool_result("cache_control on a tool result", EPHEMERAL),
    _cached_tool_result("cache_control on a tool result, 1h", HOURLY),
    _cached_media(
        "cache_control on an image",
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
        {"type": "image", "source": BASE64_PNG},
    ),
    _cached_media(
        "cache_control on a document",
        {"type": "file", "file": {"file_data": PDF_DATA_URL}},
        {"type": "input_file", "file_data": PDF_DATA_URL},
        {"type": "document", "source": BASE64_PDF},
    ),
    _cached_automatically("cache_control at top level", EPHEMERAL),
    _cached_automatically("cache_control at top level, 1h", HOURLY),
)

HARD = "Think about how to design a rate limiter for one million requests each second, please."
MANUAL = {"thinking": {"type": "enabled", "budget_tokens": 2_000}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}
THINKING = (
    asked(
        "extended thinking",
        HARD,
        chat={**MANUAL, "max_tokens": 8_000},
        responses={**MANUAL, "max_output_tokens": 8_000},
        messages={**MANUAL, "max_tokens": 8_000},
        expects=thinks,
        sent=holds(**MANUAL),
    ),
    asked(
        "adaptive thinking",
        HARD,
        chat=ADAPTIVE,
        responses=ADAPTIVE,
        messages=ADAPTIVE,
        expects=thinks,
        sent=holds(**ADAPTIVE),
    ),
    asked(
        "thinking disabled",
        HARD,
        chat={"thinking": {"type": "disabled"}},
        responses={"thinking": {"type": "disabled"}},
        messages={"thinking": {"type": "disabled"}},
        expects=does_not_think,
    ),
    asked(
        "thinking switched off by between_tools",
        HARD,
        model="claude-sonnet-5-5",
        chat={"thinking": {"type": "between_tools"}},
        responses={"thinking": {"type": "between_tools"}},
        messages={"thinking": {"type": "between_tools"}},
        expects=does_not_think,
        sent=holds(thinking={"type": "between_tools"}),
    ),
    asked(
        "redacted thinking",
        f"{HARD} [[simulate: redacted]]",
        chat={**MANUAL, "max_tokens": 8_000},
        responses={**MANUAL, "max_output_tokens": 8_000},
        messages={**MANUAL, "max_tokens": 8_000},
        expects=thinks_in_secret,
    ),
    asked(
        "reasoning effort",
        HARD,
        chat={"reasoning_effort": "low"},
        responses={"reasoning": {"effort": "low"}},
        messages={**ADAPTIVE, "output_config": {"effort": "low"}},
        expects=thinks,
        sent=holds(**ADAPTIVE, output_config={"effort": "low"}),
    ),
    asked(
        "reasoning effort none",
        HARD,
        messages=None,
        chat={"reasoning_effort": "none"},
        responses={"reasoning": {"effort": "none"}},
        expects=does_not_think,
    ),
    asked(
        "reasoning effort none on a model that always thinks",
        HARD,
        messages=None,
        model="claude-opus-5-5",
        chat={"reasoning_effort": "none"},
        responses={"reasoning": {"effort": "none"}},
        expects=thinks_in_silence,
        sent=holds(thinking=None, output_config={"effort": "low"}),
    ),
    asked(
        "reasoning effort on a model with budgets",
        HARD,
        messages=None,
        model="claude-haiku-4-5-20251001",
        chat={"reasoning_effort": "low", "max_tokens": 16_000},
        responses={"reasoning": {"effort": "low"}, "max_output_tokens": 16_000},
        expects=thinks,
        sent=holds(thinking={"type": "enabled", "budget_tokens": 2_048}),
    ),
    replayed_thought("a thought sent back", "thinking", "text", with_tool=False),
    replayed_thought("a redacted thought sent back", "redacted_thinking", "text", with_tool=False, redacted=True),
    replayed_thought("a thought sent back before a tool call", "thinking", "tool_use", with_tool=True),
    replayed_thought(
        "a redacted thought sent back before a tool call",
        "redacted_thinking",
        "tool_use",
        with_tool=True,
        redacted=True,
    ),
)

SOURCE = "Grass is green. The sky is blue."
COLOURS = {"type": "text", "media_type": "text/plain", "data": SOURCE}
ENABLED = {"enabled": True}
SOURCE_URL = f"data:text/plain,{SOURCE}"
CITED = {
    "type": "char_location",
    "cited_text": "Grass is green.",
    "document_index": 0,
    "document_title": "Colours",
    "start_char_index": 0,
    "end_char_index": 15,
}
FOUND = {
    "type": "web_search_result_location",
    "cited_text": "The sky is blue.",
    "url": "https://example.com/sky",
    "title": "Sky",
    "encrypted_index": "abc",
}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "sky"}}
SEARCHED = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
ANSWERS = (
    *(
        asked(
            f"stop reason {reason}", f"{QUESTION} [[simulate: stop={reason}]]", stop_reason=reason, expects=ends_anyhow
        )
        for reason in ("pause_turn", "refusal", "model_context_window_exceeded")
    ),
    parts(
        "citations of a document",
        chat={"type": "file", "file": {"file_data": SOURCE_URL, "filename": "Colours"}, "citations": ENABLED},
        responses={"type": "input_file", "file_data": SOURCE_URL, "filename": "Colours", "citations": ENABLED},
        messages={"type": "document", "source": COLOURS, "title": "Colours", "citations": ENABLED},
        sent=holds_block("document", **COLOURS),
        expects=cites_the_document,
    ),
    scripted(
        "citations of a document and a web page",
        {"type": "text", "text": "Look: "},
        {"type": "text", "text": "grass is green.", "citations": [CITED]},
        {"type": "text", "text": " The sky is blue.", "citations": [FOUND]},
        stop_reason="end_turn",
        expects=cites(("Grass is green.", "Colours"), ("The sky is blue.", "Sky")),
    ),
    scripted(
        "refusal with its explanation",
        {"type": "text", "text": "I can't"},
        stop_reason="refusal",
        expects=says("I can't"),
        stop_details={"type": "refusal", "category": "cyber", "explanation": "It could do harm."},
    ),
    scripted(
        "blocks of the provider's own tools",
        {"type": "text", "text": "Searching."},
        SEARCH,
        SEARCHED,
        stop_reason="pause_turn",
        expects=says("Searching."),
    ),
)

REFUSED = (
    asked(
        "previous_response_id",
        chat=None,
        messages=None,
        responses={"previous_response_id": "resp_1"},
        refused={"responses": "previous_response_id"},
    ),
    asked(
        "temperature above 1",
        messages=None,
        chat={"temperature": 1.5},
        responses={"temperature": 1.5},
        refused={"chat": "temperature", "responses": "temperature"},
    ),
    asked(
        "temperature with top_p",
        messages=None,
        chat={"temperature": 0.5, "top_p": 0.5},
        responses={"temperature": 0.5, "top_p": 0.5},
        refused={"chat": "temperature", "responses": "temperature"},
    ),
    asked(
        "tool_choice required on a model that cannot be made to call",
        messages=None,
        model="claude-sonnet-5-5",
        chat={"tools": [chat_tool()], "tool_choice": "required"},
        responses={"tools": [flat_tool()], "tool_choice": "required"},
        refused={"chat": "tool_choice", "responses": "tool_choice"},
    ),
    asked(
        "thinking budget too small",
        messages=None,
        chat={"thinking": {"type": "enabled", "budget_tokens": 1_023}},
        responses={"thinking": {"type": "enabled", "budget_tokens": 1_023}},
        refused={"chat": "thinking.budget_tokens", "responses": "thinking.budget_tokens"},
    ),
    asked(
        "thinking disabled on a model that always thinks",
        messages=None,
        model="claude-opus-5-5",
        chat={"thinking": {"type": "disabled"}},
        responses={"thinking": {"type": "disabled"}},
        refused={"chat": "thinking.type", "responses": "thinking.type"},
    ),
    asked(
        "five breakpoints",
        messages=None,
        chat={
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": EPHEMERAL}] * 5}]
        },
        responses={
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "x", "cache_control": EPHEMERAL}] * 5}
            ]
        },
        refused={"chat": "cache_control", "responses": "cache_control"},
    ),
    asked("two answers", responses=None, messages=None, chat={"n": 2}, refused={"chat": "n"}),
    asked(
        "a thought without its signature",
        responses=None,
        messages=None,
        chat={
            "messages": [
                *turns(QUESTION),
                {"role": "assistant", "content": [{"type": "reasoning", "reasoning": THOUGHT}]},
                *turns(CLOSE),
            ]
        },
        refused={"chat": "messages.1.content.0.signature"},
    ),
)

FEATURES = (*TEXT, *TOOLS, *FORMATS, *MEDIA, *CACHING, *THINKING, *ANSWERS, *REFUSED)
