"""Each phase of a call has its limit; passing one names the phase, and the connection is never used again."""

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from providers.base import Outcome
from router import upstream
from router.upstream import Timeouts, UpstreamFailed
from tests.router.http1.answers import HEAD, answering, echoing, silent, sized
from tests.router.http1.conftest import LONG, Bench, Peer, Script, Talk

SOON = 0.05


def limited(**limits: float) -> Timeouts:
    return msgspec.structs.replace(LONG, **limits)


async def half_a_head(talk: Talk) -> None:
    await talk.answer(HEAD)
    await talk.until_left()


async def an_interim_answer(talk: Talk) -> None:
    await talk.answer(b"HTTP/1.1 100 Continue\r\n\r\n")
    await talk.until_left()


async def half_a_body(talk: Talk) -> None:
    await talk.answer(sized(b"some words")[:-3])
    await talk.until_left()


async def dribbling(talk: Talk) -> None:
    await talk.answer(HEAD + b"\r\n")
    while True:
        await talk.send(b"word ")
        await asyncio.sleep(SOON / 10)


async def flooding(talk: Talk) -> None:
    await talk.answer(HEAD + b"\r\n")
    while True:
        await talk.send(b"word " * 10_000)


@pytest.mark.parametrize(
    ("script", "timeouts", "phase"),
    [
        (silent, limited(first_byte=SOON), "first byte"),
        (half_a_head, limited(first_byte=SOON), "first byte"),
        (an_interim_answer, limited(first_byte=SOON), "first byte"),
        (silent, limited(whole=SOON), "whole call"),
        (half_a_body, limited(between_bytes=SOON), "between bytes"),
        (half_a_body, limited(whole=SOON), "whole call"),
        (dribbling, limited(whole=4 * SOON), "whole call"),
        (flooding, limited(whole=4 * SOON), "whole call"),
    ],
)
async def test_a_limit_that_is_passed_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, script: Script, timeouts: Timeouts, phase: str
) -> None:
    # A flood would reach the longest answer first.
    monkeypatch.setattr(upstream, "LONGEST_ANSWER", 10**12)
    peer = await bench.peer(script, echoing)

    with pytest.raises(UpstreamFailed) as failed:
        await bench.read(peer, timeouts=timeouts)

    assert (failed.value.outcome, failed.value.phase, failed.value.was_sent) == (Outcome.TIMEOUT, phase, True)
    assert await bench.read(peer, b"mine") == b"mine"
    assert len(peer.talks) == 2


async def test_bytes_that_keep_coming_pass_no_limit_between_them(bench: Bench) -> None:
    async def dribble(talk: Talk) -> None:
        await talk.answer(HEAD + b"content-length: 50\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(SOON)
            await talk.send(b"word ")

    peer = await bench.peer(dribble)

    assert await bench.read(peer, timeouts=limited(between_bytes=6 * SOON)) == b"word " * 10


async def test_a_short_limit_of_one_request_does_not_cut_the_next(bench: Bench) -> None:
    async def answer_slowly(talk: Talk) -> None:
        await talk.answer(sized(b"one"))
        body = await talk.read_request()
        await asyncio.sleep(2 * SOON)
        await talk.send(sized(body))

    peer = await bench.peer(answer_slowly)
    assert await bench.read(peer, timeouts=limited(first_byte=SOON, between_bytes=SOON)) == b"one"

    assert await bench.read(peer, b"two") == b"two"
    assert len(peer.talks) == 1


async def test_a_long_limit_of_one_request_does_not_stretch_the_next(bench: Bench) -> None:
    peer = await bench.peer(answering(sized(b"one")))
    assert await bench.read(peer) == b"one"

    with pytest.raises(UpstreamFailed) as failed:
        await bench.read(peer, timeouts=limited(first_byte=SOON))
    assert failed.value.phase == "first byte"


@pytest.fixture
async def full(bench: Bench) -> AsyncIterator[Peer]:
    """A port that takes no more connections, and does not say so."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        peer = Peer(silent)
        peer.port = listener.getsockname()[1]
        yield peer
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    ("timeouts", "phase"), [(limited(connect=SOON), "connect"), (limited(whole=SOON), "whole call")]
)
async def test_a_connection_that_does_not_come_about_is_given_up(
    bench: Bench, full: Peer, timeouts: Timeouts, phase: str
) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(full, timeouts=timeouts)

    assert (failed.value.outcome, failed.value.phase, failed.value.was_sent) == (Outcome.TIMEOUT, phase, False)


async def test_a_handshake_that_does_not_end_is_given_up(bench: Bench) -> None:
    peer = await bench.peer(silent)
    peer.scheme = "https"

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer, timeouts=limited(connect=SOON))

    assert (failed.value.outcome, failed.value.phase, failed.value.was_sent) == (Outcome.TIMEOUT, "connect", False)
