"""Streams of chat completions and responses: read their usage, model and end as they pass.

Every event of either is one ``data:`` line. Lines end in LF or CRLF.
Source: OpenAI API reference, "Chat", streaming; "Responses", streaming events.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from providers.base import StreamError, TokenCounts, UnreadableAnswer
from providers.openai_errors import stream_error
from providers.openai_usage import parse_openai_usage
from providers.sse import decode_event, merge_usage

_DONE: Final = b"[DONE]"
_MOST_BYTES_HELD: Final = 64 * 1024
_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class DataLines:
    """Cuts a byte stream into the data of its events, wherever the chunks happen to end."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of each line that ``chunk`` completes, in order; what is no data is left out."""
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        return [data for line in lines if (data := data_of(line))]

    def end(self) -> list[bytes]:
        """Return the data of a last line without an end, if there is one."""
        return self.feed(b"\n")


def data_of(line: bytes) -> bytes:
    """Return what a line carries, empty if it is no ``data:`` line."""
    return line[5:].strip() if line.startswith(b"data:") else b""


class Reading(ABC):
    """What has been learnt of one stream so far. Usage is cumulative: later figures replace earlier ones."""

    def __init__(self) -> None:
        self.first_token_seen = False
        self.model: str | None = None
        self.stop_reason: str | None = None
        self.error: StreamError | None = None
        self.is_complete = False
        self.text_chars = 0
        self._usage: dict[str, Any] = {}

    @property
    def counts(self) -> TokenCounts:
        """The counts as last reported."""
        return parse_openai_usage(self._usage)

    def take(self, data: bytes) -> dict[str, Any]:
        """Note one event and return it, empty for the one that ends the stream. Raises UnreadableAnswer."""
        if data == _DONE:
            self.is_complete = True
            return {}
        event = decode_event(data)
        self.note(event)
        return event

    def end(self) -> None:
        """Note that the body ended in good order: with its reason told the answer is whole, said or not."""
        self.is_complete = self.is_complete or (self.stop_reason is not None and self.error is None)

    @abstractmethod
    def note(self, event: Mapping[str, Any]) -> None:
        """Learn from one event."""

    def _note_answer(self, answer: Mapping[str, Any]) -> None:
        model = answer.get("model")
        self.model = self.model or (model if isinstance(model, str) and model else None)
        self._usage = merge_usage(self._usage, answer.get("usage"))

    def _note_text(self, text: str) -> None:
        self.first_token_seen = True
        self.text_chars += len(text)


class ChatReading(Reading):
    """Reads ``chat.completion.chunk`` events. ``stop_reason`` is the finish reason."""

    def note(self, event: Mapping[str, Any]) -> None:
        """Learn from one chunk."""
        self._note_answer(event)
        if event.get("error"):
            self.error = stream_error(event["error"])
        for choice in objects(event.get("choices")):
            reason = choice.get("finish_reason")
            self.stop_reason = reason if isinstance(reason, str) and reason else self.stop_reason
            for text in _texts(choice.get("delta")):
                self._note_text(text)


class ResponsesReading(Reading):
    """Reads the events of a response. ``stop_reason`` is its status, or why it is incomplete."""

    def note(self, event: Mapping[str, Any]) -> None:
        """Learn from one event."""
        kind, delta = event.get("type"), event.get("delta")
        if isinstance(kind, str) and kind.endswith(".delta"):
            if isinstance(delta, str):
                # Sound comes as base64, which is not text.
                self._note_text("" if "audio" in kind else delta)
            return
        response = event.get("response")
        if isinstance(response, Mapping):
            self._note_answer(response)
        if kind in _LAST_EVENTS:
            self._note_end(str(kind), response if isinstance(response, Mapping) else event)
        elif kind == "error":
            nested = event.get("error")
            self.error = stream_error(nested if isinstance(nested, Mapping) else _without_type(event))

    def _note_end(self, kind: str, response: Mapping[str, Any]) -> None:
        self.is_complete = True
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        self.stop_reason = reason if isinstance(reason, str) else kind.removeprefix("response.")
        if kind == "response.failed":
            self.error = stream_error(response.get("error"))


class PassingStream:
    """Passes a stream on as it comes, and meters it. See ``AnswerStream``.

    ``feed`` only holds the chunk, apart from those before the first token; what is held is read when a property is
    asked for, or at 64 kB. With ``holds_back_usage`` the chunk that holds nothing but the usage stays here, because
    the client did not ask for it. Events that are not JSON are the client's to judge.
    """

    __slots__ = ("_chunks", "_filter", "_held", "_lines", "_reading", "first_token_seen")

    def __init__(self, reading: Reading, *, holds_back_usage: bool = False) -> None:
        self.first_token_seen = False
        self._reading = reading
        self._lines = DataLines()
        self._filter = _UsageFilter() if holds_back_usage else None
        self._chunks: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, cut anywhere, and return what goes on."""
        self._chunks.append(chunk)
        self._held += len(chunk)
        if not self.first_token_seen or self._held > _MOST_BYTES_HELD:
            self._read()
        return self._filter.feed(chunk) if self._filter else chunk

    def end(self) -> bytes:
        """Take the end, which some servers reach without the mark for it, or without the last line's end."""
        self._read()
        self._learn(self._lines.end())
        self._reading.end()
        return self._filter.end() if self._filter else b""

    @property
    def counts(self) -> TokenCounts:
        """The counts as last reported."""
        return self._read().counts

    @property
    def model(self) -> str | None:
        """The model that the provider says answers."""
        return self._read().model

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, in the provider's own word."""
        return self._read().stop_reason

    @property
    def error(self) -> StreamError | None:
        """The failure inside the stream, if there was one."""
        return self._read().error

    @property
    def is_complete(self) -> bool:
        """True once the provider said that nothing more comes."""
        return self._read().is_complete

    @property
    def text_chars(self) -> int:
        """Characters of text, reasoning and tool arguments received so far."""
        return self._read().text_chars

    def _read(self) -> Reading:
        if self._chunks:
            data = self._lines.feed(b"".join(self._chunks))
            self._chunks.clear()
            self._held = 0
            self._learn(data)
        return self._reading

    def _learn(self, data: Iterable[bytes]) -> None:
        for event in data:
            try:
                self._reading.take(event)
            except UnreadableAnswer:
                continue
        self.first_token_seen = self._reading.first_token_seen


class _UsageFilter:
    """Holds back the chunk that only tells the usage; every other byte goes on, whole lines at a time."""

    __slots__ = ("_drops_blank_line", "_is_inside_event", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._is_inside_event = False
        self._drops_blank_line = False

    def feed(self, chunk: bytes) -> bytes:
        whole, newline, self._tail = (self._tail + chunk).rpartition(b"\n")
        lines = (whole + newline).split(b"\n")[:-1]
        return b"".join(line + b"\n" for line in lines if self._goes_on(line))

    def end(self) -> bytes:
        """Return a last line without an end, if it goes on."""
        last, self._tail = self._tail, b""
        return last if last and self._goes_on(last) else b""

    def _goes_on(self, line: bytes) -> bool:
        is_blank = not line.strip()
        if is_blank:
            drops, self._drops_blank_line, self._is_inside_event = self._drops_blank_line, False, False
            return not drops
        if _is_only_usage(line):
            # An event line that has already gone on still needs its end.
            self._drops_blank_line = not self._is_inside_event
            return False
        self._is_inside_event = True
        return True


def _is_only_usage(line: bytes) -> bool:
    if not _NO_CHOICES.search(line):
        return False
    try:
        event = msgspec.json.decode(data_of(line), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return event.get("choices") == [] and isinstance(event.get("usage"), dict) and not event.get("error")


def objects(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of an array; none of anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text_of(content: object) -> str:
    """Return the text of a message's or a delta's content, which some servers send as parts."""
    if isinstance(content, str):
        return content
    return "".join(text for part in objects(content) if isinstance(text := part.get("text"), str))


def reasoning_of(fields: Mapping[str, Any]) -> str:
    """Return the reasoning that servers other than OpenAI's show; where they give it two names, once."""
    return text_of(fields.get("reasoning")) or text_of(fields.get("reasoning_content"))


def _texts(delta: object) -> Iterable[str]:
    """Return the texts that a delta adds, the arguments of its calls among them, even if empty."""
    if not isinstance(delta, Mapping):
        return
    for text in (text_of(delta.get("content")), text_of(delta.get("refusal")), reasoning_of(delta)):
        if text:
            yield text
    for call in objects(delta.get("tool_calls")):
        function = call.get("function")
        yield text_of(function.get("arguments")) if isinstance(function, Mapping) else ""


def _without_type(event: Mapping[str, Any]) -> Mapping[str, Any]:
    # The event's own type is "error", which names no failure.
    return {name: value for name, value in event.items() if name != "type"}
