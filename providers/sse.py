"""Server-sent events of the Messages API: decode them, or only meter them as they pass.

``SSEDecoder`` is for whoever reads every event. ``StreamMeter`` is for the native path, where the bytes go on
unchanged and only the counts are wanted: it holds the chunks and looks into them when asked.
Source: HTML standard, "Server-sent events" (lines end in LF or CRLF; a lone CR is not used by any provider);
Anthropic API reference, "Streaming messages", version 2023-06-01.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import StreamError, TokenCounts, UnreadableAnswer
from providers.usage import parse_usage

_EVENT_END = b"\n\n"
# Chunks are looked through once this much is held, so that a long answer does not stay in memory whole.
_MOST_BYTES_HELD = 64 * 1024
# The frames that make up nearly all of a stream and say nothing about its usage, in the provider's own spelling;
# the same frame spelt otherwise is decoded like any other.
_DELTA_FRAME = b"event: content_block_delta\n"
_IDLE_FRAMES = (b"event: content_block_st", b"event: ping\n")
# Made once: msgspec would look at a type given with each call for longer than it takes to decode an event.
_event_decoder = msgspec.json.Decoder(dict[str, Any])


class SSEDecoder:
    """Cuts a byte stream into events, wherever the chunks happen to end."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of each event that ``chunk`` completes, in order; comments and empty events are left out."""
        frames, self._tail = _split_frames(self._tail + chunk)
        return [data for frame in frames if (data := _data_of(frame))]

    def events(self, chunk: bytes) -> list[dict[str, Any]]:
        """Return the events that ``chunk`` completes, decoded. Raises UnreadableAnswer if one is not a JSON object."""
        return [decode_event(data) for data in self.feed(chunk)]


def decode_event(data: bytes) -> dict[str, Any]:
    """Return one event's data as an object. Raises UnreadableAnswer if it is not one."""
    try:
        return _event_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("An event of the stream could not be read.") from None


def merge_usage(earlier: Mapping[str, Any], later: object) -> dict[str, Any]:
    """Return ``earlier`` overwritten by the fields that ``later`` has: usage is cumulative, never added up."""
    if not isinstance(later, Mapping):
        return dict(earlier)
    return {**earlier, **{name: value for name, value in later.items() if value is not None}}


class StreamMeter:
    """Reads model, counts, stop reason and failure off a passing Messages stream.

    ``feed`` only holds the chunk, apart from the first few, which it reads so that ``first_token_seen`` is right at
    once. What is held is read when a property is asked for, or at 64 kB. The text itself is decoded only for
    ``text_chars``, or at 64 kB, so ``text_chars`` is exact. Events that are not JSON are counted in ``unreadable``.
    """

    __slots__ = (
        "_chunks",
        "_deltas",
        "_error",
        "_held",
        "_is_complete",
        "_model",
        "_stop_reason",
        "_tail",
        "_text_chars",
        "_unreadable",
        "_usage",
        "first_token_seen",
    )

    def __init__(self) -> None:
        self.first_token_seen = False
        self._chunks: list[bytes] = []
        self._held = 0
        self._tail = b""
        self._deltas: list[bytes] = []
        self._text_chars = 0
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._stop_reason: str | None = None
        self._error: StreamError | None = None
        self._is_complete = False
        self._unreadable = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, cut anywhere, and return them."""
        self._chunks.append(chunk)
        self._held += len(chunk)
        if not self.first_token_seen:
            self._read()
        elif self._held > _MOST_BYTES_HELD:
            self._read()
            self._count_text()
            self._held = len(self._tail)
        return chunk

    def end(self) -> bytes:
        """Return nothing: what is whole has said so."""
        return b""

    @property
    def counts(self) -> TokenCounts:
        """The counts reported so far: message_start's, overwritten by what message_delta reports."""
        self._read()
        return parse_usage(self._usage)

    @property
    def usage(self) -> Mapping[str, Any]:
        """The provider's own ``usage`` object as known so far."""
        self._read()
        return self._usage

    @property
    def model(self) -> str | None:
        """The model that message_start names."""
        self._read()
        return self._model

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, once message_delta has said so."""
        self._read()
        return self._stop_reason

    @property
    def error(self) -> StreamError | None:
        """The ``error`` event, if the stream had one."""
        self._read()
        return self._error

    @property
    def is_complete(self) -> bool:
        """True once message_stop has come."""
        self._read()
        return self._is_complete

    @property
    def unreadable(self) -> int:
        """How many events could not be decoded."""
        self._read()
        return self._unreadable

    @property
    def text_chars(self) -> int:
        """Characters of text, thinking and tool arguments received so far, exactly."""
        self._read()
        self._count_text()
        return self._text_chars

    def _read(self) -> None:
        if not self._chunks:
            return
        frames, self._tail = _split_frames(self._tail + b"".join(self._chunks))
        self._chunks.clear()
        for frame in frames:
            if frame.startswith(_DELTA_FRAME):
                self.first_token_seen = True
                self._deltas.append(frame)
            elif not frame.startswith(_IDLE_FRAMES):
                self._note(frame)

    def _note(self, frame: bytes) -> None:
        event = self._decode(frame)
        kind = event.get("type")
        if kind == "message_start":
            message = _mapping(event.get("message"))
            self._model = _string(message.get("model"))
            self._usage = merge_usage(self._usage, message.get("usage"))
        elif kind == "message_delta":
            self._usage = merge_usage(self._usage, event.get("usage"))
            self._stop_reason = _string(_mapping(event.get("delta")).get("stop_reason")) or self._stop_reason
        elif kind == "message_stop":
            self._is_complete = True
        elif kind == "error":
            error = _mapping(event.get("error"))
            self._error = StreamError(_string(error.get("type")) or "", _string(error.get("message")) or "")
        elif kind == "content_block_delta":
            self.first_token_seen = True
            self._deltas.append(frame)

    def _count_text(self) -> None:
        for frame in self._deltas:
            delta = _mapping(self._decode(frame).get("delta"))
            for name in ("text", "thinking", "partial_json"):
                self._text_chars += len(_string(delta.get(name)) or "")
        self._deltas.clear()

    def _decode(self, frame: bytes) -> dict[str, Any]:
        data = _data_of(frame)
        if not data:
            return {}
        try:
            return decode_event(data)
        except UnreadableAnswer:
            self._unreadable += 1
            return {}


def _split_frames(stream: bytes) -> tuple[list[bytes], bytes]:
    # A CR at the very end stays in the tail and meets its LF in the next chunk.
    if b"\r" in stream:
        stream = stream.replace(b"\r\n", b"\n")
    frames = stream.split(_EVENT_END)
    tail = frames.pop()
    return frames, tail


def _data_of(frame: bytes) -> bytes:
    # Nearly every frame is one event line and one data line.
    before, _, data = frame.partition(b"\ndata: ")
    if data and b"data:" not in before and b"\n" not in data:
        return data
    lines = [line[5:].removeprefix(b" ") for line in frame.split(b"\n") if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
