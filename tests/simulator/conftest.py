"""A simulator with a clock that stands still until a test moves it, and a client to call it with."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from simulator.app import Simulator
from tests.simulator.running import Running

MODEL = "claude-sonnet-4-6"
KEY = "sk-ant-sim-acme"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Calls the simulator in this process; ``key`` and ``headers`` are changed by tests that are about them."""

    http: httpx.AsyncClient
    key: str = KEY
    headers: dict[str, str] = field(default_factory=dict)

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.http.post(path, json=body, headers=self._headers())

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path, headers=self._headers())

    async def message(self, content: Any = "Hello there", **fields: Any) -> dict[str, Any]:
        """Send one user message and return the answer, which must be a good one."""
        answer = await self.post("/v1/messages", request_of(content, **fields))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def usage(self, content: Any = "Hello there", **fields: Any) -> dict[str, Any]:
        return (await self.message(content, **fields))["usage"]

    async def events(self, content: Any = "Hello there", **fields: Any) -> list[dict[str, Any]]:
        answer = await self.post("/v1/messages", request_of(content, stream=True, **fields))
        return events_in(answer.text)

    async def error(self, body: object) -> tuple[int, str, str]:
        """Send a body that is refused; return status, type and message."""
        answer = await self.post("/v1/messages", body)
        error = answer.json()["error"]
        return answer.status_code, error["type"], error["message"]

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self.key, "anthropic-version": "2023-06-01", **self.headers}


def request_of(content: Any = "Hello there", **fields: Any) -> dict[str, Any]:
    body = {"model": MODEL, "max_tokens": 1_024, "messages": [{"role": "user", "content": content}]}
    return {**body, **fields}


def events_in(text: str) -> list[dict[str, Any]]:
    """Return the data of a stream's events, checking that each is named after its type."""
    events = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def words(tokens: int) -> str:
    """A text of exactly so many tokens."""
    return " ".join(["word"] * tokens)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(app=simulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as http:
        yield Client(http)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """A simulator on a socket, for what only a real connection shows."""
    with Running() as server:
        yield server
