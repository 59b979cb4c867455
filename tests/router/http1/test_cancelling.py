"""A call cancelled anywhere leaves nothing behind: no task, no socket, and no answer for somebody else."""

import asyncio
from contextlib import suppress

import pytest

from tests.router.http1.answers import sized
from tests.router.http1.conftest import Bench, Certificates, Talk

MOST_STEPS = 400


async def answering_in_parts(talk: Talk) -> None:
    """Answer each request with its own body, so slowly that every await is one."""
    while True:
        answer = sized(await talk.read_request())
        for at in range(0, len(answer), 20):
            await asyncio.sleep(0)
            await talk.send(answer[at : at + 20])


@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize("is_connected", [False, True])
async def test_a_call_can_be_cancelled_at_any_moment(
    bench: Bench, certificates: Certificates, is_tls: bool, is_connected: bool
) -> None:
    peer = await bench.peer(answering_in_parts, tls=certificates.server() if is_tls else None)
    is_over = False

    for steps in range(MOST_STEPS):
        if is_connected:
            assert await bench.read(peer, b"before") == b"before"
        else:
            await bench.client.close()
            bench.client = type(bench.client)(tls=bench.client._tls)
        is_over = await _cancelled_after(steps, bench.read(peer, b"cancelled %d" % steps))
        assert await bench.read(peer, b"after %d" % steps) == b"after %d" % steps
        if is_over:
            break

    assert is_over, "the last calls were not cancelled any more"


async def _cancelled_after(steps: int, call: object) -> bool:
    """Run ``call`` for so many turns of the event loop and cancel it; return whether it was over by then."""
    task = asyncio.ensure_future(call)  # type: ignore[call-overload]
    for _ in range(steps):
        await asyncio.sleep(0)
    is_over = task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return is_over
