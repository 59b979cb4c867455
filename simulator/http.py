"""The few ASGI messages the simulator receives and sends."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from simulator.errors import ApiError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


def to_json(value: object) -> bytes:
    """Return ``value`` as compact JSON in UTF-8; half a surrogate pair, which UTF-8 cannot hold, stays escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


async def read_body(receive: Receive) -> bytes:
    """Return the whole body. Raises ApiError 413 when it is larger than the provider takes, and ClientLeft."""
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "request_too_large", "Request exceeds the maximum size")
        if not message.get("more_body"):
            return b"".join(parts)


async def until_client_leaves(receive: Receive) -> None:
    """Wait for the client to close the connection; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_json(send: Send, status: int, value: object, headers: Mapping[str, str]) -> None:
    """Send a whole answer."""
    content = to_json(value)
    framed = {**headers, "content-type": "application/json", "content-length": str(len(content))}
    await send_start(send, status, framed)
    await send({"type": "http.response.body", "body": content})


async def send_start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    """Send status and headers."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def send_part(send: Send, body: bytes) -> None:
    """Send a part of a body, with more to come."""
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def run_lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop; there is nothing to do at either."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
