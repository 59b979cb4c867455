"""A scriptable upstream on a real socket: what it saw, what it answered, and a log of the truth.

    with Stub() as stub:
        stub.replies.append(Reply.of_json({"type": "message"}, status=200))
        …send requests to stub.origin…
        assert stub.requests[0].path == "/v1/messages"

Without a scripted reply it answers as the Messages API would, JSON or SSE as the body asks, with token counts made
from a hash of the attempt's id: a row that is lost and another counted twice cannot cancel out.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")


@dataclass(frozen=True)
class Seen:
    """One request as it reached the stub; header names are lower case, the last of a repeated one wins."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    attempt_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """How the stub answers one request.

    ``chunk_sizes`` are the network chunks of the body in bytes (the rest goes as one). ``delay_s`` passes before the
    status line, ``between_s`` between chunks. ``cut_after`` resets the connection after that many bytes of the body,
    ``stall_after`` sends that many and then nothing until the client leaves; -1 does so before the status line.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    body: bytes = b""
    chunk_sizes: tuple[int, ...] = ()
    delay_s: float = 0
    between_s: float = 0
    cut_after: int | None = None
    stall_after: int | None = None

    @classmethod
    def of_json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        return cls(status, {"content-type": "application/json", **(headers or {})}, json.dumps(value).encode())

    @classmethod
    def of_events(cls, events: Iterable[Mapping[str, Any]], *, headers: Mapping[str, str] | None = None) -> Self:
        """A stream of Messages events, one network chunk each."""
        frames = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
        sizes = tuple(len(frame) for frame in frames)
        return cls(200, {"content-type": "text/event-stream", **(headers or {})}, b"".join(frames), sizes)

    @classmethod
    def of_error(cls, status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None) -> Self:
        envelope = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_stub"}
        return cls.of_json(envelope, status=status, headers={"request-id": "req_stub", **(headers or {})})


Handler = Callable[[Seen], Reply]


def counts_of(attempt_id: str) -> dict[str, int]:
    """Return the five token counts of an attempt: fixed by its id, all different from its neighbours'."""
    digest = hashlib.sha256(attempt_id.encode()).digest()
    parts = [int.from_bytes(digest[at : at + 3], "big") for at in range(0, 15, 3)]
    return {
        "uncached_input_tokens": parts[0] % 9_973 + 1,
        "cache_read_input_tokens": parts[1] % 19_997,
        "cache_write_5m_input_tokens": parts[2] % 4_999,
        "cache_write_1h_input_tokens": parts[3] % 2_999,
        "output_tokens": parts[4] % 997 + 1,
    }


def usage_of(attempt_id: str) -> dict[str, Any]:
    """Return the same counts as a Messages ``usage`` object."""
    counts = counts_of(attempt_id)
    written_5m, written_1h = counts["cache_write_5m_input_tokens"], counts["cache_write_1h_input_tokens"]
    return {
        "input_tokens": counts["uncached_input_tokens"],
        "cache_read_input_tokens": counts["cache_read_input_tokens"],
        "cache_creation_input_tokens": written_5m + written_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": written_5m, "ephemeral_1h_input_tokens": written_1h},
        "output_tokens": counts["output_tokens"],
        "service_tier": "standard",
    }


def answer_counted(seen: Seen) -> Reply:
    """Answer as the Messages API would, with the counts of this attempt and its id as ``request-id``."""
    headers = {"request-id": seen.attempt_id}
    if seen.method == "GET":
        return Reply.of_json(
            {"data": [{"type": "model", "id": "claude-sonnet-4-6"}], "has_more": False}, headers=headers
        )
    body = seen.json if seen.body else {}
    usage = usage_of(seen.attempt_id)
    if seen.path.split("?")[0].endswith("/count_tokens"):
        return Reply.of_json({"input_tokens": usage["input_tokens"]}, headers=headers)
    message = {
        "id": seen.attempt_id.replace("req_", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [{"type": "text", "text": "Hello from the stub."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if not body.get("stream"):
        return Reply.of_json(message, headers=headers)
    return Reply.of_events(events_of(message), headers=headers)


def events_of(message: Mapping[str, Any], *, deltas: int = 4) -> list[dict[str, Any]]:
    """Return the stream of a one-text message, as the Messages API sends it: the output count comes last."""
    usage = message["usage"]
    text = message["content"][0]["text"]
    step = -(-len(text) // deltas)
    opened = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    return [
        {"type": "message_start", "message": opened},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text[at : at + step]}}
            for at in range(0, len(text), step)
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]


class Stub:
    """The server; a context manager that runs it in a thread of its own on a free port of 127.0.0.1.

    ``replies`` are used first, in order; then ``handler`` answers. With ``truth_path`` each request is written to
    that file as a line of JSON (attempt id, path and its counts), synced to disk before the answer begins.
    """

    def __init__(self, *, handler: Handler = answer_counted, truth_path: Path | None = None) -> None:
        self.replies: deque[Reply] = deque()
        self.requests: list[Seen] = []
        self.disconnects = 0
        self.handler = handler
        self.truth_path = truth_path
        self.origin = ""
        self._nonce = os.urandom(4).hex()
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="stub", daemon=True)
        self._is_up = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def truth(self) -> list[dict[str, Any]]:
        """Return the logged attempts; a last line that a crash cut short does not occur, for each is synced whole."""
        if self.truth_path is None or not self.truth_path.exists():
            return []
        return [json.loads(line) for line in self.truth_path.read_text().splitlines()]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._is_up.set()
        self._loop.run_forever()
        server.close()
        for task in self._connections:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._connections, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (seen := await self._read(reader)) is not None:
                self._note(seen)
                reply = self.replies.popleft() if self.replies else self.handler(seen)
                if not await self._answer(reply, reader, writer):
                    break
        except ConnectionError:
            self.disconnects += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        request_line, *lines = head.split("\r\n")
        method, path, _ = request_line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await _read_body(reader, headers)
        return Seen(method, path, headers, body, f"req_stub_{self._nonce}_{len(self.requests)}")

    def _note(self, seen: Seen) -> None:
        self.requests.append(seen)
        if self.truth_path is None:
            return
        line = json.dumps({"attempt_id": seen.attempt_id, "path": seen.path, **counts_of(seen.attempt_id)})
        with self.truth_path.open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send ``reply``; return whether the connection can serve another request."""
        await asyncio.sleep(reply.delay_s)
        if reply.stall_after == -1:
            await self._until_client_leaves(reader)
            return False
        if reply.cut_after == -1:
            writer.transport.abort()
            return False
        is_stream = reply.headers.get("content-type", "").startswith(_STREAMS) or bool(reply.chunk_sizes)
        framing = {"transfer-encoding": "chunked"} if is_stream else {"content-length": str(len(reply.body))}
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in {**reply.headers, **framing}.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        end = reply.cut_after if reply.cut_after is not None else reply.stall_after
        for chunk in _cut(reply.body[:end], reply.chunk_sizes):
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_stream else chunk)
            await writer.drain()
            await asyncio.sleep(reply.between_s)
        if reply.cut_after is not None:
            # What is written must have left before the reset, or the client would not see those bytes.
            await asyncio.sleep(0.02)
            writer.transport.abort()
            return False
        if reply.stall_after is not None:
            await self._until_client_leaves(reader)
            return False
        if is_stream:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _until_client_leaves(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        self.disconnects += 1


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def _cut(body: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    at = 0
    for size in sizes:
        if body[at : at + size]:
            yield body[at : at + size]
        at += size
    if body[at:]:
        yield body[at:]


def with_chunks(reply: Reply, size: int) -> Reply:
    """Return ``reply`` cut into network chunks of ``size`` bytes, whatever its events' boundaries are."""
    return replace(reply, chunk_sizes=tuple([size] * (len(reply.body) // size)))
