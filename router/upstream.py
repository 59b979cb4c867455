"""Sending a request to a provider, and what comes back: bytes, or a failure that says how far it got.

No redirects, no proxies from the environment, no cookies, no decompression: what is metered passes byte for byte.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec

from providers.base import Outbound, Outcome
from router.http1 import (
    Address,
    Connection,
    ConnectionBroken,
    ConnectionPool,
    NotSendable,
    TimedOut,
    client_tls,
    connect,
    parse_url,
    request_head,
)

# A provider's refusal is a few hundred bytes; of more, the rest is not read.
LONGEST_ERROR: Final = 256 * 1024
# An answer of a hundred thousand tokens is a megabyte; one that does not end would take all others' memory.
LONGEST_ANSWER: Final = 64 * 1024 * 1024
KEEP_ALIVE_S: Final = 30.0


class Timeouts(msgspec.Struct, frozen=True):
    """How long a provider may take, in seconds: to connect, to begin its answer, between bytes of it, for
    all of it."""

    connect: float
    first_byte: float
    between_bytes: float
    whole: float


class UpstreamFailed(Exception):
    """No answer, or only a part of one. ``phase`` is the time limit that was passed, '' if it was none."""

    def __init__(self, outcome: Outcome, *, phase: str = "", was_sent: bool = True) -> None:
        super().__init__(phase or outcome)
        self.outcome, self.phase, self.was_sent = outcome, phase, was_sent


class UpstreamAnswer:
    """An answer whose headers have come. Close it, read or not."""

    __slots__ = ("_address", "_connection", "_pool", "_timeouts", "_whole_until", "connect_ms", "headers", "status")

    status: int
    headers: Sequence[tuple[bytes, bytes]]

    def __init__(
        self,
        pool: ConnectionPool,
        address: Address,
        connection: Connection,
        timeouts: Timeouts,
        whole_until: float,
        connect_ms: int,
    ) -> None:
        self._pool, self._address, self._connection = pool, address, connection
        self._timeouts, self._whole_until, self.connect_ms = timeouts, whole_until, connect_ms

    async def wait_for_head(self, until: float) -> None:
        """Wait for status and headers, at most ``until`` (of the loop's time). Raises UpstreamFailed."""
        try:
            await self._connection.wait_for_head(until=until, whole_until=self._whole_until)
        except ConnectionBroken:
            raise UpstreamFailed(Outcome.UNREACHABLE) from None
        except TimedOut as error:
            raise UpstreamFailed(Outcome.TIMEOUT, phase=error.phase) from None
        self.status, self.headers = self._connection.status, self._connection.headers

    def header(self, name: str) -> str:
        """Return one header's value by its lower-case name, '' if there is none."""
        wanted = name.encode()
        return next((value.decode("latin-1") for raw, value in self.headers if raw.lower() == wanted), "")

    async def read(self) -> bytes:
        """Return the whole body. Raises UpstreamFailed if it breaks off, or does not end."""
        first = await self.next_chunk()
        chunk = await self.next_chunk()
        if not chunk:
            return first
        body = bytearray(first)
        while chunk:
            body += chunk
            if len(body) > LONGEST_ANSWER:
                raise UpstreamFailed(Outcome.PROVIDER_ERROR)
            chunk = await self.next_chunk()
        return bytes(body)

    async def read_error(self) -> bytes:
        """Return the beginning of a refusal's body, as far as it comes."""
        body = bytearray()
        try:
            while len(body) < LONGEST_ERROR and (chunk := await self.next_chunk()):
                body += chunk
        except UpstreamFailed:
            pass
        return bytes(body[:LONGEST_ERROR])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamFailed if it breaks off."""
        while chunk := await self.next_chunk():
            yield chunk

    async def next_chunk(self) -> bytes:
        """Return what has come of the body, b"" after its end. Raises UpstreamFailed if it breaks off."""
        try:
            return await self._connection.next_chunk(
                between_s=self._timeouts.between_bytes, whole_until=self._whole_until
            )
        except ConnectionBroken:
            raise UpstreamFailed(Outcome.PROVIDER_ERROR) from None
        except TimedOut as error:
            raise UpstreamFailed(Outcome.TIMEOUT, phase=error.phase) from None

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._pool.give_back(self._address, self._connection)


class UpstreamClient:
    """One process's connections to providers; made once there is an event loop.

    ``tls`` says whose certificates are trusted, by default those of the system's authorities.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ConnectionPool(keep_alive_s=KEEP_ALIVE_S)
        self._tls = tls or client_tls()

    async def send(self, outbound: Outbound, headers: Mapping[str, str], timeouts: Timeouts) -> UpstreamAnswer:
        """Send ``outbound`` with ``headers`` (its own and the credential) and return the answer, its body unread.

        Raises UpstreamFailed; its outcome is MISCONFIGURED where no HTTP request can be made of it.
        """
        try:
            destination = parse_url(outbound.url)
            head = request_head(outbound.method, destination, headers, len(outbound.body))
        except NotSendable:
            raise UpstreamFailed(Outcome.MISCONFIGURED, was_sent=False) from None
        whole_until = self._loop.time() + timeouts.whole
        connection, connect_ms = self._pool.take(destination.address), 0
        if connection is None:
            connection, connect_ms = await self._connect(destination.address, timeouts)
        answer = UpstreamAnswer(self._pool, destination.address, connection, timeouts, whole_until, connect_ms)
        try:
            connection.start(head, outbound.body)
            await answer.wait_for_head(self._loop.time() + timeouts.first_byte)
        except BaseException:
            # Cancelled or too late: the answer may still come, and must not be taken for another's.
            answer.close()
            raise
        return answer

    async def close(self) -> None:
        """Hang up everywhere."""
        await self._pool.close()

    async def _connect(self, address: Address, timeouts: Timeouts) -> tuple[Connection, int]:
        begun = time.perf_counter()
        try:
            connection = await connect(address, self._tls, timeout_s=min(timeouts.connect, timeouts.whole))
            self._pool.note_new(connection)
        except ConnectionBroken:
            raise UpstreamFailed(Outcome.UNREACHABLE, was_sent=False) from None
        except TimedOut as error:
            phase = error.phase if timeouts.connect <= timeouts.whole else "whole call"
            raise UpstreamFailed(Outcome.TIMEOUT, phase=phase, was_sent=False) from None
        return connection, round((time.perf_counter() - begun) * 1000)
