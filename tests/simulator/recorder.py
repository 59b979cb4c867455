"""The simulator with a witness: what it was asked and what it said, seen without the product's help."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.sse import SSEDecoder
from simulator.app import Simulator
from simulator.eventstream import encode_chunk
from simulator.http import Message, Receive, Scope, Send
from tests.dialects.samples import stream_of


@dataclass(frozen=True)
class Exchange:
    """One call to the simulator, whole."""

    path: str
    headers: Mapping[str, str]
    request: bytes
    status: int
    answer: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.request)


class Recorder:
    """An ASGI app around ``simulator``; what asks for Google's tokens is not kept.

    ``failing_models`` names models, as the provider calls them, whose messages are answered "overloaded".
    """

    def __init__(self, simulator: Simulator | None = None) -> None:
        self._simulator = simulator or Simulator()
        self.exchanges: deque[Exchange] = deque()
        self.failing_models: set[str] = set()
        self._scripted: Mapping[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._simulator(scope, receive, send)
            return
        request = await _whole(receive)
        status, parts = 0, []

        async def send_seen(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and scope["path"] != "/token":
                headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
                self.exchanges.append(Exchange(scope["path"], headers, request, status, b"".join(parts)))
            await send(message)

        if self._scripted is not None and scope["path"] != "/token":
            await _answer_as_scripted(self._scripted, scope["path"], request, send_seen)
            return
        await self._simulator(self._with_failure(scope, request), _given(request, receive), send_seen)

    def forget(self) -> None:
        self.exchanges.clear()
        self._scripted = None

    def script(self, answer: Mapping[str, Any] | None) -> None:
        """Let every call be answered with this message, until ``forget``; None leaves it to the simulator."""
        self._scripted = answer

    def one(self) -> Exchange:
        """Return the one call since the last ``forget``."""
        [exchange] = self.exchanges
        return exchange

    def _with_failure(self, scope: Scope, request: bytes) -> Scope:
        if not self.failing_models or _model_asked(scope["path"], request) not in self.failing_models:
            return scope
        return {**scope, "headers": [*scope["headers"], (b"x-simulate", b"overloaded")]}


async def _answer_as_scripted(answer: Mapping[str, Any], path: str, request: bytes, send: Send) -> None:
    kind, body = "application/json", json.dumps(answer).encode()
    if path.endswith("/invoke-with-response-stream"):
        events = SSEDecoder().events(stream_of(answer))
        kind, body = "application/vnd.amazon.eventstream", b"".join(encode_chunk(event, 0) for event in events)
    elif path.endswith(":streamRawPredict") or json.loads(request).get("stream"):
        kind, body = "text/event-stream", stream_of(answer)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _model_asked(path: str, request: bytes) -> str:
    """Return the model in the body, or where the body has none, in Bedrock's path."""
    return str(json.loads(request or b"{}").get("model") or path.removeprefix("/model/").partition("/")[0])


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _given(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives ``body`` first, and then whatever comes."""
    given: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_next() -> Message:
        return given.popleft() if given else await receive()

    return receive_next
