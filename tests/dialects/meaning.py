"""What a request means, apart from how it is spelt: drawn at random, written in two dialects, read off Messages.

The two spellings are the ways a client may say it; ``read_meaning`` is the inverse of the translation under test and
shares nothing with it.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

Control = dict[str, str] | None
Draw = st.DrawFn


@dataclass
class Part:
    """A piece of a turn. ``kind`` says which of the rest it has; media are (media type, base64) or a URL."""

    kind: str
    text: str = ""
    media: tuple[str, str] | str = ""
    title: str | None = None
    cites: bool = False
    seal: str = ""
    call_id: str = ""
    name: str = ""
    arguments: Any = None
    content: "list[Part]" = field(default_factory=list)
    is_error: bool | None = None
    control: Control = None


@dataclass
class Tool:
    name: str
    description: str | None
    schema: dict[str, Any]
    is_strict: bool
    control: Control


@dataclass
class Meaning:
    """A request. Turns alternate, and begin with the user's; their parts stand in the order that Claude wants them."""

    system: list[Part]
    turns: list[list[Part]]
    tools: list[Tool]
    choice: tuple[str, str | None] | None
    one_at_a_time: bool
    max_tokens: int
    sampling: dict[str, float]
    stops: list[str]
    schema: dict[str, Any] | None
    thinking: dict[str, Any] | None
    user: str | None
    stream: bool


# --- drawing one ---

texts = st.text(min_size=1, max_size=20)
names = st.text("abcdefgh_", min_size=1, max_size=8)
call_ids = st.text("abc123_-", min_size=1, max_size=8)
controls = st.sampled_from([None, None, None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
schemas = st.builds(
    lambda properties: {"type": "object", "properties": properties, "additionalProperties": False},
    st.dictionaries(names, st.sampled_from([{"type": "string"}, {"type": "integer"}]), max_size=3),
)
urls = st.sampled_from(["https://example.com/a", "http://example.com/b.pdf?x=1#y"])
base64_data = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())
image_media = st.tuples(st.sampled_from(["image/png", "image/jpeg"]), base64_data) | urls
document_media = st.tuples(st.just("application/pdf"), base64_data) | urls | st.tuples(st.just("text/plain"), texts)

text_parts = st.builds(Part, st.just("text"), text=texts, control=controls)
image_parts = st.builds(Part, st.just("image"), media=image_media, control=controls)
titles = st.none() | texts
document_parts = st.builds(
    Part, st.just("document"), media=document_media, title=titles, cites=st.booleans(), control=controls
)
user_parts = text_parts | image_parts | document_parts
thoughts = st.builds(Part, st.just("thought"), text=st.text(max_size=20), seal=texts) | st.builds(
    Part, st.just("redacted"), seal=texts
)
calls = st.builds(
    Part,
    st.just("call"),
    call_id=call_ids,
    name=names,
    arguments=st.dictionaries(st.text(max_size=5), values, max_size=3),
    control=controls,
)
unmarked_parts = user_parts.map(lambda part: Part(**{**vars(part), "control": None}))
results = st.builds(
    Part,
    st.just("result"),
    call_id=call_ids,
    content=st.lists(unmarked_parts, max_size=3),
    is_error=st.none() | st.booleans(),
    control=controls,
)
tools = st.builds(Tool, names, st.none() | texts, schemas, st.booleans(), controls)


@st.composite
def user_turns(draw: Draw) -> list[Part]:
    brought = draw(st.lists(results, max_size=2))
    return [*brought, *draw(st.lists(user_parts, min_size=0 if brought else 1, max_size=3))]


@st.composite
def assistant_turns(draw: Draw) -> list[Part]:
    thought, said = draw(st.lists(thoughts, max_size=2)), draw(st.lists(text_parts, max_size=2))
    least = 0 if thought or said else 1
    return [*thought, *said, *draw(st.lists(calls, min_size=least, max_size=2))]


@st.composite
def meanings(draw: Draw) -> Meaning:
    turns = [draw(user_turns())]
    for _ in range(draw(st.integers(0, 2))):
        turns += [draw(assistant_turns()), draw(user_turns())]
    offered = draw(st.lists(tools, max_size=3, unique_by=lambda tool: tool.name))
    choices = [None, ("auto", None), ("none", None), ("any", None), *(("tool", tool.name) for tool in offered)]
    choice = draw(st.sampled_from(choices)) if offered else None
    sampling = {
        "temperature": st.floats(0, 1) | st.integers(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 500),
    }
    meaning = Meaning(
        system=draw(st.lists(text_parts, max_size=2)),
        turns=turns,
        tools=offered,
        choice=choice,
        one_at_a_time=bool(offered) and choice != ("none", None) and draw(st.booleans()),
        max_tokens=draw(st.integers(2_000, 100_000)),
        sampling=draw(st.fixed_dictionaries({}, optional=sampling)),
        stops=draw(st.lists(texts, max_size=3)),
        schema=draw(st.none() | schemas),
        thinking=draw(st.sampled_from([None, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 1_024}])),
        user=draw(st.none() | texts),
        stream=draw(st.booleans()),
    )
    _keep_four_breakpoints(meaning)
    return meaning


def _keep_four_breakpoints(meaning: Meaning) -> None:
    for holder in [holder for holder in marked(meaning) if holder.control][4:]:
        holder.control = None


def marked(meaning: Meaning) -> Iterator[Part | Tool]:
    """Yield everything that may hold a breakpoint."""
    yield from meaning.tools
    yield from meaning.system
    for turn in meaning.turns:
        yield from turn


# --- writing it ---


def write_chat(meaning: Meaning, draw: Draw) -> dict[str, Any]:
    """Return a chat request that says ``meaning`` in one of the ways there are."""
    messages = [message for at, turn in enumerate(meaning.turns) for message in _chat_turn(turn, at % 2 == 1, draw)]
    _strew(messages, [_chat_system(part, draw) for part in meaning.system], draw)
    functions = [_flat_function(tool) for tool in meaning.tools]
    body = _shared_body(meaning, draw) | {
        "messages": messages,
        draw(st.sampled_from(["max_tokens", "max_completion_tokens"])): meaning.max_tokens,
    }
    if meaning.tools:
        body["tools"] = [
            {"type": "function", "function": function, **_marked(tool)}
            for function, tool in zip(functions, meaning.tools, strict=True)
        ]
    if meaning.choice:
        body["tool_choice"] = _choice(meaning.choice, lambda name: {"function": {"name": name}})
    if meaning.schema is not None:
        schema = {"name": "answer", "schema": meaning.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def write_responses(meaning: Meaning, draw: Draw) -> dict[str, Any]:
    """Return a responses request that says ``meaning`` in one of the ways there are."""
    items = [item for at, turn in enumerate(meaning.turns) for item in _response_turn(turn, at % 2 == 1, draw)]
    system, instructions = list(meaning.system), None
    if system and system[0].control is None and draw(st.booleans()):
        instructions = system.pop(0).text
    _strew(items, [_response_system(part, draw) for part in system], draw)
    body = _shared_body(meaning, draw) | {"input": items, "max_output_tokens": meaning.max_tokens}
    if instructions is not None:
        body["instructions"] = instructions
    if meaning.tools:
        body["tools"] = [{"type": "function", **_flat_function(tool), **_marked(tool)} for tool in meaning.tools]
    if meaning.choice:
        body["tool_choice"] = _choice(meaning.choice, lambda name: {"name": name})
    if meaning.schema is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": meaning.schema}}
    return body


def _shared_body(meaning: Meaning, draw: Draw) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "anthropic/claude-sonnet-4-6", "stream": meaning.stream, **meaning.sampling}
    if meaning.stops:
        split = draw(st.integers(0, len(meaning.stops)))
        body["stop"], body["stop_sequences"] = meaning.stops[:split], meaning.stops[split:]
        if split == 1 and draw(st.booleans()):
            body["stop"] = meaning.stops[0]
    if meaning.user is not None:
        body[draw(st.sampled_from(["user", "safety_identifier"]))] = meaning.user
    if meaning.thinking:
        body["thinking"] = meaning.thinking
    if meaning.one_at_a_time:
        body["parallel_tool_calls"] = False
    return body


def _strew(messages: list[Any], system: list[Any], draw: Draw) -> None:
    """Put the system's messages among the others, in their order."""
    at = 0
    for message in system:
        at = draw(st.integers(at, len(messages)))
        messages.insert(at, message)
        at += 1


def _marked(holder: Part | Tool) -> dict[str, Any]:
    return {"cache_control": holder.control} if holder.control else {}


def _choice(choice: tuple[str, str | None], named: Any) -> Any:
    kind, name = choice
    return {"type": "function", **named(name)} if kind == "tool" else {"any": "required"}.get(kind, kind)


def _flat_function(tool: Tool) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, "parameters": tool.schema, "strict": tool.is_strict, **described}


def _data_url(media: tuple[str, str] | str) -> str:
    if isinstance(media, str):
        return media
    media_type, data = media
    return f"data:{media_type},{quote(data)}" if media_type == "text/plain" else f"data:{media_type};base64,{data}"


def _in_messages(parts: list[Part], role: str, write: Any, draw: Draw) -> Iterator[dict[str, Any]]:
    """Yield messages that hold ``parts``, split anywhere; a message of one text may be a string."""
    while parts:
        size = draw(st.integers(1, len(parts)))
        taken, parts = parts[:size], parts[size:]
        if size == 1 and taken[0].kind == "text" and draw(st.booleans()):
            yield {"role": role, "content": taken[0].text, **_marked(taken[0])}
        else:
            yield {"role": role, "content": [write(part, draw) for part in taken]}


def _chat_system(part: Part, draw: Draw) -> dict[str, Any]:
    [message] = _in_messages([part], draw(st.sampled_from(["system", "developer"])), _chat_part, draw)
    return message


def _chat_turn(turn: list[Part], is_assistant: bool, draw: Draw) -> Iterator[dict[str, Any]]:
    if is_assistant:
        yield _chat_assistant(turn, draw)
        return
    for part in turn:
        if part.kind == "result":
            content = [_chat_part(inner, draw) for inner in part.content]
            error = {} if part.is_error is None else {"is_error": part.is_error}
            yield {"role": "tool", "tool_call_id": part.call_id, "content": content, **error, **_marked(part)}
    yield from _in_messages([part for part in turn if part.kind != "result"], "user", _chat_part, draw)


def _chat_assistant(turn: list[Part], draw: Draw) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    thought = [part for part in turn if part.kind in ("thought", "redacted")]
    said = [part for part in turn if part.kind == "text"]
    if thought and draw(st.booleans()):
        message["reasoning_parts"] = [_chat_part(part, draw) for part in thought]
        thought = []
    if thought or said:
        message["content"] = [_chat_part(part, draw) for part in (*thought, *said)]
    made = [part for part in turn if part.kind == "call"]
    if made:
        message["tool_calls"] = [
            {"id": part.call_id, "type": "function", "function": _function_call(part), **_marked(part)} for part in made
        ]
    return message


def _function_call(part: Part) -> dict[str, Any]:
    return {"name": part.name, "arguments": json.dumps(part.arguments)}


def _chat_part(part: Part, draw: Draw) -> dict[str, Any]:
    if part.kind == "text":
        return {"type": "text", "text": part.text, **_marked(part)}
    if part.kind == "thought":
        return {"type": "reasoning", "reasoning": part.text, "signature": part.seal}
    if part.kind == "redacted":
        return {"type": "redacted_reasoning", "data": part.seal}
    if part.kind == "image":
        return {"type": "image_url", "image_url": {"url": _data_url(part.media)}, **_marked(part)}
    more = {**_marked(part), **({"citations": {"enabled": True}} if part.cites else {})}
    named = {"filename": part.title} if part.title else {}
    url = _data_url(part.media)
    if draw(st.booleans()):
        return {"type": "document", "document": {"type": "pdf", "url": url, **named}, **more}
    where = "uri" if isinstance(part.media, str) else "file_data"
    return {"type": "file", "file": {where: url, **named}, **more}


def _response_system(part: Part, draw: Draw) -> dict[str, Any]:
    [message] = _in_messages([part], draw(st.sampled_from(["system", "developer"])), _response_part, draw)
    return message


def _response_turn(turn: list[Part], is_assistant: bool, draw: Draw) -> Iterator[dict[str, Any]]:
    for part in turn:
        if part.kind in ("thought", "redacted"):
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            sealed = f"{'signature' if part.kind == 'thought' else 'redacted'}:{part.seal}"
            yield {"type": "reasoning", "summary": summary, "encrypted_content": sealed}
        elif part.kind == "result":
            content = [_response_part(inner, draw) for inner in part.content]
            error = {} if part.is_error is None else {"is_error": part.is_error}
            result = {"type": "function_call_output", "call_id": part.call_id, "output": content}
            yield {**result, **error, **_marked(part)}
    said = [part for part in turn if part.kind in ("text", "image", "document")]
    yield from _in_messages(said, "assistant" if is_assistant else "user", _response_part, draw)
    for part in turn:
        if part.kind == "call":
            yield {"type": "function_call", "call_id": part.call_id, **_function_call(part), **_marked(part)}


def _response_part(part: Part, draw: Draw) -> dict[str, Any]:
    if part.kind == "text":
        kind = draw(st.sampled_from(["input_text", "output_text"]))
        return {"type": kind, "text": part.text, **_marked(part)}
    if part.kind == "image":
        return {"type": "input_image", "image_url": _data_url(part.media), **_marked(part)}
    named = {"filename": part.title} if part.title else {}
    cited = {"citations": {"enabled": True}} if part.cites else {}
    where = "file_url" if isinstance(part.media, str) else "file_data"
    return {"type": "input_file", where: _data_url(part.media), **named, **cited, **_marked(part)}


# --- reading it off a Messages body ---


def read_meaning(body: dict[str, Any]) -> Meaning:
    """Return what a Messages body means; a field that is not known here fails the test."""
    body = dict(body)
    choice = body.pop("tool_choice", {})
    one_at_a_time = choice.get("disable_parallel_tool_use", False)
    config = body.pop("output_config", {})
    messages = body.pop("messages")
    assert [message["role"] for message in messages] == [("user", "assistant")[at % 2] for at in range(len(messages))]
    meaning = Meaning(
        system=[_read_block(block) for block in body.pop("system", [])],
        turns=[[_read_block(block) for block in message["content"]] for message in messages],
        tools=[_read_tool(tool) for tool in body.pop("tools", [])],
        choice=(choice["type"], choice.get("name")) if choice else None,
        one_at_a_time=one_at_a_time,
        max_tokens=body.pop("max_tokens"),
        sampling={name: body.pop(name) for name in ("temperature", "top_p", "top_k") if name in body},
        stops=body.pop("stop_sequences", []),
        schema=config["format"]["schema"] if config else None,
        thinking=body.pop("thinking", None),
        user=body.pop("metadata", {}).get("user_id"),
        stream=body.pop("stream", False),
    )
    assert not body
    return meaning


def _read_tool(tool: dict[str, Any]) -> Tool:
    assert tool.keys() <= {"name", "description", "input_schema", "strict", "cache_control"}
    return Tool(
        tool["name"],
        tool.get("description"),
        tool["input_schema"],
        tool.get("strict", False),
        tool.get("cache_control"),
    )


def _read_block(block: dict[str, Any]) -> Part:
    kind, control = block["type"], block.get("cache_control")
    if kind == "text":
        return Part("text", text=block["text"], control=control)
    if kind == "thinking":
        return Part("thought", text=block["thinking"], seal=block["signature"])
    if kind == "redacted_thinking":
        return Part("redacted", seal=block["data"])
    if kind == "image":
        return Part("image", media=_read_source(block["source"]), control=control)
    if kind == "document":
        cites = block.get("citations", {}).get("enabled", False)
        media = _read_source(block["source"])
        return Part("document", media=media, title=block.get("title"), cites=cites, control=control)
    if kind == "tool_use":
        return Part("call", call_id=block["id"], name=block["name"], arguments=block["input"], control=control)
    assert kind == "tool_result"
    content = [_read_block(inner) for inner in block.get("content", [])]
    return Part(
        "result", call_id=block["tool_use_id"], content=content, is_error=block.get("is_error"), control=control
    )


def _read_source(source: dict[str, Any]) -> tuple[str, str] | str:
    if source["type"] == "url":
        url: str = source["url"]
        return url
    assert source["type"] == ("text" if source["media_type"] == "text/plain" else "base64")
    return source["media_type"], source["data"]
