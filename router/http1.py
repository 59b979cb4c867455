"""HTTP/1.1 to a provider over one connection at a time, as lean as the gateway's hot path needs it.

The parsing is httptools' (llhttp), the connecting aiohappyeyeballs' and the event loop's; here is what lies between:
the bytes of a request, the waiting for its answer with a time limit for each phase, back-pressure both ways, and when a
connection may serve again. There are no redirects, proxies, cookies or decompression to switch off.

Nothing is ever sent twice: a model call costs money each time, and of a connection that breaks after the request was
written nobody knows whether it was worked on. So a kept connection is looked at right before it is used, and whoever
asked decides what follows a break. Source: RFC 9110, section 9.2.2; RFC 9112, sections 6.3 and 9.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from socket import MSG_PEEK, SOCK_STREAM, socket
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools

# A body is taken up to this much ahead of the client; beyond it the provider waits.
MOST_BUFFERED: Final = 256 * 1024
# The most that may come without a byte of a body in it: headers, interim answers, trailers.
LONGEST_FRAMING: Final = 256 * 1024
_NEXT_ADDRESS_AFTER_S: Final = 0.25
_HANG_UP_S: Final = 1.0
# A larger body is handed to the transport piece by piece, as the provider takes it.
_PIECE_BYTES: Final = 64 * 1024
# Answers without a body, whatever their headers say.
_BODILESS: Final = frozenset([204, 304])
_FRAMING_HEADERS: Final = frozenset([b"content-length", b"transfer-encoding"])
# What no header may hold; only the tab is let through.
_CONTROLS: Final = bytes(code for code in [*range(32), 127] if code != ord("\t"))
_TARGET: Final = re.compile(r"[!-~]+")
_NOTHING: Final = memoryview(b"")


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


class NotSendable(ValueError):
    """A request that HTTP cannot express: an address that is none, a character that no header may hold."""


class ConnectionBroken(Exception):
    """The connection ended, or what came is not HTTP."""


class TimedOut(Exception):
    """A time limit passed; ``phase`` is "connect", "first byte", "between bytes" or "whole call"."""

    def __init__(self, phase: str) -> None:
        super().__init__(phase)
        self.phase = phase


class _Unusable(Exception):
    """Raised to the parser, which then stops: what comes is HTTP, and no answer to our request."""


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Destination:
    """Return the parts of an ``http`` or ``https`` URL whose path is already percent-encoded. Raises NotSendable."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotSendable("not an address") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_tls = parts.scheme == "https"
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or not _TARGET.fullmatch(target):
        raise NotSendable("not an http address")
    return Destination(Address(host, port or (443 if is_tls else 80), is_tls), target, parts.netloc)


def request_head(method: str, destination: Destination, headers: Mapping[str, str], length: int) -> bytes:
    """Return the first lines of a request; the answer's body is asked for as it is, not compressed.

    Raises NotSendable if a header holds a line break or another character that none may.
    """
    lines = [
        f"{method} {destination.target} HTTP/1.1\r\nhost: {destination.host_header}\r\naccept-encoding: identity",
        *[f"{name}: {value}" for name, value in headers.items()],
        f"content-length: {length}\r\n\r\n",
    ]
    try:
        head = "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise NotSendable("a header holds a character beyond Latin-1") from None
    line_ends = len(lines) + 3
    if len(head) - len(head.translate(None, _CONTROLS)) != 2 * line_ends:
        raise NotSendable("a header holds a control character")
    return head


class Connection(asyncio.Protocol):
    """One connection. It carries one request at a time, and the next once ``is_reusable``."""

    __slots__ = (
        "_buffered",
        "_chunks",
        "_ends_with_connection",
        "_failure",
        "_framing_bytes",
        "_is_complete",
        "_is_head_complete",
        "_is_reading_paused",
        "_is_writing_paused",
        "_keeps_alive",
        "_loop",
        "_parser",
        "_socket",
        "_timer",
        "_timer_at",
        "_transport",
        "_unsent",
        "_until",
        "_waiter",
        "headers",
        "idle_since",
        "lost",
        "status",
    )

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket) -> None:
        self._loop, self._socket = loop, sock
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._until = self.idle_since = 0.0
        self._failure = ""
        self._is_reading_paused = self._is_writing_paused = False
        self._unsent = _NOTHING
        self.lost: asyncio.Future[None] = loop.create_future()
        self._forget_answer()
        self._is_complete = True  # As long as nothing is asked, nothing is awaited.

    def _forget_answer(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._buffered = self._framing_bytes = 0
        self._is_head_complete = self._is_complete = False
        self._keeps_alive = self._ends_with_connection = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may go out: the last answer was read to its end, and both sides want to go on."""
        return (
            self._is_complete
            and self._keeps_alive
            and not self._failure
            and not self._chunks
            # An answer that came before the request was written: the provider may never read the rest.
            and not self._unsent
            and not self._transport.get_write_buffer_size()
        )

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer, not even a hang-up that the event loop has yet to see."""
        if self._failure:
            return False
        try:
            self._socket.recv(1, MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def start(self, head: bytes, body: bytes) -> None:
        """Send a request."""
        self._forget_answer()
        if len(body) <= _PIECE_BYTES:
            self._transport.write(head + body)
            return
        self._transport.write(head)
        self._unsent = memoryview(body)
        self._write_on()

    async def wait_for_head(self, *, until: float, whole_until: float) -> None:
        """Wait for the answer's headers; times are the loop's. Raises ConnectionBroken or TimedOut."""
        while not self._is_head_complete:
            await self._wait("first byte", until, whole_until)

    async def next_chunk(self, *, between_s: float, whole_until: float) -> bytes:
        """Return what has come of the body, b"" after its end. Raises ConnectionBroken or TimedOut."""
        now = self._loop.time()
        if now >= whole_until:
            # Where there is always something to read, no waiting would notice.
            raise TimedOut("whole call")
        while not self._chunks:
            if self._is_complete:
                return b""
            await self._wait("between bytes", now + between_s, whole_until)
        chunk = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._transport.resume_reading()
        return chunk

    def close(self) -> None:
        """Hang up, whatever is still on its way."""
        self._break("hung up from here")

    def _write_on(self) -> None:
        while self._unsent and not self._is_writing_paused:
            piece, self._unsent = self._unsent[:_PIECE_BYTES], self._unsent[_PIECE_BYTES:]
            self._transport.write(piece)

    async def _wait(self, phase: str, until: float, whole_until: float) -> None:
        if self._failure:
            raise ConnectionBroken(self._failure)
        if whole_until < until:
            phase, until = "whole call", whole_until
        self._watch_clock(until)
        waiter = self._waiter = self._loop.create_future()
        try:
            is_late = await waiter
        finally:
            self._waiter = None
        if is_late:
            raise TimedOut(phase)

    def _wake(self, *, is_late: bool = False) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(is_late)

    def _watch_clock(self, until: float) -> None:
        # A timer for every wait would cost more than the wait: one that goes off early is set again.
        self._until = until
        if self._timer is None or self._timer_at > until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._loop.call_at(until, self._look_at_clock), until

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._until:
            self._wake(is_late=True)
        else:
            self._watch_clock(self._until)

    def _break(self, reason: str) -> None:
        self._failure = self._failure or reason
        self._unsent = _NOTHING
        self._transport.abort()
        self._wake()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have its methods, and are no instances of it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._is_complete:
            # Nobody asked: whatever this is, it must not be taken for the next answer.
            self._break("the provider sent something unasked")
            return
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # What came before is good, if it is whole.
            self._break("the provider does not speak HTTP/1.1")
            return
        if self._framing_bytes > LONGEST_FRAMING and not self._is_complete:
            self._break("the answer's headers do not end")
        elif self._is_head_complete:
            self._wake()

    def eof_received(self) -> None:
        if self._is_head_complete and self._ends_with_connection:
            self._is_complete = True
        # Nobody waits for what is still to be written: the provider will not answer it.
        self._break("the provider hung up")

    def connection_lost(self, exc: Exception | None) -> None:
        self._break("the provider hung up")
        if self._timer is not None:
            self._timer.cancel()
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._write_on()

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise _Unusable("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_head_complete:  # Behind the body come trailers, which nobody asked for.
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if 100 <= self.status < 200:
            return
        if not 200 <= self.status < 600:
            raise _Unusable("no known status")
        self._is_head_complete, self._keeps_alive = True, self._parser.should_keep_alive()
        if self._keeps_alive or self.status in _BODILESS:
            return  # It has a length, or it is chunked.
        names = {name.lower() for name, _ in self.headers}
        self._ends_with_connection = names.isdisjoint(_FRAMING_HEADERS)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > MOST_BUFFERED and not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._is_head_complete:
            self._is_complete = True
        else:
            # An interim answer; the real one follows.
            self.headers.clear()


async def connect(address: Address, tls: ssl.SSLContext, *, timeout_s: float) -> Connection:
    """Return a connection that stands, TLS included. Raises ConnectionBroken or TimedOut ("connect")."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _connect(address, tls)
    except TimeoutError:
        raise TimedOut("connect") from None
    except (OSError, RuntimeError, UnicodeError) as error:
        # Refused, or a certificate that does not prove who answers (uvloop wraps some of these in RuntimeError);
        # UnicodeError is a name that no resolver takes.
        raise ConnectionBroken(type(error).__name__) from None


async def _connect(address: Address, tls: ssl.SSLContext) -> Connection:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, loop=loop)
    # Whoever is cancelled in the middle of this: the loop closes the socket.
    transport, connection = await loop.create_connection(lambda: Connection(loop, sock), sock=sock)
    if address.is_tls and not transport.is_closing():
        try:
            secured = await loop.start_tls(transport, connection, tls, server_hostname=address.host)
        except BaseException:
            # Not every loop does so itself at every moment of the handshake.
            transport.abort()
            raise
        connection.connection_made(cast("asyncio.Transport", secured))
    if transport.is_closing():
        # Before or in the middle of the handshake, which not every loop tells as an error.
        raise ConnectionBroken("the provider hung up")
    return connection


def client_tls() -> ssl.SSLContext:
    """Return what proves to us who answers: the system's trusted authorities."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class ConnectionPool:
    """Connections that wait for their next request, the last used first. Times are the event loop's."""

    def __init__(self, *, keep_alive_s: float) -> None:
        self._keep_alive_s = keep_alive_s
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Address, list[Connection]] = {}
        self._in_use: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, address: Address) -> Connection | None:
        """Return a waiting connection that can still serve, None if there is none."""
        waiting = self._idle.get(address)
        while waiting:
            connection = waiting.pop()
            if connection.idle_since > self._loop.time() - self._keep_alive_s and connection.is_quiet():
                self._in_use.add(connection)
                return connection
            connection.close()
        return None

    def note_new(self, connection: Connection) -> None:
        """Note a connection that was made, so that it is closed with the rest; raises ConnectionBroken after that."""
        if self._is_closed:
            connection.close()
            raise ConnectionBroken("the pool is closed")
        self._in_use.add(connection)

    def give_back(self, address: Address, connection: Connection) -> None:
        """Keep ``connection`` for the next request if it can serve one, else close it."""
        self._in_use.discard(connection)
        if self._is_closed or not connection.is_reusable:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(address, []).append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keep_alive_s, self._close_stale)

    async def close(self) -> None:
        """Hang up everywhere; requests under way break."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        connections = [*self._in_use, *(each for waiting in self._idle.values() for each in waiting)]
        self._idle.clear()
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.lost for connection in connections], timeout=_HANG_UP_S)

    def _close_stale(self) -> None:
        before = self._loop.time() - self._keep_alive_s
        for address, waiting in list(self._idle.items()):
            # They lie in the order in which they were given back.
            kept = [each for each in waiting if each.idle_since > before]
            for connection in waiting[: len(waiting) - len(kept)]:
                connection.close()
            if kept:
                self._idle[address] = kept
            else:
                del self._idle[address]
        self._sweep = self._loop.call_later(self._keep_alive_s, self._close_stale) if self._idle else None
