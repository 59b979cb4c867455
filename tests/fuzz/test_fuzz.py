"""Thousands of odd requests: each is answered or refused, quickly, and no reply holds a provider's credential."""

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from django.db.models import Q

from simulator.app import Simulator
from simulator.aws_keys import make_access_key
from simulator.http import Message, Receive, Scope, Send
from tests.clouds import connect_clouds, simulated_token_service
from tests.fuzz.requests import request
from tests.gateway import Gateway, connected_gateway, transactional_db
from tests.router.conftest import wait_for
from tests.simulator.running import Running
from usage.models import Attempt

__all__ = ["transactional_db"]

PATHS = {
    "chat": "/v3/router/chat/completions",
    "responses": "/v3/router/responses",
    "messages": "/v3/anthropic/v1/messages",
}
REQUESTS = 20_000
AT_ONCE = 16
LONGEST_S = 20
SEED = 20_260_101
PROVIDER_SECRET = "sk-ant-sim-acme"
_TRIPPED = b'{"type":"error","error":{"type":"invalid_request_error","message":"Not understood."}}'
_CREDENTIALS = ("x-api-key", "authorization")


class Leaky:
    """The simulator, but its refusals repeat the credential that they were sent.

    What it trips over it refuses: it is not what is tested here.
    """

    def __init__(self) -> None:
        self._simulator = Simulator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/token":
            await self._simulator(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        credential = next((headers[name] for name in _CREDENTIALS if name in headers), "")
        status = 0

        async def send_leaking(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.start" and status >= 400:
                kept = [(name, value) for name, value in message["headers"] if name != b"content-length"]
                message = {**message, "headers": kept}
            elif status >= 400:
                message = {**message, "body": _repeating(message.get("body", b""), credential)}
            await send(message)

        try:
            await self._simulator(scope, receive, send_leaking)
        except (TypeError, AttributeError, KeyError, ValueError, RecursionError):
            start = {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"application/json")]}
            await send_leaking(start)
            await send_leaking({"type": "http.response.body", "body": _TRIPPED})


def _repeating(body: bytes, credential: str) -> bytes:
    return body.replace(b'"message":"', b'"message":"You sent ' + json.dumps(credential)[1:-1].encode() + b". ", 1)


@dataclass
class Fuzzed:
    """What a run came to."""

    statuses: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def note(self, dialect: str, raw: bytes, response: httpx.Response, secrets: list[str]) -> None:
        status = response.status_code
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500:
            self.wrong.append(f"{dialect} {status} {response.text[:300]} for {raw[:2000]!r}")
        if any(secret in response.text for secret in secrets) or "ya29." in response.text:
            self.wrong.append(f"{dialect} leaks: {response.text[:500]} for {raw[:500]!r}")
        if status >= 400 and not _is_error(response, dialect):
            self.wrong.append(f"{dialect} {status} in no envelope: {response.text[:300]} for {raw[:500]!r}")


def _is_error(response: httpx.Response, dialect: str) -> bool:
    try:
        body = response.json()
    except json.JSONDecodeError:
        return False
    if dialect == "messages":
        # What the provider says passes as it is: Anthropic's envelope, AWS's or Google's.
        return isinstance(body, dict) and ("error" in body or "message" in body)
    return set(body) == {"error"} and {"message", "type", "param", "code"} <= set(body["error"])


@pytest.fixture(scope="module")
def gateway(transactional_db: None, tmp_path_factory: Any) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        Running(Leaky()) as simulator,
        simulated_token_service(simulator.origin),
        connected_gateway(simulator.origin, PROVIDER_SECRET, folder) as running,
    ):
        connect_clouds(running.workspace, simulator.origin)
        last = "/v3/router/models/google/anthropic/claude-sonnet-4-6"
        wait_for(lambda: running.request("GET", last).is_success or None)
        yield running


def test_the_provider_here_does_leak(gateway: Gateway) -> None:
    """Without this the search below would find nothing for the wrong reason."""
    body = {"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": "no list"}

    response = gateway.post(PATHS["messages"], body)

    assert response.status_code == 400
    assert "You sent ***" in response.text


@pytest.mark.parametrize("count", [REQUESTS // 10, pytest.param(REQUESTS, marks=pytest.mark.slow)])
def test_odd_requests(gateway: Gateway, count: int) -> None:
    rng = random.Random(SEED + count)
    secrets = [PROVIDER_SECRET, make_access_key("acme")[1]]
    requests = ((dialect, request(rng, dialect)) for dialect in (rng.choice(list(PATHS)) for _ in range(count)))

    fuzzed = asyncio.run(_send_all(gateway, iter(requests), secrets))

    assert fuzzed.wrong == []
    assert sum(fuzzed.statuses.values()) == count
    # Enough of them get through to the provider for the search to mean something.
    assert fuzzed.statuses.get(200, 0) > count / 20
    assert gateway.request("GET", "/v3/router/models").status_code == 200
    wait_for(lambda: _all_settled(gateway) or None, timeout_s=30)


def _all_settled(gateway: Gateway) -> bool:
    gateway.forget_rows()
    return not Attempt.objects.filter(~Q(state="settled")).exists()


async def _send_all(gateway: Gateway, requests: Iterator[tuple[str, bytes]], secrets: list[str]) -> Fuzzed:
    fuzzed = Fuzzed()
    headers = {**gateway.headers, "content-type": "application/json"}

    async def send_next(client: httpx.AsyncClient) -> None:
        for dialect, raw in requests:
            try:
                response = await client.post(PATHS[dialect], content=raw)
            except httpx.HTTPError as error:
                fuzzed.wrong.append(f"{dialect} {type(error).__name__} for {raw[:2000]!r}")
            else:
                fuzzed.note(dialect, raw, response, secrets)

    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=LONGEST_S, trust_env=False) as client:
        await asyncio.gather(*(send_next(client) for _ in range(AT_ONCE)))
    return fuzzed
