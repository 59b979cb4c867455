"""Writing to the client: one answer, whole or a stream, in its own dialect and with our headers."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from router.asgi_types import Send
from router.failures import Failure
from router.request import Request

_NATIVE_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
# A comment, which clients of server-sent events pass over.
_COMMENT_PING: Final = b": ping\n\n"

Headers = Sequence[tuple[bytes, bytes]]
_STREAM_HEADERS: Final[Headers] = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Reply:
    """The answer to one request. ``attempts`` is how many were made for it so far; its headers tell."""

    __slots__ = ("_request", "_send", "_silent_since", "attempts", "has_begun", "is_at_boundary", "is_complete")

    def __init__(self, request: Request, send: Send) -> None:
        self._request, self._send = request, send
        self._silent_since: float | None = None
        self.attempts = 1
        self.has_begun = self.is_complete = self.is_at_boundary = False

    # Whole answers

    async def answer(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a whole answer."""
        await self._start(status, b"application/json", headers, length=len(body))
        await self._send({"type": "http.response.body", "body": body})
        self.is_complete = True

    async def fail(self, failure: Failure, upstream_headers: Headers = ()) -> None:
        """Send a failure in the dialect's own envelope."""
        request = self._request
        body = request.dialect.render_error(
            failure.status, failure.code, failure.message, request_id=request.request_id
        )
        headers = _without_content_type(upstream_headers)
        with suppress(OSError):
            await self.answer(failure.status, body, [*headers, (b"content-type", b"application/json")])

    # Streams

    async def start_stream(self, status: int, headers: Headers) -> None:
        """Begin a stream of server-sent events."""
        await self._start(status, b"text/event-stream", headers)

    async def chunk(self, body: bytes) -> None:
        """Send the next part of a stream. Waiting for a slow client to take it is what slows the upstream down."""
        self._silent_since = None
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self._silent_since, self.is_at_boundary = time.monotonic(), body.endswith((b"\n\n", b"\r\n\r\n"))

    async def end_stream(self, body: bytes) -> None:
        """Send the last part of a stream."""
        self.stop_pings()
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self.is_complete = True

    def stop_pings(self) -> None:
        """Note that the provider has nothing more to say, so that nothing is put before the end."""
        self._silent_since = None

    async def ping(self, now: float, *, after_s: float) -> None:
        """Send something to a client whose stream has been silent for ``after_s``, where no event is half sent."""
        if self._silent_since is not None and self._silent_since + after_s < now and self.is_at_boundary:
            self._silent_since = now
            is_native = self._request.dialect.name == "messages"
            body = _NATIVE_PING if is_native else _COMMENT_PING
            # Who has not yet taken what was sent before needs no ping, and must not hold up the others.
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _start(self, status: int, content_type: bytes, upstream: Headers, *, length: int | None = None) -> None:
        headers = [
            *upstream,
            (b"x-orq-trace-id", self._request.request_id.encode()),
            (b"x-orq-attempts", b"%d" % self.attempts),
        ]
        # An event stream of another framing has become one of server-sent events.
        is_as_told = self._request.dialect.name == "messages" and length is not None
        if not is_as_told and not any(_is_of_type(header, content_type) for header in headers):
            headers = [*_without_content_type(headers), (b"content-type", content_type)]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        else:
            headers += _STREAM_HEADERS
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


def as_event_stream(headers: Headers) -> Headers:
    """Return a provider's headers for what came in another framing and is a stream of server-sent events by now."""
    return [*_without_content_type(headers), (b"content-type", b"text/event-stream")]


def _without_content_type(headers: Headers) -> Headers:
    return [header for header in headers if header[0] != b"content-type"]


def _is_of_type(header: tuple[bytes, bytes], content_type: bytes) -> bool:
    return header[0] == b"content-type" and header[1].startswith(content_type)
