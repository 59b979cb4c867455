"""HTTP/1.1 to a provider over one connection at a time, as lean as the gateway's hot path needs it.

The parsing is httptools' (llhttp), the connecting aiohappyeyeballs' and the event loop's; here is what lies between:
the bytes of a request, the waiting for its answer with a time limit for each phase, back-pressure, and when a
connection may serve again. There are no redirects, proxies, cookies or decompression to switch off.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from socket import SOCK_STREAM
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools

# A body is taken up to this much ahead of the client; beyond it the provider waits.
MOST_BUFFERED: Final = 256 * 1024
LONGEST_HEAD: Final = 256 * 1024
_NEXT_ADDRESS_AFTER_S: Final = 0.25
_HANG_UP_S: Final = 1.0
# Answers without a body, whatever their headers say.
_BODILESS: Final = frozenset([204, 304])


class Address(NamedTuple):
    """Where a connection leads."""

    host: str
    port: int
    is_tls: bool


class Destination(NamedTuple):
    """A parsed URL: the connection's address, the request's target, and what ``host`` says."""

    address: Address
    target: str
    host_header: str


class ConnectionBroken(Exception):
    """The connection ended, or what came is not HTTP."""


class TimedOut(Exception):
    """A time limit passed; ``phase`` is "connect", "first byte", "between bytes" or "whole call"."""

    def __init__(self, phase: str) -> None:
        super().__init__(phase)
        self.phase = phase


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Destination:
    """Return the parts of an ``http`` or ``https`` URL whose path is already percent-encoded."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise ValueError(f"not an http address: {url}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(Address(parts.hostname, parts.port or (443 if is_tls else 80), is_tls), target, parts.netloc)


def request_head(method: str, destination: Destination, headers: Mapping[str, str], length: int) -> bytes:
    """Return the first lines of a request. Raises ValueError if a line break hides in one of them."""
    lines = [f"{method} {destination.target} HTTP/1.1", f"host: {destination.host_header}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {length}\r\n\r\n")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1:
        raise ValueError("a header has a line break in it")
    return head.encode("latin-1")


class Connection(asyncio.Protocol):
    """One connection. It carries one request at a time, and the next once ``is_reusable``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._failure: ConnectionBroken | None = None
        self._is_paused = self._ends_with_connection = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._forget_answer()

    def _forget_answer(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._buffered = self._head_bytes = 0
        self._is_head_complete = self._is_complete = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may go out: the last answer is whole, and both sides want to go on."""
        parser, transport = self._parser, self._transport
        if parser is None or transport is None or not self._is_complete or self._failure is not None:
            return False
        return parser.should_keep_alive() and not transport.is_closing() and not transport.get_write_buffer_size()

    @property
    def is_open(self) -> bool:
        """Whether the other side has not hung up."""
        return self._transport is not None and self._failure is None and not self._transport.is_closing()

    def start(self, head: bytes, body: bytes) -> None:
        """Send a request."""
        if self._transport is None:
            raise AssertionError("a connection is used once it stands")
        self._forget_answer()
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(head + body if body else head)

    async def wait_for_head(self, *, until: float, whole_until: float) -> None:
        """Wait for the answer's headers; times are the loop's. Raises ConnectionBroken or TimedOut."""
        while not self._is_head_complete:
            await self._wait("first byte", until, whole_until)

    async def next_chunk(self, *, between_s: float, whole_until: float) -> bytes:
        """Return what has come of the body, b"" after its end. Raises ConnectionBroken or TimedOut."""
        while not self._chunks:
            if self._is_complete:
                return b""
            await self._wait("between bytes", self._loop.time() + between_s, whole_until)
        chunk = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return chunk

    def close(self) -> None:
        """Hang up, whatever is still on its way."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, phase: str, until: float, whole_until: float) -> None:
        if self._failure is not None:
            raise self._failure
        if whole_until < until:
            phase, until = "whole call", whole_until
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, _expire, waiter, phase)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = ConnectionBroken(reason)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._failure)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have its methods, and are no instances of it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._is_complete:
            # Nobody asked: whatever this is, it must not be taken for the next answer.
            self._fail("the provider sent something unasked")
            self.close()
            return
        if not self._is_head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the provider does not speak HTTP/1.1")
            self.close()
            return
        if self._is_head_complete or self._is_complete:
            self._wake()
        elif self._head_bytes > LONGEST_HEAD:
            self._fail("the answer's headers do not end")
            self.close()

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)
        if self._is_head_complete and not self._is_complete and self._ends_with_connection and exc is None:
            self._is_complete = True
            self._failure = ConnectionBroken("the provider hung up")
            self._wake()
            return
        self._fail("the provider hung up")

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser is None:
            raise AssertionError("the parser calls while it parses")
        self.status = self._parser.get_status_code()
        if 100 <= self.status < 200:
            return
        self._is_head_complete = True
        names = {name.lower() for name, _ in self.headers}
        has_length = b"content-length" in names or b"transfer-encoding" in names
        self._ends_with_connection = not has_length and self.status not in _BODILESS

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > MOST_BUFFERED and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if not self._is_head_complete:
            # An interim answer; the real one follows.
            self._forget_answer()
            return
        self._is_complete = True


def _expire(waiter: "asyncio.Future[None]", phase: str) -> None:
    if not waiter.done():
        waiter.set_exception(TimedOut(phase))


async def connect(address: Address, *, timeout_s: float) -> Connection:
    """Return a connection that stands, TLS included. Raises ConnectionBroken or TimedOut ("connect")."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _connect(address)
    except TimeoutError:
        raise TimedOut("connect") from None
    except OSError as error:
        # Refused, unknown name, or a certificate that does not prove who answers.
        raise ConnectionBroken(type(error).__name__) from None


async def _connect(address: Address) -> Connection:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=SOCK_STREAM)
    socket = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, loop=loop)
    try:
        _, connection = await loop.create_connection(
            Connection,
            sock=socket,
            ssl=_tls() if address.is_tls else None,
            server_hostname=address.host if address.is_tls else None,
        )
    except BaseException:
        socket.close()
        raise
    return connection


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class ConnectionPool:
    """Connections that wait for their next request, the last used first."""

    def __init__(self, *, keep_alive_s: float) -> None:
        self._keep_alive_s = keep_alive_s
        self._idle: dict[Address, list[Connection]] = {}
        self._in_use: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, address: Address) -> Connection | None:
        """Return a waiting connection that is still open, None if there is none."""
        waiting = self._idle.get(address)
        while waiting:
            connection = waiting.pop()
            if connection.is_open:
                self._in_use.add(connection)
                return connection
        return None

    def note_new(self, connection: Connection) -> None:
        """Note a connection that was made, so that it is closed with the rest."""
        self._in_use.add(connection)

    def give_back(self, address: Address, connection: Connection) -> None:
        """Keep ``connection`` for the next request if it can serve one, else close it."""
        self._in_use.discard(connection)
        if not connection.is_reusable:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        self._idle.setdefault(address, []).append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._keep_alive_s, self._close_stale)

    async def close(self) -> None:
        """Hang up everywhere."""
        if self._sweep is not None:
            self._sweep.cancel()
        connections = [*self._in_use, *(each for waiting in self._idle.values() for each in waiting)]
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.lost for connection in connections], timeout=_HANG_UP_S)
        self._idle.clear()

    def _close_stale(self) -> None:
        before = time.monotonic() - self._keep_alive_s
        for address, waiting in list(self._idle.items()):
            kept = [each for each in waiting if each.is_open and each.idle_since > before]
            for connection in waiting:
                if connection not in kept:
                    connection.close()
            if kept:
                self._idle[address] = kept
            else:
                del self._idle[address]
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._keep_alive_s, self._close_stale) if self._idle else None
