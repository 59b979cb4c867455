"""Who reads slowly holds the provider back; what waits here stays bounded."""

import asyncio
import hashlib
import os

import pytest

from router.http1 import MOST_BUFFERED
from router.upstream import UpstreamFailed
from tests.router.http1.answers import HEAD
from tests.router.http1.conftest import Bench, Certificates, Talk

PIECE = os.urandom(64 * 1024)
PIECES = 800
# What one read of the event loop may add to what is held: uvloop and TLS read up to this much at once.
MOST_AT_ONCE = 256 * 1024


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_slow_reader_holds_the_provider_back(bench: Bench, certificates: Certificates, is_tls: bool) -> None:
    written = 0

    async def send_much(talk: Talk) -> None:
        nonlocal written
        await talk.answer(HEAD + b"content-length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        for _ in range(PIECES):
            await talk.send(PIECE)
            written += 1

    peer = await bench.peer(send_much, tls=certificates.server() if is_tls else None)
    answer = await bench.ask(peer)
    before = -1
    while before != written:
        before = written
        await asyncio.sleep(0.05)

    assert written < PIECES / 2, "what the kernel's buffers hold, and little more"
    assert answer._connection._buffered <= MOST_BUFFERED + MOST_AT_ONCE

    digest = hashlib.sha256()
    most = 0
    async for chunk in answer.chunks():
        digest.update(chunk)
        most = max(most, len(chunk))
        await asyncio.sleep(0)
    answer.close()
    assert digest.digest() == hashlib.sha256(PIECE * PIECES).digest()
    assert most <= MOST_BUFFERED + MOST_AT_ONCE


async def test_a_connection_that_was_held_back_serves_again(bench: Bench) -> None:
    body = PIECE * 32

    async def answer_long(talk: Talk) -> None:
        while True:
            await talk.answer(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)

    peer = await bench.peer(answer_long)

    for _ in range(3):
        answer = await bench.ask(peer)
        await asyncio.sleep(0.05)
        assert await answer.read() == body
        answer.close()
    assert len(peer.talks) == 1


async def test_what_was_held_back_is_read_though_the_connection_is_gone(bench: Bench) -> None:
    async def send_much(talk: Talk) -> None:
        await talk.answer(HEAD + b"content-length: %d\r\n\r\n" % (PIECES * len(PIECE)) + PIECE * PIECES)

    peer = await bench.peer(send_much)
    answer = await bench.ask(peer)
    while not answer._connection._is_reading_paused:  # noqa: ASYNC110
        await asyncio.sleep(0)

    await bench.client.close()

    assert len(await answer.next_chunk()) > MOST_BUFFERED
    with pytest.raises(UpstreamFailed):
        await answer.next_chunk()
    answer.close()
