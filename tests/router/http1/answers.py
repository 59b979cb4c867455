"""Answers as bytes, and the scripts that give them."""

from tests.router.http1.conftest import Script, Talk

HEAD = b"HTTP/1.1 200 OK\r\n"


def sized(body: bytes, *headers: bytes) -> bytes:
    """Return an answer that says how long it is."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return HEAD + lines + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """Return an answer in chunks."""
    parts = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + parts + b"0\r\n" + trailers + b"\r\n"


def answering(*answers: bytes) -> Script:
    """Answer one request after the other, then wait for the other side to leave."""

    async def script(talk: Talk) -> None:
        for answer in answers:
            await talk.answer(answer)
        await talk.until_left()

    return script


def answering_and_closing(answer: bytes) -> Script:
    """Answer one request and hang up."""

    async def script(talk: Talk) -> None:
        await talk.answer(answer)

    return script


async def echoing(talk: Talk) -> None:
    """Answer each request with its own body."""
    while True:
        await talk.send(sized(await talk.read_request()))


async def silent(talk: Talk) -> None:
    """Take what comes and say nothing."""
    await talk.until_left()
