"""A message as a chat completion, whole and in chunks.

Source: OpenAI API reference, "Chat completions" and its streaming.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import ApiError
from simulator.http import to_json
from simulator.openai_errors import in_openai_words
from simulator.openai_usage import OpenAIUsage
from simulator.stream import events_of

REFUSAL = "I'm sorry, but I can't assist with that request."
DONE = b"data: [DONE]\n\n"
_FINISH_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}
Json = Mapping[str, Any]


class ChatFraming:
    """The rest of a stream of chunks: see sending.Framing."""

    ping = b": ping\n\n"
    broken = b'data: {"id":"chatcmpl-sim","object":"chat.comp\n\n'

    def failed(self, error: ApiError, sent: int) -> bytes:
        return _frame({"error": in_openai_words(error)[1]})


def completion_of(message: Json, created: int) -> dict[str, Any]:
    """Return the whole chat completion that says ``message``; ``created`` in Unix seconds."""
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    calls = [_call(block) for block in message["content"] if block["type"] == "tool_use"]
    is_refused = message["stop_reason"] == "refusal"
    # A call comes without words, as at OpenAI.
    said = {
        "role": "assistant",
        "content": None if calls or is_refused else "".join(texts),
        "refusal": REFUSAL if is_refused else None,
        "annotations": [],
        **({"tool_calls": calls} if calls else {}),
    }
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": _finish_reason(message)}
    usage = OpenAIUsage.of(message["usage"]).as_chat()
    return {**_head(message, created, "chat.completion"), "choices": [choice], "usage": usage}


def chunks_of(message: Json, created: int, dice: random.Random, *, has_usage: bool) -> Iterator[bytes]:
    """Yield the frames that stream ``message``; with ``has_usage`` the last chunk holds no choice but the usage."""
    head = _head(message, created, "chat.completion.chunk")
    usage: dict[str, Any] = {"usage": None} if has_usage else {}
    is_calling = message["stop_reason"] == "tool_use"
    deltas = [{"role": "assistant", "content": None if is_calling else "", "refusal": None}]
    deltas += _deltas(message, dice, is_calling)
    if message["stop_reason"] == "refusal":
        deltas.append({"refusal": REFUSAL})
    for delta in deltas:
        yield _frame({**head, "choices": [_choice(delta, None)], **usage})
    yield _frame({**head, "choices": [_choice({}, _finish_reason(message))], **usage})
    if has_usage:
        yield _frame({**head, "choices": [], "usage": OpenAIUsage.of(message["usage"]).as_chat()})
    yield DONE


def _deltas(message: Json, dice: random.Random, is_calling: bool) -> Iterator[dict[str, Any]]:
    """Yield what each event adds to the choice: nothing for thoughts, nor for words beside calls."""
    numbers = [at for at, block in enumerate(message["content"]) if block["type"] == "tool_use"]
    for event in events_of(message, dice):
        at = event.get("index")
        if event["type"] == "content_block_start" and at in numbers:
            call = _call(message["content"][at])
            opened = {**call, "function": {**call["function"], "arguments": ""}}
            yield {"tool_calls": [{"index": numbers.index(at), **opened}]}
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta" and not is_calling:
                yield {"content": delta["text"]}
            elif delta["type"] == "input_json_delta" and delta["partial_json"] and at in numbers:
                yield {"tool_calls": [{"index": numbers.index(at), "function": {"arguments": delta["partial_json"]}}]}


def _head(message: Json, created: int, kind: str) -> dict[str, Any]:
    return {
        "id": message["id"].replace("msg_", "chatcmpl-"),
        "object": kind,
        "created": created,
        "model": message["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _choice(delta: Json, finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _call(block: Json) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": to_json(block["input"]).decode()}
    return {"id": block["id"].replace("toolu_", "call_"), "type": "function", "function": function}


def _finish_reason(message: Json) -> str:
    return _FINISH_REASONS.get(message["stop_reason"], "stop")


def _frame(chunk: Json) -> bytes:
    return b"data: %b\n\n" % to_json(chunk)
