"""Chat completion streams: Messages events to ``chat.completion.chunk`` events.

Source: OpenAI API reference, "Chat", streaming; docs/wire.md, "Chat completions".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.sse import merge_usage
from providers.usage import parse_usage
from router.dialects import envelope
from router.dialects.answer import CUT_SHORT, UNREADABLE, stream_error, tool_arguments
from router.dialects.base import ReplyContext
from router.dialects.reasoning import KINDS, reasoning_part
from router.dialects.usage import chat_usage

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_KEEP_ALIVE = b": ping\n\n"


def finish_reason(stop_reason: str | None) -> str:
    """Return the ``finish_reason`` for a Messages ``stop_reason``; what is not known ended of itself."""
    return _FINISH_REASONS.get(stop_reason or "", "stop")


class ChatStream:
    """Renders one stream. See ``StreamRenderer``."""

    def __init__(self, context: ReplyContext) -> None:
        self._context = context
        options = context.request.body.get("stream_options")
        self._sends_usage = isinstance(options, Mapping) and options.get("include_usage") is True
        self._usage: dict[str, Any] = {}
        self._calls = -1
        self._call: _Call | None = None
        self._thought: dict[str, Any] | None = None
        self._reasoning_parts: list[dict[str, Any]] = []
        self._has_ended = False

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """Return the chunks for one Messages event. See ``StreamRenderer.feed``."""
        if self._has_ended:
            return b""
        try:
            return self._render(event)
        except (KeyError, TypeError, AttributeError):
            return self.fail("provider_error", UNREADABLE)

    def finish(self) -> bytes:
        """Return what is still owed once the provider has closed. See ``StreamRenderer.finish``."""
        return b"" if self._has_ended else self.fail("provider_error", CUT_SHORT)

    def fail(self, code: str, message: str) -> bytes:
        """Return an error as OpenAI's clients look for it in a stream. See ``StreamRenderer.fail``."""
        if self._has_ended:
            return b""
        self._has_ended = True
        return b"data: %b\n\n" % envelope.render_error(500, code, message)

    def _render(self, event: Mapping[str, Any]) -> bytes:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event["delta"])
        if kind == "content_block_start":
            return self._block_start(event["content_block"])
        if kind == "content_block_stop":
            return self._block_stop()
        if kind == "message_start":
            self._usage = merge_usage(self._usage, event["message"].get("usage"))
            return self._chunk({"role": "assistant", "content": "", "refusal": None})
        if kind == "message_delta":
            self._usage = merge_usage(self._usage, event.get("usage"))
            return self._message_end(event["delta"].get("stop_reason"))
        if kind == "message_stop":
            return self._end()
        if kind == "error":
            return self.fail(*stream_error(event))
        return _KEEP_ALIVE if kind == "ping" else b""

    def _block_start(self, block: Mapping[str, Any]) -> bytes:
        kind = block.get("type")
        if kind == "tool_use":
            self._calls += 1
            self._call = _Call(self._calls, block)
            function = {"name": block["name"], "arguments": ""}
            call = {"index": self._calls, "id": block["id"], "type": "function", "function": function}
            return self._chunk({"tool_calls": [call]})
        if kind in KINDS:
            self._thought = dict(block)
            if kind == "redacted_thinking":
                return self._chunk({"redacted_reasoning": block.get("data", "")})
        return self._chunk({"content": block["text"]}) if kind == "text" and block.get("text") else b""

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._chunk({"content": delta["text"]})
        if kind == "input_json_delta" and self._call:
            return self._arguments(delta["partial_json"])
        if kind == "thinking_delta" and self._thought is not None:
            self._thought["thinking"] = self._thought.get("thinking", "") + delta["thinking"]
            return self._chunk({"reasoning": delta["thinking"]})
        if kind == "signature_delta" and self._thought is not None:
            self._thought["signature"] = self._thought.get("signature", "") + delta["signature"]
            return self._chunk({"reasoning_signature": delta["signature"]})
        return b""

    def _arguments(self, fragment: str) -> bytes:
        if not fragment or not self._call:
            return b""
        self._call.has_arguments = True
        return self._chunk({"tool_calls": [{"index": self._call.index, "function": {"arguments": fragment}}]})

    def _block_stop(self) -> bytes:
        rest = b""
        if self._call and not self._call.has_arguments:
            rest = self._arguments(tool_arguments(self._call.block))
        if self._thought:
            self._reasoning_parts.append(reasoning_part(self._thought))
        self._call = self._thought = None
        return rest

    def _message_end(self, stop_reason: str | None) -> bytes:
        parts = self._reasoning_parts
        return self._chunk({"reasoning_parts": parts} if len(parts) > 1 else {}, finish_reason(stop_reason))

    def _end(self) -> bytes:
        self._has_ended = True
        if not self._sends_usage:
            return b"data: [DONE]\n\n"
        usage = chat_usage(parse_usage(self._usage), self._context.cost_usd)
        return _event({**self._head(), "choices": [], "usage": usage}) + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        chunk: dict[str, Any] = {**self._head(), "choices": [choice]}
        if self._sends_usage:
            chunk["usage"] = None
        return _event(chunk)

    def _head(self) -> dict[str, Any]:
        context = self._context
        return {
            "id": f"chatcmpl-{context.request_id}",
            "object": "chat.completion.chunk",
            "created": context.created,
            "model": context.model,
            "system_fingerprint": None,
        }


class _Call:
    """The tool call whose arguments are coming in."""

    __slots__ = ("block", "has_arguments", "index")

    def __init__(self, index: int, block: Mapping[str, Any]) -> None:
        self.index = index
        self.block = block
        self.has_arguments = False


def _event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(data)
