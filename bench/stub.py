"""The upstream of the benchmark: answers as fast as one process can, always the same.

A body with ``"stream":true`` gets a stream of 30 events, each its own network chunk; any other 600 bytes of JSON. To
Bedrock's streaming path, whose body does not say so, the same events go in AWS's frames. It speaks HTTP/1.1 by hand, so
that it never is what limits the measured servers.
"""

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

from simulator.eventstream import encode_chunk

EVENTS = 30
ANSWER_BYTES = 600
_USAGE = {
    "input_tokens": 412,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 2_048,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 96,
    "service_tier": "standard",
}
_MESSAGE: dict[str, Any] = {
    "id": "msg_01BenchBenchBenchBenchBe",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [{"type": "text", "text": ""}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_HEADERS = b"HTTP/1.1 200 OK\r\nrequest-id: req_01BenchBenchBenchBenchBe\r\n"


def make_answer() -> bytes:
    """Return a whole answer of exactly ANSWER_BYTES."""
    missing = ANSWER_BYTES - len(json.dumps(_MESSAGE))
    return json.dumps({**_MESSAGE, "content": [{"type": "text", "text": "x" * missing}]}).encode()


def make_events() -> list[dict[str, Any]]:
    """Return the EVENTS events of a stream."""
    text = {"type": "text_delta", "text": " some words of an answer"}
    return [
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "usage": {**_USAGE, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "index": 0, "delta": text}] * (EVENTS - 5),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 96},
        },
        {"type": "message_stop"},
    ]


def _server_sent(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_ANSWER = _HEADERS + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (ANSWER_BYTES, make_answer())


def _stream(content_type: bytes, frames: list[bytes]) -> list[bytes]:
    head = _HEADERS + b"content-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % content_type
    return [head, *map(_chunk, frames), b"0\r\n\r\n"]


_STREAM = _stream(b"text/event-stream; charset=utf-8", [_server_sent(event) for event in make_events()])
_AWS_STREAM = _stream(b"application/vnd.amazon.eventstream", [encode_chunk(event, 12) for event in make_events()])
_AWS_PATH_END = b"/invoke-with-response-stream HTTP/1.1"


class Upstream(asyncio.Protocol):
    """One connection, requests one after the other."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of the type they implement.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._received = body[length:]
        if head.partition(b"\r\n")[0].endswith(_AWS_PATH_END):
            self._send_part(_AWS_STREAM, 0)
        elif b'"stream":true' in body[:length]:
            self._send_part(_STREAM, 0)
        elif self._transport:
            self._transport.write(_ANSWER)

    def _send_part(self, stream: list[bytes], number: int) -> None:
        """Send one part of the stream and the next in the loop's next turn, so that each is a packet of its own."""
        if self._transport is None:
            return
        self._transport.write(stream[number])
        if number + 1 < len(stream):
            asyncio.get_running_loop().call_soon(self._send_part, stream, number + 1)


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
