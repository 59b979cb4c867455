"""Response streams: Messages events to ``response.…`` events, in the full order that OpenAI's clients insist on.

Source: OpenAI API reference, "Responses", streaming events; docs/wire.md, "Responses".
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec

from router.dialects.answer import tool_arguments
from router.dialects.base import ReplyContext
from router.dialects.citations import CitedText, annotation
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
from router.dialects.translated import TranslatedStream
from router.dialects.usage import responses_usage

_COMPLETED = "completed"
_IN_PROGRESS = "in_progress"
_TEXT_DELTA = "response.output_text.delta"


class ResponsesStream(TranslatedStream):
    """Renders one stream. See ``StreamRenderer``.

    An item stays open until the next one begins or the answer ends, for only then is it known whether it is whole.
    """

    def __init__(self, context: ReplyContext) -> None:
        super().__init__(context)
        self._sequence = -1
        self._items: list[dict[str, Any]] = []
        self._open: _Item | None = None
        self._has_begun = False

    def emit(self, kind: str, **fields: Any) -> bytes:
        """Return one event, with the next sequence number."""
        data = {"type": kind, "sequence_number": self.next_number(), **fields}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(data))

    def next_number(self) -> int:
        """Return the sequence number of the next event."""
        self._sequence += 1
        return self._sequence

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        response = response_object(self._context, _IN_PROGRESS, [])
        return self.emit("response.created", response=response) + self.emit("response.in_progress", response=response)

    def _block_start(self, block: Mapping[str, Any]) -> bytes:
        kind = block["type"]
        if kind == "text":
            first = b"" if isinstance(self._open, _Message) else self._open_item(_Message(self, "msg", block))
            return first + (self._open.continue_with(block) if isinstance(self._open, _Message) else b"")
        return self._open_item(_Call(self, "fc", block) if kind == "tool_use" else _Reasoning(self, "rs", block))

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return self._open.receive(delta) if self._open else b""

    def _block_stop(self) -> bytes:
        return self._open.complete() if self._open else b""

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
        begun = self._begin()
        closed = self._close_item(item_status(self._ending.stop_reason))
        usage = responses_usage(self._counts(), self._context.cost_usd)
        response = finished_response(self._context, self._ending, self._items, usage)
        if self._provider_blocks:
            response["provider_blocks"] = self._provider_blocks
        return begun + closed + self.emit(f"response.{response['status']}", response=response)

    def _failure(self, code: str, message: str) -> bytes:
        """Return ``error`` and ``response.failed``."""
        begun = self._begin()
        error = self.emit("error", code=code, message=message, param=None)
        response = response_object(self._context, "failed", self._items)
        # The response's own error knows fewer codes than ours.
        shown = code if code == "rate_limit_exceeded" else "server_error"
        response["error"] = {"code": shown, "message": message}
        return begun + error + self.emit("response.failed", response=response)


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
    """Texts that follow each other, one part."""

    def __init__(self, stream: ResponsesStream, prefix: str, block: Mapping[str, Any]) -> None:
        super().__init__(stream, prefix, block)
        self._text = ""
        self._cited = CitedText()
        self._annotations: list[dict[str, Any]] = []
        self._frame = b""

    def place(self, index: int, request_id: str) -> None:
        super().place(index, request_id)
        # Nearly all of a stream is these, so what is alike in them is written once.
        alike = {"type": _TEXT_DELTA, "item_id": self.id, "output_index": index, "content_index": 0, "logprobs": []}
        written = msgspec.json.encode(alike)[:-1].replace(b"%", b"%%")
        self._frame = b'event: %b\ndata: %b,"sequence_number":%%d,"delta":%%b}\n\n' % (_TEXT_DELTA.encode(), written)

    def begin(self) -> bytes:
        return super().begin() + self._emit("response.content_part.added", content_index=0, part=text_part(""))

    def continue_with(self, block: Mapping[str, Any]) -> bytes:
        """Take the next text block, with what of its text comes at once."""
        self._cited.begin_block(block.get("citations"))
        return self._say(block["text"]) if block.get("text") else b""

    def receive(self, delta: Mapping[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._say(delta["text"])
        if kind == "citations_delta":
            self._cited.cite(delta["citation"])
        return b""

    def complete(self) -> bytes:
        return b"".join(map(self._annotate, map(annotation, self._cited.end_block())))

    def end(self) -> bytes:
        text = self._emit("response.output_text.done", content_index=0, text=self._text, logprobs=[])
        return text + self._emit("response.content_part.done", content_index=0, part=self._part())

    def render(self, status: str) -> dict[str, Any]:
        return message_item(self.id, None if status == _IN_PROGRESS else self._part(), status)

    def _say(self, text: str) -> bytes:
        self._text += text
        self._cited.grow(text)
        return self._frame % (self._stream.next_number(), msgspec.json.encode(text))

    def _annotate(self, noted: dict[str, Any]) -> bytes:
        self._annotations.append(noted)
        place = {"content_index": 0, "annotation_index": len(self._annotations) - 1}
        return self._emit("response.output_text.annotation.added", **place, annotation=noted)

    def _part(self) -> dict[str, Any]:
        return text_part(self._text, self._annotations)


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
