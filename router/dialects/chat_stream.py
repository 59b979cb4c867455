"""Chat completion streams: Messages events to ``chat.completion.chunk`` events.

Source: OpenAI API reference, "Chat", streaming; docs/wire.md, "Chat completions".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.dialects import envelope
from router.dialects.answer import tool_arguments
from router.dialects.base import ReplyContext
from router.dialects.citations import Citation, CitedText, chat_fields
from router.dialects.reasoning import KINDS, parts_field, placed_part
from router.dialects.translated import TranslatedStream
from router.dialects.usage import chat_usage

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(stop_reason: str | None) -> str:
    """Return the ``finish_reason`` for a Messages ``stop_reason``; what is not known ended of itself."""
    return _FINISH_REASONS.get(stop_reason or "", "stop")


class ChatStream(TranslatedStream):
    """Renders one stream. See ``StreamRenderer``."""

    def __init__(self, context: ReplyContext) -> None:
        super().__init__(context)
        options = context.request.body.get("stream_options")
        self._sends_usage = isinstance(options, Mapping) and options.get("include_usage") is True
        self._calls = -1
        self._call: _Call | None = None
        self._thought: dict[str, Any] | None = None
        self._reasoning_parts: list[dict[str, Any]] = []
        self._text = CitedText()
        self._citations: list[Citation] = []
        self._frame: tuple[bytes, bytes] | None = None

    def _begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _block_start(self, block: Mapping[str, Any]) -> bytes:
        kind = block["type"]
        if kind == "tool_use":
            self._calls += 1
            self._call = _Call(self._calls, block)
            function = {"name": block["name"], "arguments": ""}
            call = {"index": self._calls, "id": block["id"], "type": "function", "function": function}
            return self._chunk({"tool_calls": [call]})
        if kind in KINDS:
            self._thought = dict(block)
            return self._chunk({"redacted_reasoning": block.get("data", "")}) if kind == "redacted_thinking" else b""
        self._text.begin_block(block.get("citations"))
        return self._say(block["text"]) if block.get("text") else b""

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._say(delta["text"])
        if kind == "input_json_delta" and self._call:
            return self._arguments(delta["partial_json"])
        if kind == "thinking_delta" and self._thought is not None:
            self._thought["thinking"] = self._thought.get("thinking", "") + delta["thinking"]
            return self._chunk({"reasoning": delta["thinking"]})
        if kind == "signature_delta" and self._thought is not None:
            self._thought["signature"] = self._thought.get("signature", "") + delta["signature"]
            return self._chunk({"reasoning_signature": delta["signature"]})
        if kind == "citations_delta":
            self._text.cite(delta["citation"])
        return b""

    def _say(self, text: str) -> bytes:
        self._text.grow(text)
        return self._chunk({"content": text})

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
            self._reasoning_parts.append(placed_part(self._thought, self._text.length))
        self._citations += self._text.end_block()
        self._call = self._thought = None
        return rest

    def _end(self) -> bytes:
        reason, told = finish_reason(self._ending.stop_reason), self._ending.as_told()
        ending = self._chunk_with(
            {"index": 0, "delta": self._last_delta(), "finish_reason": reason, "logprobs": None, **told}
        )
        if not self._sends_usage:
            return ending + b"data: [DONE]\n\n"
        usage = chat_usage(self._counts(), self._context.cost_usd)
        return ending + _event({**self._head(), "choices": [], "usage": usage}) + b"data: [DONE]\n\n"

    def _failure(self, code: str, message: str) -> bytes:
        """Return an error as OpenAI's clients look for it in a stream."""
        return b"data: %b\n\n" % envelope.render_error(500, code, message)

    def _last_delta(self) -> dict[str, Any]:
        """Return what can only be told at the end: the fields that hold lists of something."""
        delta = chat_fields(self._citations) | parts_field(self._reasoning_parts)
        if self._provider_blocks:
            delta["provider_blocks"] = self._provider_blocks
        if self._ending.refusal:
            delta["refusal"] = self._ending.refusal
        return delta

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        """Return a chunk in the midst of the answer. All of them are the same but for their delta."""
        if self._frame is None:
            choice = {"index": 0, "finish_reason": None, "logprobs": None}
            before, after = self._chunk_with({**choice, "delta": {}}).split(b'"delta":{}')
            self._frame = before + b'"delta":', after
        before, after = self._frame
        return before + msgspec.json.encode(delta) + after

    def _chunk_with(self, choice: dict[str, Any]) -> bytes:
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
