"""How slowly an answer comes, on demand; no test waits, for the waits are written down instead."""

from collections.abc import Iterator

import httpx
import pytest

from simulator import sending
from tests.simulator.conftest import KEY, Client, request_of
from tests.simulator.running import Running

HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that were slept, in order."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(sending, "_sleep", sleep)
    return slept


async def test_the_first_byte_may_come_late(client: Client, waits: list[float]) -> None:
    await client.events("Go on [[simulate: first_byte_ms=5000]]")

    assert waits[0] == 5.0
    assert set(waits[1:]) == {0.0}


async def test_each_event_may_come_late(client: Client, waits: list[float]) -> None:
    events = await client.events("Go on [[simulate: between_ms=250]]")

    assert waits == [0.0, *[0.25] * len(events)]


@pytest.mark.parametrize(("ending", "seconds"), [("slow", 5.0), ("trickle", 1.0)])
async def test_a_key_may_be_slow(client: Client, waits: list[float], ending: str, seconds: float) -> None:
    client.key = f"{KEY}-{ending}"

    await client.events()

    assert max(waits) == seconds


async def test_a_whole_answer_may_come_late(client: Client, waits: list[float]) -> None:
    await client.message("Go on [[simulate: first_byte_ms=5000]]")

    assert waits == [5.0]


def test_an_endless_stream_pings_until_the_client_leaves(running: Running) -> None:
    body = request_of("Go on [[simulate: endless between_ms=1]]", stream=True)
    with httpx.stream("POST", f"{running.origin}/v1/messages", json=body, headers=HEADERS) as answer:
        pings = 0
        for line in answer.iter_lines():
            pings += line == "event: ping"
            if pings == 20:
                break

    # The server goes on answering others.
    assert httpx.get(f"{running.origin}/v1/models", headers=HEADERS).status_code == 200
