"""A connection serves again only where the last answer is whole and nothing else has come; nothing is sent twice."""

import asyncio
import os
import socket
from collections.abc import Callable

import pytest

from providers.base import Outcome
from router.http1 import MOST_BUFFERED, ConnectionPool
from router.upstream import UpstreamClient, UpstreamFailed
from tests.router.http1.answers import HEAD, answering, answering_and_closing, chunked, echoing, silent, sized
from tests.router.http1.conftest import Bench, Certificates, Talk

EVIL = sized(b"not yours")


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_connection_serves_one_request_after_the_other(
    bench: Bench, certificates: Certificates, is_tls: bool
) -> None:
    peer = await bench.peer(
        answering(sized(b"one"), chunked(b"two"), b"HTTP/1.1 204 No\r\n\r\n", sized(b"four")),
        tls=certificates.server() if is_tls else None,
    )

    assert [await bench.read(peer) for _ in range(4)] == [b"one", b"two", b"", b"four"]
    assert len(peer.talks) == 1


async def test_the_connection_used_last_serves_first(bench: Bench) -> None:
    peer = await bench.peer(echoing)
    first, second = await bench.ask(peer, b"1"), await bench.ask(peer, b"2")
    for answer in (first, second):
        await answer.read()
    second.close()
    first.close()

    await bench.read(peer, b"3")

    await asyncio.sleep(0)
    used = [talk.writer.get_extra_info("peername") for talk in peer.talks]
    assert len(used) == 2
    assert _idle_ports(bench.client) == [used[1][1], used[0][1]]


@pytest.mark.parametrize(
    "answer",
    [
        sized(b"one", b"connection: close"),
        sized(b"one").replace(b"HTTP/1.1", b"HTTP/1.0"),
        sized(b"one").replace(b"HTTP/1.1", b"HTTP/2.0"),
        HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n",
    ],
    ids=["close", "1.0", "2.0", "chunked"],
)
async def test_a_connection_that_the_provider_ends_serves_once(bench: Bench, answer: bytes) -> None:
    peer = await bench.peer(answering(answer), echoing)

    assert await bench.read(peer) == b"one"
    assert await bench.read(peer, b"two") == b"two"
    assert len(peer.talks) == 2


async def test_a_connection_of_http_1_0_that_is_to_be_kept_is_kept(bench: Bench) -> None:
    kept = sized(b"one", b"connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    peer = await bench.peer(answering(kept, sized(b"two")))

    assert [await bench.read(peer), await bench.read(peer)] == [b"one", b"two"]
    assert len(peer.talks) == 1


@pytest.mark.parametrize("surplus", [EVIL, b"garbage", b"\0", EVIL[:20]])
@pytest.mark.parametrize("whole", [sized(b"yours"), chunked(b"yours"), b"HTTP/1.1 204 No\r\n\r\n"])
async def test_what_follows_an_answer_in_the_same_breath_is_nobodys_answer(
    bench: Bench, whole: bytes, surplus: bytes
) -> None:
    peer = await bench.peer(answering(whole + surplus), echoing)

    answer = await bench.ask(peer)
    assert await answer.read() == (b"yours" if b"yours" in whole else b"")
    assert (b"content-length", b"9") not in answer.headers
    answer.close()

    assert await bench.read(peer, b"mine") == b"mine"


async def test_what_comes_while_nobody_asks_is_nobodys_answer(bench: Bench) -> None:
    go_on, gone_on = asyncio.Event(), asyncio.Event()

    async def add(talk: Talk) -> None:
        await talk.answer(sized(b"yours"))
        await go_on.wait()
        await talk.send(EVIL)
        await talk.until_left()
        gone_on.set()

    peer = await bench.peer(add, echoing)
    assert await bench.read(peer) == b"yours"
    go_on.set()
    await gone_on.wait()

    assert await bench.read(peer, b"mine") == b"mine"


@pytest.mark.parametrize(
    "behind",
    [lambda raw: raw.send(EVIL), lambda raw: raw.shutdown(socket.SHUT_WR), lambda raw: None],
    ids=["data", "hang-up", "nothing"],
)
async def test_what_the_event_loop_has_not_seen_yet_is_seen_before_sending(
    bench: Bench, behind: Callable[[socket.socket], None]
) -> None:
    peer = await bench.peer(echoing)
    assert await bench.read(peer, b"first") == b"first"

    # Without a turn of the event loop in between.
    with socket.socket(fileno=os.dup(peer.talks[0].writer.get_extra_info("socket").fileno())) as raw:
        before = len(peer.talks)
        behind(raw)
        asking = bench.read(peer, b"second")
        received = await asking

    assert received == b"second"
    assert len(peer.heads) == 2
    assert before == 1


async def test_a_hang_up_while_idle_costs_no_request(bench: Bench) -> None:
    peer = await bench.peer(answering_and_closing(sized(b"one")), echoing)
    assert await bench.read(peer) == b"one"
    await asyncio.sleep(0.01)

    assert await bench.read(peer, b"two") == b"two"


@pytest.mark.parametrize("begins_answer", [False, True])
async def test_a_request_that_was_written_is_never_sent_again(bench: Bench, begins_answer: bool) -> None:
    # The provider may have begun to work on it, and a model call is paid for each time.
    async def break_on_the_second(talk: Talk) -> None:
        await talk.answer(sized(b"one"))
        await talk.answer(HEAD[:10] if begins_answer else b"")

    peer = await bench.peer(break_on_the_second, echoing)
    await bench.read(peer)

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer)

    assert (failed.value.outcome, failed.value.was_sent) == (Outcome.UNREACHABLE, True)
    assert len(peer.heads) == 2


async def test_an_answer_that_was_not_read_ends_its_connection(bench: Bench) -> None:
    peer = await bench.peer(echoing)

    (await bench.ask(peer, b"unread")).close()

    assert await bench.read(peer, b"mine") == b"mine"
    assert len(peer.talks) == 2


async def test_an_answer_that_is_whole_and_was_not_read_to_its_end_ends_its_connection(bench: Bench) -> None:
    # So much of it came that reading was paused, and would stay so.
    peer = await bench.peer(echoing)
    answer = await bench.ask(peer, b"x" * (2 * MOST_BUFFERED))
    while not answer._connection._is_reading_paused:  # noqa: ASYNC110
        await asyncio.sleep(0)  # nothing tells of it
    answer.close()

    assert await bench.read(peer, b"mine") == b"mine"
    assert len(peer.talks) == 2


async def test_a_connection_is_not_kept_for_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    left = asyncio.Event()

    async def answer_and_wait(talk: Talk) -> None:
        await answering(sized(b"ok"))(talk)
        left.set()

    peer = await bench.peer(answer_and_wait)
    monkeypatch.setattr("router.upstream.KEEP_ALIVE_S", 0.02)
    bench.client = UpstreamClient()
    await bench.read(peer)

    await asyncio.wait_for(left.wait(), 10)
    assert _idle_ports(bench.client) == []


async def test_a_connection_kept_too_long_is_not_used_though_it_was_not_swept(bench: Bench) -> None:
    peer = await bench.peer(echoing)
    pool = bench.client._pool = ConnectionPool(keep_alive_s=0.0)
    await bench.read(peer, b"1")
    await bench.read(peer, b"2")

    assert len(peer.talks) == 2
    await pool.close()


async def test_after_the_end_nothing_is_sent(bench: Bench) -> None:
    peer = await bench.peer(echoing)
    answer = await bench.ask(peer)
    await answer.read()
    await bench.client.close()
    answer.close()

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer)

    assert failed.value.was_sent is False
    assert len(peer.heads) == 1


async def test_the_end_breaks_requests_that_wait_for_their_answer(bench: Bench) -> None:
    asked = asyncio.Event()

    async def take(talk: Talk) -> None:
        await talk.read_request()
        asked.set()
        await talk.until_left()

    peer = await bench.peer(take)
    asking = asyncio.create_task(bench.ask(peer))
    await asked.wait()

    await bench.client.close()

    with pytest.raises(UpstreamFailed) as failed:
        await asking
    assert failed.value.was_sent is True


async def test_the_end_is_not_the_end_of_a_body_without_a_length(bench: Bench) -> None:
    peer = await bench.peer(answering(HEAD + b"\r\nsome words"))
    answer = await bench.ask(peer)
    reading = asyncio.create_task(answer.read())
    await asyncio.sleep(0)

    await bench.client.close()

    with pytest.raises(UpstreamFailed):
        await reading
    answer.close()


async def test_the_end_stops_those_who_connect(bench: Bench, certificates: Certificates) -> None:
    # It accepts, and never answers the handshake.
    peer = await bench.peer(silent)
    peer.scheme = "https"
    asking = asyncio.create_task(bench.ask(peer))
    await peer.is_connected.wait()

    await bench.client.close()
    peer.talks[0].reset()

    with pytest.raises(UpstreamFailed) as failed:
        await asking
    assert failed.value.was_sent is False


def _idle_ports(client: UpstreamClient) -> list[int]:
    """Return our ports of the connections that wait, in the order in which they were given back."""
    waiting = client._pool._idle.values()
    return [each._socket.getsockname()[1] for connections in waiting for each in connections]
