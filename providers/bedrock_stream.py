"""Bedrock's streamed answer: an AWS event stream, each message one event of Anthropic's stream, passed on as SSE."""

from typing import Final

import msgspec

from providers.base import StreamError, TokenCounts, UnreadableAnswer
from providers.bedrock_errors import stream_error
from providers.eventstream import EventStreamDecoder, Message
from providers.sse import StreamMeter


class BedrockStream:
    """Turns an InvokeModelWithResponseStream answer into server-sent events, and meters them.

    Each event's JSON keeps its bytes. An exception inside the stream becomes an ``error`` event as Anthropic sends it.
    """

    __slots__ = ("_decoder", "_meter")

    def __init__(self) -> None:
        self._decoder = EventStreamDecoder()
        self._meter = StreamMeter()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, cut anywhere, and return the events that they complete.

        Raises UnreadableAnswer if the stream is damaged; events before the damage are metered.
        """
        events: list[bytes] = []
        try:
            for message in self._decoder.feed(chunk):
                events.append(_to_event(message))
        finally:
            passed_on = b"".join(events)
            if passed_on:
                self._meter.feed(passed_on)
        return passed_on

    def end(self) -> bytes:
        """Return nothing: what is whole has said so."""
        return b""

    @property
    def first_token_seen(self) -> bool:
        """True once a piece of the answer has come."""
        return self._meter.first_token_seen

    @property
    def counts(self) -> TokenCounts:
        """The counts reported so far."""
        return self._meter.counts

    @property
    def model(self) -> str | None:
        """The model that message_start names."""
        return self._meter.model

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, once message_delta has said so."""
        return self._meter.stop_reason

    @property
    def error(self) -> StreamError | None:
        """The exception inside the stream, if it had one."""
        return self._meter.error

    @property
    def is_complete(self) -> bool:
        """True once message_stop has come."""
        return self._meter.is_complete

    @property
    def text_chars(self) -> int:
        """Characters of text, thinking and tool arguments received so far, exactly."""
        return self._meter.text_chars


class _Part(msgspec.Struct):
    bytes: bytes  # base64 in the JSON; other fields are padding


class _Event(msgspec.Struct):
    type: str = ""


_part_decoder: Final = msgspec.json.Decoder(_Part)
_event_decoder: Final = msgspec.json.Decoder(_Event)


def _to_event(message: Message) -> bytes:
    if message.headers.get(":message-type", "event") != "event":
        return _error_event(stream_error(message.headers, message.payload))
    if message.headers.get(":event-type") != "chunk":
        return b""  # nothing of the answer
    try:
        data = _part_decoder.decode(message.payload).bytes
        kind = _event_decoder.decode(data).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("An event of the stream could not be read.") from None
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)  # a line break would end the event's line
    # Models before Messages send events without a type.
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data) if kind.isidentifier() else b"data: %b\n\n" % data


def _error_event(error: StreamError) -> bytes:
    data = {"type": "error", "error": {"type": error.type, "message": error.message}}
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(data)
