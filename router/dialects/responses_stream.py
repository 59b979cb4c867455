"""Response streams: Messages events to ``response.…`` events, in the full order that OpenAI's clients insist on.

Source: OpenAI API reference, "Responses", streaming events; docs/wire.md, "Responses".
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec

from providers.sse import merge_usage
from providers.usage import parse_usage
from router.dialects.answer import CUT_SHORT, UNREADABLE, stream_error, tool_arguments
from router.dialects.base import ReplyContext
from router.dialects.response_object import (
    call_item,
    finished_response,
    item_id,
    item_status,
    message_item,
    reasoning_item,
    response_object,
    text_part,
)
from router.dialects.usage import responses_usage

_KEEP_ALIVE = b": ping\n\n"
_COMPLETED = "completed"
_IN_PROGRESS = "in_progress"


class ResponsesStream:
    """Renders one stream. See ``StreamRenderer``.

    An item stays open until the next one begins or the answer ends, for only then is it known whether it is whole.
    """

    def __init__(self, context: ReplyContext) -> None:
        self._context = context
        self._sequence = -1
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._items: list[dict[str, Any]] = []
        self._open: _Item | None = None
        self._is_receiving = False
        self._has_begun = False
        self._has_ended = False

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """Return the events for one Messages event. See ``StreamRenderer.feed``."""
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
        """Return ``error`` and ``response.failed``. See ``StreamRenderer.fail``."""
        if self._has_ended:
            return b""
        begun = self._begin()
        self._has_ended = True
        error = self.emit("error", code=code, message=message, param=None)
        response = response_object(self._context, "failed", self._items)
        # The response's own error knows fewer codes than ours.
        shown = code if code == "rate_limit_exceeded" else "server_error"
        response["error"] = {"code": shown, "message": message}
        return begun + error + self.emit("response.failed", response=response)

    def emit(self, kind: str, **fields: Any) -> bytes:
        """Return one event, with the next sequence number."""
        self._sequence += 1
        data = {"type": kind, "sequence_number": self._sequence, **fields}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(data))

    def _render(self, event: Mapping[str, Any]) -> bytes:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._open.receive(event["delta"]) if self._open and self._is_receiving else b""
        if kind == "content_block_start":
            return self._block_start(event["content_block"])
        if kind == "content_block_stop":
            return self._block_stop()
        if kind == "message_start":
            self._usage = merge_usage(self._usage, event["message"].get("usage"))
            return self._begin()
        if kind == "message_delta":
            self._usage = merge_usage(self._usage, event.get("usage"))
            self._stop_reason = event["delta"].get("stop_reason")
            return b""
        if kind == "message_stop":
            return self._end()
        if kind == "error":
            return self.fail(*stream_error(event))
        return _KEEP_ALIVE if kind == "ping" else b""

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        response = response_object(self._context, _IN_PROGRESS, [])
        return self.emit("response.created", response=response) + self.emit("response.in_progress", response=response)

    def _block_start(self, block: Mapping[str, Any]) -> bytes:
        kind = block.get("type")
        if kind == "text":
            self._is_receiving = True
            first = b"" if isinstance(self._open, _Message) else self._open_item(_Message(self, "msg", block))
            text = block.get("text")
            return first + (self._open.receive({"type": "text_delta", "text": text}) if text and self._open else b"")
        item: _Item
        if kind == "tool_use":
            item = _Call(self, "fc", block)
        elif kind in ("thinking", "redacted_thinking"):
            item = _Reasoning(self, "rs", block)
        else:
            return b""
        self._is_receiving = True
        return self._open_item(item)

    def _block_stop(self) -> bytes:
        if not (self._open and self._is_receiving):
            return b""
        self._is_receiving = False
        return self._open.complete()

    def _open_item(self, item: "_Item") -> bytes:
        closed = self._close_item(_COMPLETED)
        item.place(len(self._items), self._context.request_id)
        self._open = item
        return closed + item.begin()

    def _close_item(self, status: str) -> bytes:
        item, self._open = self._open, None
        if item is None:
            return b""
        rendered = item.render(status)
        self._items.append(rendered)
        return item.end() + self.emit("response.output_item.done", output_index=item.index, item=rendered)

    def _end(self) -> bytes:
        closed = self._close_item(item_status(self._stop_reason))
        self._has_ended = True
        usage = responses_usage(parse_usage(self._usage), self._context.cost_usd)
        response = finished_response(self._context, self._stop_reason, self._items, usage)
        return self._begin() + closed + self.emit(f"response.{response['status']}", response=response)


class _Item(ABC):
    """The output item that is open: what has come of it, and where it stands."""

    def __init__(self, stream: ResponsesStream, prefix: str, block: Mapping[str, Any]) -> None:
        self._stream = stream
        self._prefix = prefix
        self._block = dict(block)
        self.index = 0
        self.id = ""

    def place(self, index: int, request_id: str) -> None:
        self.index = index
        self.id = item_id(self._prefix, request_id, index)

    def begin(self) -> bytes:
        return self._stream.emit("response.output_item.added", output_index=self.index, item=self.render(_IN_PROGRESS))

    def complete(self) -> bytes:
        """Return what is owed when the block's last fragment has come."""
        return b""

    @abstractmethod
    def receive(self, delta: Mapping[str, Any]) -> bytes:
        """Take a fragment and return its events."""

    @abstractmethod
    def end(self) -> bytes:
        """Return the events that come before the item is said to be done."""

    @abstractmethod
    def render(self, status: str) -> dict[str, Any]:
        """Return the item as it stands."""

    def _emit(self, kind: str, **fields: Any) -> bytes:
        return self._stream.emit(kind, item_id=self.id, output_index=self.index, **fields)


class _Message(_Item):
    _text = ""

    def begin(self) -> bytes:
        return super().begin() + self._emit("response.content_part.added", content_index=0, part=text_part(""))

    def receive(self, delta: Mapping[str, Any]) -> bytes:
        if delta.get("type") != "text_delta":
            return b""
        self._text += delta["text"]
        return self._emit("response.output_text.delta", content_index=0, delta=delta["text"], logprobs=[])

    def end(self) -> bytes:
        text = self._emit("response.output_text.done", content_index=0, text=self._text, logprobs=[])
        return text + self._emit("response.content_part.done", content_index=0, part=text_part(self._text))

    def render(self, status: str) -> dict[str, Any]:
        return message_item(self.id, None if status == _IN_PROGRESS else self._text, status)


class _Call(_Item):
    _arguments = ""

    def receive(self, delta: Mapping[str, Any]) -> bytes:
        if delta.get("type") != "input_json_delta" or not delta["partial_json"]:
            return b""
        self._arguments += delta["partial_json"]
        return self._emit("response.function_call_arguments.delta", delta=delta["partial_json"])

    def complete(self) -> bytes:
        if self._arguments:
            return b""
        return self.receive({"type": "input_json_delta", "partial_json": tool_arguments(self._block)})

    def end(self) -> bytes:
        name = self._block["name"]
        return self._emit("response.function_call_arguments.done", name=name, arguments=self._arguments)

    def render(self, status: str) -> dict[str, Any]:
        return call_item(self.id, self._block, self._arguments, status)


class _Reasoning(_Item):
    _has_part = False

    def receive(self, delta: Mapping[str, Any]) -> bytes:
        if delta.get("type") == "signature_delta":
            self._block["signature"] = self._block.get("signature", "") + delta["signature"]
        if delta.get("type") != "thinking_delta" or not delta["thinking"]:
            return b""
        first = b"" if self._has_part else self._part("added", "")
        self._has_part = True
        self._block["thinking"] = self._block.get("thinking", "") + delta["thinking"]
        return first + self._emit("response.reasoning_summary_text.delta", summary_index=0, delta=delta["thinking"])

    def end(self) -> bytes:
        if not self._has_part:
            return b""
        text = self._block["thinking"]
        done = self._emit("response.reasoning_summary_text.done", summary_index=0, text=text)
        return done + self._part("done", text)

    def render(self, status: str) -> dict[str, Any]:
        return reasoning_item(self.id, self._block, status)

    def _part(self, what: str, text: str) -> bytes:
        part = {"type": "summary_text", "text": text}
        return self._emit(f"response.reasoning_summary_part.{what}", summary_index=0, part=part)
