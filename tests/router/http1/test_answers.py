"""An answer reads the same however it is cut; what is no answer, or only a part of one, is told apart from it."""

import asyncio
import os
import socket

import pytest

from providers.base import Outcome
from router.http1 import LONGEST_FRAMING, Connection
from router.upstream import LONGEST_ERROR, UpstreamAnswer, UpstreamFailed
from tests.router.http1.answers import HEAD, answering, answering_and_closing, chunked, sized
from tests.router.http1.conftest import Bench, Talk

WORDS = b"some words \xf0\x9f\x98\x80 of an answer"
WHOLE = {
    "sized": sized(WORDS, b"x-one: 1"),
    "empty": sized(b"", b"x-one: 1"),
    "chunked": chunked(WORDS[:3], WORDS[3:20], WORDS[20:]),
    "chunk extensions": chunked().replace(b"0\r\n", b"3;a=1;b\r\nsom\r\n0;c\r\n"),
    "trailers": chunked(WORDS, trailers=b"x-late: 1\r\nx-later: 2\r\n"),
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + sized(WORDS),
    "no content": b"HTTP/1.1 204 No Content\r\nx-one: 1\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\netag: 1\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
}


class Wire:
    """A transport that goes nowhere; ``is_open`` until it is aborted."""

    is_open = True

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None:
        self.is_open = False


async def read_in_pieces(pieces: list[bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
    """Return what a connection makes of an answer that arrives in exactly these pieces."""
    loop = asyncio.get_running_loop()
    with socket.socket() as unused:
        connection, wire = Connection(loop, unused), Wire()
        connection.connection_made(wire)  # type: ignore[arg-type]
        connection.start(b"", b"")
        for piece in pieces:
            connection.data_received(piece)
        late = loop.time() + 10
        await connection.wait_for_head(until=late, whole_until=late)
        body = b""
        while chunk := await connection.next_chunk(between_s=10, whole_until=late):
            body += chunk
        return connection.status, connection.headers, body, wire.is_open and connection.is_reusable


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
async def test_every_cut_of_an_answer_reads_the_same(answer: bytes) -> None:
    whole = await read_in_pieces([answer])

    for at in range(1, len(answer)):
        assert await read_in_pieces([answer[:at], answer[at:]]) == whole
    assert await read_in_pieces([answer[at : at + 1] for at in range(len(answer))]) == whole
    assert whole[3], "a whole answer leaves its connection to the next request"


async def test_an_answer_that_comes_byte_by_byte_is_read_whole(bench: Bench) -> None:
    async def dribble(talk: Talk) -> None:
        await talk.read_request()
        for byte in WHOLE["trailers"]:
            await talk.send(bytes([byte]))
            await asyncio.sleep(0)

    assert await bench.read(await bench.peer(dribble)) == WORDS


async def test_what_stands_in_trailers_and_interim_answers_is_no_header_of_the_answer(bench: Bench) -> None:
    peer = await bench.peer(
        answering(
            b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n"
            + chunked(b"ok", trailers=b"x-late: 1\r\ncontent-type: text/html\r\n")
        )
    )

    answer = await bench.ask(peer)
    await answer.read()

    assert answer.headers == [(b"transfer-encoding", b"chunked")]
    answer.close()


async def test_a_body_without_a_length_ends_with_its_connection(bench: Bench) -> None:
    peer = await bench.peer(answering_and_closing(HEAD + b"\r\n" + WORDS))

    assert await bench.read(peer) == WORDS


async def test_a_reset_is_not_the_end_of_a_body_without_a_length(bench: Bench) -> None:
    async def break_off(talk: Talk) -> None:
        await talk.answer(HEAD + b"\r\n" + WORDS)
        linger_not = b"\x01\0\0\0\0\0\0\0"
        raw = socket.socket(fileno=os.dup(talk.writer.get_extra_info("socket").fileno()))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        talk.reset()
        await asyncio.sleep(0.05)
        raw.close()

    answer = await bench.ask(await bench.peer(break_off))

    with pytest.raises(UpstreamFailed) as failed:
        await answer.read()
    assert failed.value.outcome == Outcome.PROVIDER_ERROR
    answer.close()


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_with_its_headers_whatever_they_say(bench: Bench, status: int) -> None:
    peer = await bench.peer(answering(b"HTTP/1.1 %d None\r\ncontent-length: 5\r\n\r\n" % status))

    assert await bench.read(peer) == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/1.1 000 No\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: folded\r\n further\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: a\nb: c\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x y: a\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"no colon\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 99999999999999999999\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nok",
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nxx",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + sized(b"ok"),
    ],
)
async def test_what_is_no_answer_counts_as_none(bench: Bench, answer: bytes) -> None:
    peer = await bench.peer(answering_and_closing(answer))

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer)

    assert (failed.value.outcome, failed.value.was_sent) == (Outcome.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("first", "again"),
    [(b"", b"x-more: and more\r\n"), (b"x-more: ", b"more"), (b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["headers", "one header", "interim answers"],
)
async def test_a_head_without_end_is_given_up(bench: Bench, first: bytes, again: bytes) -> None:
    async def go_on(talk: Talk) -> None:
        await talk.answer(b"HTTP/1.1 100 Continue\r\n" + first)
        while True:
            await talk.send(again * 100)

    peer = await bench.peer(go_on)

    with pytest.raises(UpstreamFailed) as failed:
        await bench.ask(peer)
    assert (failed.value.outcome, failed.value.phase) == (Outcome.UNREACHABLE, "")


async def test_trailers_without_end_are_given_up(bench: Bench) -> None:
    async def go_on(talk: Talk) -> None:
        await talk.answer(chunked(WORDS)[:-2])
        while True:
            await talk.send(b"x-more: and more\r\n" * 100)

    answer = await bench.ask(await bench.peer(go_on))

    with pytest.raises(UpstreamFailed) as failed:
        await answer.read()
    assert failed.value.outcome == Outcome.PROVIDER_ERROR
    answer.close()


async def test_a_long_body_is_no_head_without_end(bench: Bench) -> None:
    body = os.urandom(4 * LONGEST_FRAMING)
    peer = await bench.peer(answering(chunked(*(body[at : at + 1000] for at in range(0, len(body), 1000)))))

    assert await bench.read(peer) == body


@pytest.mark.parametrize(
    "answer",
    [
        sized(WORDS)[:-1],
        chunked(WORDS)[:-7],
        chunked(WORDS)[:-1],
        chunked(WORDS).replace(b"\r\n0\r\n", b"XX0\r\n"),
        HEAD + b"transfer-encoding: gzip\r\n\r\n" + WORDS,
    ],
    ids=["sized", "before the last chunk", "before the last line", "framing", "unknown coding"],
)
async def test_a_body_that_breaks_off_is_told_from_a_whole_one(bench: Bench, answer: bytes) -> None:
    received = await bench.ask(await bench.peer(answering_and_closing(answer)))
    came: list[bytes] = []

    with pytest.raises(UpstreamFailed) as failed:
        await read_into(came, received)

    assert failed.value.outcome == Outcome.PROVIDER_ERROR
    assert came
    assert WORDS.startswith(b"".join(came))
    received.close()


async def read_into(chunks: list[bytes], answer: UpstreamAnswer) -> None:
    while chunk := await answer.next_chunk():
        chunks.append(chunk)


async def test_of_a_refusal_that_breaks_off_the_beginning_is_kept(bench: Bench) -> None:
    answer = await bench.ask(await bench.peer(answering_and_closing(sized(WORDS)[:-1])))

    assert await answer.read_error() == WORDS[:-1]
    answer.close()


async def test_of_a_refusal_without_end_only_the_beginning_is_read(bench: Bench) -> None:
    async def go_on(talk: Talk) -> None:
        await talk.answer(HEAD + b"\r\n")
        while True:
            await talk.send(WORDS * 100)

    answer = await bench.ask(await bench.peer(go_on))

    assert len(await answer.read_error()) == LONGEST_ERROR
    answer.close()


async def test_a_header_is_found_by_its_name_in_any_case(bench: Bench) -> None:
    answer = await bench.ask(await bench.peer(answering(sized(b"ok", b"Request-ID: req_1"))))

    assert answer.header("request-id") == "req_1"
    assert answer.header("x-none") == ""
    answer.close()
