"""How the simulator reads a request's body."""

from collections.abc import Iterable
from typing import Any

import pytest

from simulator.app import Simulator
from simulator.http import ClientLeft, Message, Receive, read_body

HALF = {"type": "http.request", "body": b'{"model"', "more_body": True}
REST = {"type": "http.request", "body": b": 1}"}
LEFT = {"type": "http.disconnect"}


def receiving(messages: Iterable[dict[str, Any]]) -> Receive:
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    return receive


async def test_parts_are_put_together() -> None:
    assert await read_body(receiving([HALF, REST])) == b'{"model": 1}'


async def test_leaving_is_not_the_end_of_the_body() -> None:
    with pytest.raises(ClientLeft):
        await read_body(receiving([HALF, LEFT]))


async def test_a_client_that_left_is_not_answered(simulator: Simulator) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": []}
    await simulator(scope, receiving([HALF, LEFT]), send)

    assert sent == []
