"""A lean load generator: HTTP/1.1 by hand over a few connections, each sending one request after the other.

    python -m bench.load '{"port": 8000, "path": "/…", "headers": {…}, "body": {…}, "connections": 32, "seconds": 4}'

prints one line of JSON: requests, seconds, failures, and the latencies' p50 and p99 in milliseconds.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop


@dataclass
class Tally:
    """What all connections saw."""

    latencies_s: list[float] = field(default_factory=list)
    failures: int = 0


class Connection(asyncio.Protocol):
    """Sends ``request`` again as soon as it is answered, until ``end`` (of the loop's clock)."""

    def __init__(self, request: bytes, end: float, tally: Tally) -> None:
        self._request, self._end, self._tally = request, end, tally
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of the type they implement.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._tally.failures += 1
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not _is_whole(self._received):
            return
        now = time.perf_counter()
        self._tally.latencies_s.append(now - self._sent_at)
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._tally.failures += 1
        if now >= self._end:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._send()

    def _send(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)


def _is_whole(received: bytes) -> bool:
    """True once an answer is complete; streams end with the empty chunk, others have a length."""
    if received.endswith(b"\r\n0\r\n\r\n"):
        return True
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(length) and len(body) >= int(length)


def make_request(path: str, headers: dict[str, str], body: Any) -> bytes:
    """Return the bytes of one POST."""
    content = json.dumps(body, separators=(",", ":")).encode()
    fields = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(content)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do what the job says and return the figures."""
    request = make_request(job["path"], job["headers"], job["body"])
    tally = Tally()
    started = time.perf_counter()
    end = started + job["seconds"]
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(request, end, tally), "127.0.0.1", job["port"]))[1]
        for _ in range(job["connections"])
    ]
    await asyncio.gather(*(connection.done for connection in connections))
    ordered = sorted(tally.latencies_s)
    return {
        "requests": len(ordered),
        "seconds": time.perf_counter() - started,
        "failures": tally.failures,
        "p50_ms": 1_000 * ordered[len(ordered) // 2],
        "p99_ms": 1_000 * ordered[len(ordered) * 99 // 100],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
