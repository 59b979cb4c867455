"""Sending a request to a provider, and what comes back: bytes, or a failure that says how far it got.

No redirects, no proxies from the environment, no cookies, no decompression: what is metered passes byte for byte.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.payload import BytesPayload
from yarl import URL

from providers.base import Outbound, Outcome

# A provider's refusal is a few hundred bytes; of more, the rest is not read.
LONGEST_ERROR: Final = 256 * 1024
KEEP_ALIVE_S: Final = 30

_UNCOMPRESSED: Final = {"accept-encoding": "identity"}
# After these the provider has seen nothing of the request; after any other failure it may have worked on it.
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_connected_at: ContextVar[float] = ContextVar("connected_at")


class Timeouts(msgspec.Struct, frozen=True):
    """How long a provider may take, in seconds: to connect, to begin its answer, between bytes of it, for all of it."""

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

    __slots__ = ("_response", "_timeouts", "connect_ms", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, timeouts: Timeouts, connect_ms: int) -> None:
        self._response, self._timeouts = response, timeouts
        self.status = response.status
        self.headers: Sequence[tuple[bytes, bytes]] = response.raw_headers
        self.connect_ms = connect_ms

    def header(self, name: str) -> str:
        """Return one header's value, '' if there is none."""
        return self._response.headers.get(name, "")

    async def read(self) -> bytes:
        """Return the whole body. Raises UpstreamFailed if it breaks off."""
        try:
            return await self._response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broke_off(error) from None

    async def read_error(self) -> bytes:
        """Return the beginning of a refusal's body, as far as it comes."""
        body = b""
        try:
            async for chunk in self.chunks():
                body += chunk
                if len(body) > LONGEST_ERROR:
                    break
        except UpstreamFailed:
            pass
        return body[:LONGEST_ERROR]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamFailed if it breaks off."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broke_off(error) from None

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._response.release() if self._response.content.at_eof() else self._response.close()


class UpstreamClient:
    """One process's connections to providers; made once there is an event loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=_TimedConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def send(
        self, outbound: Outbound, headers: Mapping[str, str], timeouts: Timeouts, *, is_stream: bool
    ) -> UpstreamAnswer:
        """Send ``outbound`` with ``headers`` (its own and the credential) and return the answer, its body unread.

        Raises UpstreamFailed.
        """
        begun = time.perf_counter()
        _connected_at.set(begun)
        try:
            response = await self._session.request(
                outbound.method,
                _url(outbound.url),
                data=BytesPayload(outbound.body),
                headers={**headers, **_UNCOMPRESSED},
                allow_redirects=False,
                timeout=_limits(timeouts, is_stream=is_stream),
            )
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _failed(error) from None
        return UpstreamAnswer(response, timeouts, round((_connected_at.get() - begun) * 1000))

    async def close(self) -> None:
        await self._session.close()


class _TimedConnector(aiohttp.TCPConnector):
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        connection = await super().connect(req, traces, timeout)
        _connected_at.set(time.perf_counter())
        return connection


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    """Return a parsed address; there are only a few, one for each provider key and endpoint."""
    return URL(text, encoded=True)


@lru_cache(maxsize=64)
def _limits(timeouts: Timeouts, *, is_stream: bool) -> aiohttp.ClientTimeout:
    read_s = timeouts.between_bytes if is_stream else timeouts.first_byte
    return aiohttp.ClientTimeout(total=timeouts.whole or None, sock_connect=timeouts.connect, sock_read=read_s)


def _failed(error: Exception) -> UpstreamFailed:
    was_sent = not isinstance(error, _NEVER_SENT)
    if not isinstance(error, TimeoutError):
        return UpstreamFailed(Outcome.UNREACHABLE, was_sent=was_sent)
    phase = "first byte" if isinstance(error, aiohttp.SocketTimeoutError) else "whole call" if was_sent else "connect"
    return UpstreamFailed(Outcome.TIMEOUT, phase=phase, was_sent=was_sent)


def _broke_off(error: Exception) -> UpstreamFailed:
    if not isinstance(error, TimeoutError):
        return UpstreamFailed(Outcome.PROVIDER_ERROR)
    phase = "between bytes" if isinstance(error, aiohttp.SocketTimeoutError) else "whole call"
    return UpstreamFailed(Outcome.TIMEOUT, phase=phase)
