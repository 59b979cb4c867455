"""Reading what a client sends: not too much of it, and not for ever."""

import asyncio
import time
from typing import Any, Final

from router.asgi_types import Receive
from router.dialects.base import RequestRefused

# Clients send about twenty; each proxy on the way adds a few.
MOST_HEADERS: Final = 200


class ClientGone(Exception):
    """The client left before its request was whole."""


class BodyReader:
    """Reads the bodies of one process's requests. ``end_slow`` is called now and then: a timer each would cost more."""

    def __init__(self, *, most_bytes: int, longest_s: float) -> None:
        self._most_bytes, self._longest_s = most_bytes, longest_s
        self._reading: dict[asyncio.Task[Any], float] = {}

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """Return the whole body.

        Raises RequestRefused for one that is too long (413) or too slow (408), ClientGone if it never ends.
        """
        if int(content_length or 0) > self._most_bytes:
            raise self._too_large()
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("coroutines run in tasks")
        self._reading[task] = time.monotonic()
        try:
            return await self._read_all(receive)
        except asyncio.CancelledError:
            if task in self._reading:
                raise
            raise self._too_slow() from None
        finally:
            self._reading.pop(task, None)

    def end_slow(self, now: float) -> None:
        """End the reading of bodies that take too long; ``now`` is a time of ``time.monotonic``."""
        for task, begun in list(self._reading.items()):
            if begun + self._longest_s < now:
                # Gone from here means that it was us who cancelled it.
                del self._reading[task]
                task.cancel()

    async def _read_all(self, receive: Receive) -> bytes:
        chunks, size, is_whole = [], 0, False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            is_whole = not message.get("more_body")
            if size > self._most_bytes:
                raise self._too_large()
        return b"".join(chunks)

    def _too_large(self) -> RequestRefused:
        message = f"The request is larger than {self._most_bytes // (1024 * 1024)} MB."
        return RequestRefused(message, status=413, code="request_too_large")

    def _too_slow(self) -> RequestRefused:
        message = f"The request's body did not arrive within {self._longest_s:g} s."
        return RequestRefused(message, status=408, code="request_timeout")
