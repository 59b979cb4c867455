"""An answer of the gateway in the same words, whatever dialect it came in, whole or streamed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.sse import SSEDecoder
from tests.dialects.samples import fold

_REDACTED, _SIGNED = "redacted:", "signature:"


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class Thought:
    """One thinking block; of a redacted one only ``redacted`` is known."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


@dataclass(frozen=True)
class Reply:
    """What a client was told. ``usage`` holds the five disjoint counts, and ``reasoning`` where it is told.

    ``ending`` is in the dialect's own words: a finish reason, a stop reason, or "completed", "incomplete:<reason>".
    ``citations`` are the cited texts with their source's title, ``raw`` the whole answer as the dialect has it.
    """

    text: str
    ending: str
    calls: Sequence[ToolCall] = ()
    thoughts: Sequence[Thought] = ()
    citations: Sequence[tuple[str, str | None]] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


def read_reply(dialect: str, body: bytes) -> Reply:
    """Return the answer in ``body``, JSON or server-sent events, of a dialect by its name."""
    return _READERS[dialect](body)


def _read_messages(body: bytes) -> Reply:
    answer = json.loads(body) if body.startswith(b"{") else fold(SSEDecoder().events(body))
    content = answer["content"]
    return Reply(
        text="".join(block["text"] for block in content if block["type"] == "text"),
        ending=answer["stop_reason"],
        calls=[ToolCall(b["id"], b["name"], b["input"]) for b in content if b["type"] == "tool_use"],
        thoughts=[
            Thought(block.get("thinking", ""), block.get("signature", ""), block.get("data", ""))
            for block in content
            if block["type"] in ("thinking", "redacted_thinking")
        ],
        citations=[
            (cited["cited_text"], cited.get("document_title") or cited.get("title"))
            for block in content
            for cited in block.get("citations") or ()
        ],
        usage=_message_counts(answer["usage"]),
        raw=answer,
    )


def _read_chat(body: bytes) -> Reply:
    completion = json.loads(body) if body.startswith(b"{") else _fold_chunks(body)
    [choice] = completion["choices"]
    message = choice["message"]
    return Reply(
        text=message.get("content") or "",
        ending=choice["finish_reason"],
        calls=[
            ToolCall(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ],
        thoughts=_chat_thoughts(message),
        citations=[
            (cited["cited_text"], cited.get("document_title") or cited.get("title"))
            for cited in message.get("citations") or ()
        ],
        usage=_openai_counts(completion.get("usage"), "prompt", "completion"),
        raw=completion,
    )


def _chat_thoughts(message: Mapping[str, Any]) -> list[Thought]:
    if parts := message.get("reasoning_parts"):
        return [Thought(p.get("reasoning", ""), p.get("signature", ""), p.get("data", "")) for p in parts]
    thoughts = []
    if message.get("reasoning_signature"):
        thoughts.append(Thought(message.get("reasoning", ""), message["reasoning_signature"]))
    if message.get("redacted_reasoning"):
        thoughts.append(Thought(redacted=message["redacted_reasoning"]))
    return thoughts


def _fold_chunks(body: bytes) -> dict[str, Any]:
    """Return the chat completion that a stream of chunks amounts to."""
    *frames, done = SSEDecoder().feed(body)
    assert done == b"[DONE]", done
    message: dict[str, Any] = {"content": ""}
    choice: dict[str, Any] = {"message": message, "finish_reason": None}
    usage = None
    for chunk in map(json.loads, frames):
        usage = chunk.get("usage") or usage
        for part in chunk["choices"]:
            choice |= {name: value for name, value in part.items() if name != "delta" and value is not None}
            _add_delta(message, part["delta"])
    return {"choices": [choice], "usage": usage}


def _add_delta(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for call in value:
                _add_call(message.setdefault("tool_calls", []), call)
        elif isinstance(value, str) and name != "role":
            message[name] = (message.get(name) or "") + value
        else:
            message[name] = value


def _add_call(calls: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    if part["index"] == len(calls):
        calls.append({"id": part["id"], "function": dict(part["function"])})
    else:
        calls[part["index"]]["function"]["arguments"] += part["function"]["arguments"]


def _read_responses(body: bytes) -> Reply:
    response = json.loads(body) if body.startswith(b"{") else _last_response(body)
    output = response["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    details = response["incomplete_details"]
    return Reply(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        ending=f"{response['status']}:{details['reason']}" if details else response["status"],
        calls=[
            ToolCall(item["call_id"], item["name"], json.loads(item["arguments"]))
            for item in output
            if item["type"] == "function_call"
        ],
        thoughts=[_response_thought(item) for item in output if item["type"] == "reasoning"],
        citations=[
            (noted["citation"]["cited_text"], noted.get("title") or noted.get("filename"))
            for part in parts
            for noted in part.get("annotations") or ()
        ],
        usage=_openai_counts(response["usage"], "input", "output"),
        raw=response,
    )


def _response_thought(item: Mapping[str, Any]) -> Thought:
    sealed = item["encrypted_content"] or ""
    if sealed.startswith(_REDACTED):
        return Thought(redacted=sealed.removeprefix(_REDACTED))
    return Thought("".join(part["text"] for part in item["summary"]), sealed.removeprefix(_SIGNED))


def _last_response(body: bytes) -> dict[str, Any]:
    events = [json.loads(data) for data in SSEDecoder().feed(body)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] in ("response.completed", "response.incomplete"), events[-1]
    response: dict[str, Any] = events[-1]["response"]
    return response


def _message_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    written = usage.get("cache_creation_input_tokens") or 0
    written_1h = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    counts = {
        "uncached_input": usage["input_tokens"],
        "cache_read": usage.get("cache_read_input_tokens") or 0,
        "cache_write_5m": written - written_1h,
        "cache_write_1h": written_1h,
        "output": usage["output_tokens"],
    }
    reasoning = (usage.get("output_tokens_details") or {}).get("thinking_tokens")
    return counts if reasoning is None else {**counts, "reasoning": reasoning}


def _openai_counts(usage: Mapping[str, Any] | None, before: str, after: str) -> dict[str, int]:
    """Return the counts of a chat's or a response's usage, where cached tokens are part of the input."""
    if usage is None:
        return {}
    details, more = usage[f"{before}_tokens_details"], usage[f"{after}_tokens_details"]
    counts = {
        "uncached_input": usage[f"{before}_tokens"] - details["cached_tokens"] - details["cache_creation_tokens"],
        "cache_read": details["cached_tokens"],
        "cache_write_5m": details["cache_creation_5m_tokens"],
        "cache_write_1h": details["cache_creation_1h_tokens"],
        "output": usage[f"{after}_tokens"],
    }
    reasoning = more["reasoning_tokens"]
    return counts if reasoning is None else {**counts, "reasoning": reasoning}


_READERS = {"chat": _read_chat, "responses": _read_responses, "messages": _read_messages}
