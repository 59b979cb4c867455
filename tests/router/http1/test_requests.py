"""What goes out: the request's bytes, whole, or nothing at all."""

import asyncio
import os

import pytest

from providers.base import Outbound, Outcome
from router.upstream import UpstreamFailed
from tests.router.http1.answers import HEAD, answering, echoing, sized
from tests.router.http1.conftest import LONG, Bench, Certificates, Talk

UPLOAD = os.urandom(20 * 1024 * 1024)


async def test_a_request_says_where_it_goes_and_how_long_it_is(bench: Bench) -> None:
    peer = await bench.peer(answering(sized(b"ok")))
    outbound = Outbound("POST", f"{peer.url}?beta=true&x=%2F", {}, b"12345")

    answer = await bench.client.send(outbound, {"x-api-key": "k\tü", "content-type": "application/json"}, LONG)

    answer.close()
    assert peer.heads == [
        b"POST /v1/messages?beta=true&x=%%2F HTTP/1.1\r\n"
        b"host: 127.0.0.1:%d\r\n"
        b"accept-encoding: identity\r\n"
        b"x-api-key: k\t\xfc\r\n"
        b"content-type: application/json\r\n"
        b"content-length: 5\r\n\r\n" % peer.port
    ]


async def test_a_url_without_a_path_asks_for_the_root(bench: Bench) -> None:
    peer = await bench.peer(answering(sized(b"ok")))

    answer = await bench.client.send(Outbound("GET", f"http://127.0.0.1:{peer.port}", {}), {}, LONG)

    answer.close()
    assert peer.heads[0].startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("character", ["\r", "\n", "\r\n", "\0", "\x01", "\x0b", "\x1f", "\x7f", "€"])
@pytest.mark.parametrize("place", ["{}x: y", "x{}y", "x{}"])
async def test_a_header_that_none_may_be_is_refused_and_nothing_sent(bench: Bench, character: str, place: str) -> None:
    peer = await bench.peer(echoing)

    for headers in ({"x-api-key": place.format(character)}, {place.format(character): "y"}):
        with pytest.raises(UpstreamFailed) as failed:
            await bench.ask(peer, headers=headers)
        assert (failed.value.outcome, failed.value.was_sent) == (Outcome.MISCONFIGURED, False)

    assert not peer.talks


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "http://",
        "http://[::1/",
        "http://example.com:port/",
        "http://example.com:99999/",
        "http://user:password@example.com/",
        "http://example.com/a b",
        "http://example.com/\0",
        "http://example.com/ü",
        "http://example.com/?a b",
    ],
)
async def test_what_is_no_address_is_refused(bench: Bench, url: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await bench.client.send(Outbound("GET", url, {}), {}, LONG)

    assert (failed.value.outcome, failed.value.was_sent) == (Outcome.MISCONFIGURED, False)


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_large_body_arrives_whole(bench: Bench, certificates: Certificates, is_tls: bool) -> None:
    peer = await bench.peer(echoing, tls=certificates.server() if is_tls else None)

    assert await bench.read(peer, UPLOAD) == UPLOAD
    assert await bench.read(peer, UPLOAD[:70_000]) == UPLOAD[:70_000]
    assert len(peer.talks) == 1


@pytest.mark.parametrize("is_tls", [False, True])
async def test_an_answer_may_come_before_the_body_is_written(
    bench: Bench, certificates: Certificates, is_tls: bool
) -> None:
    async def refuse_early(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 7\r\n\r\ntoo big")
        await asyncio.Event().wait()

    peer = await bench.peer(refuse_early, echoing, tls=certificates.server() if is_tls else None)

    answer = await bench.ask(peer, UPLOAD)
    assert (answer.status, await answer.read()) == (413, b"too big")
    answer.close()

    assert await bench.read(peer, b"next") == b"next"
    assert len(peer.talks) == 2, "what was half written must not stand before the next request"


async def test_an_answer_without_a_length_ends_though_the_body_is_not_written(bench: Bench) -> None:
    async def refuse_and_end(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.send(HEAD + b"\r\ntoo big")
        talk.writer.write_eof()
        await asyncio.Event().wait()

    peer = await bench.peer(refuse_and_end)

    assert await bench.read(peer, UPLOAD) == b"too big"


async def test_a_hang_up_in_the_middle_of_a_large_body_is_no_answer(bench: Bench) -> None:
    async def hang_up(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        talk.reset()

    peer = await bench.peer(hang_up)

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer, UPLOAD)
    assert (failed.value.outcome, failed.value.was_sent) == (Outcome.UNREACHABLE, True)
