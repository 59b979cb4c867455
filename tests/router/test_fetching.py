"""Where a client's URL may lead, and what is taken of what is there."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from router.dialects.base import RequestRefused
from router.fetching import MOST_URLS, Unfetchable, UrlFetcher, is_public, read_url, sniff

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n%%EOF\n"

# Names as an attacker would have them in a zone of his own.
NAMES = {
    "public.example": ["93.184.215.14"],
    "loopback.example": ["127.0.0.1"],
    "loopback6.example": ["::1"],
    "private.example": ["10.0.0.7"],
    "mixed.example": ["93.184.215.14", "192.168.1.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "metadata.google.internal": ["169.254.169.254"],
    "nothing.example": [],
    "localhost": ["127.0.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
}


async def resolve(host: str, port: int) -> Sequence[str]:
    """Resolve names from the table, and numbers in the spellings that the system's resolver takes."""
    name = host.rstrip(".").lower()
    if name in NAMES:
        return NAMES[name]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(address[0]) for *_, address in found]


# Forms of URL that lead where no client's URL may, or that two parsers read differently.
FORBIDDEN = [
    # This machine, in all its spellings.
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127.0.0.1.nip.io/",
    "http://loopback.example/",
    "http://loopback6.example/",
    # Networks that are somebody's own.
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/",
    "http://198.18.0.1/",
    "http://private.example/",
    "http://mixed.example/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fec0::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    # Where clouds tell their machines who they are.
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://metadata.google.internal/",
    "http://mapped.example/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    # IPv4 inside IPv6, and what routes nowhere.
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2001:db8::1]/",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://255.255.255.255/",
    "http://203.0.113.5/",
    # Other schemes, other ports, and hosts in disguise.
    "file:///etc/passwd",
    "gopher://public.example/",
    "ftp://public.example/a.png",
    "data:image/png;base64,AA==",
    "//public.example/",
    "http://",
    "http:///etc/passwd",
    "http://public.example:22/",
    "http://public.example:6379/",
    "http://public.example:0/",
    "http://public.example:99999/",
    "http://user@public.example/",
    "http://user:word@public.example/",
    "http://public.example@127.0.0.1/",
    "http://127.0.0.1#@public.example/",
    "http://127.0.0.1\\@public.example/",
    "http://127.0.0.1%00.public.example/",
    "http://127%2e0%2e0%2e1/",
    "http://public.example\r\nHost: localhost/",
    "http://public.example /",
    "http://\tpublic.example/",
    "http://nothing.example/",
    "http://[::1/",
    "http://" + "a" * 2_050,
]


@pytest.fixture
async def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a socket is connected to."""
    addresses: list[Any] = []

    async def connect(_: Any, sock: socket.socket, address: Any) -> None:
        addresses.append(address)
        raise ConnectionRefusedError

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(type(loop), "sock_connect", connect)
    return addresses


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_url_that_leads_astray_is_never_dialled(url: str, dialled: list[Any]) -> None:
    fetcher = UrlFetcher(resolve=resolve)
    try:
        with pytest.raises(Unfetchable):
            await fetcher.fetch(url, "image")
    finally:
        await fetcher.close()

    assert dialled == []


def test_there_are_sixty_forms_and_more() -> None:
    assert len(set(FORBIDDEN)) >= 60


async def test_url_of_the_public_internet_is_dialled_at_the_address_that_was_checked(dialled: list[Any]) -> None:
    fetcher = UrlFetcher(resolve=resolve)
    try:
        with pytest.raises(Unfetchable, match="could not be fetched"):
            await fetcher.fetch("http://public.example/a.png", "image")
    finally:
        await fetcher.close()

    assert dialled == [("93.184.215.14", 80)]


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "192.0.1.1", "100.128.0.1", "2606:2800:21f:cb07::1", "2a00:1450::1"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "::ffff:8.8.8.8", "8.8.8.8/32", "fe80::1%eth0"])
def test_what_is_no_public_address(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("text", ["https://example.com/a?b=c#d", "HTTP://EXAMPLE.COM", "https://exämple.com:443/ü"])
def test_usual_urls(text: str) -> None:
    assert read_url(text).scheme in ("http", "https")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
        (PDF, "application/pdf"),
        (b"\n\n" + PDF, "application/pdf"),
        (b"<html>", None),
        (b"", None),
        (b"RIFF0000WAVE", None),
    ],
)
def test_bytes_say_what_they_are(data: bytes, media_type: str | None) -> None:
    assert sniff(data) == media_type


# --- against a server of our own, whose address counts as public here ---


class Server:
    """A web server on this machine; ``seen`` are the requests that reached it."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.port = 0
        self.body = PNG
        self.headers: dict[str, str] = {}

    def url(self, path: str) -> str:
        return f"http://files.example:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        match request.path.split("/")[1:]:
            case ["file"]:
                return web.Response(body=self.body, headers={"content-type": "text/html", **self.headers})
            case ["loop", number]:
                return web.Response(status=302, headers={"location": f"/loop/{int(number) + 1}"})
            case ["hops", "0"]:
                return web.Response(body=self.body)
            case ["hops", number]:
                return web.Response(status=307, headers={"location": f"/hops/{int(number) - 1}"})
            case ["away"]:
                return web.Response(status=301, headers={"location": request.query["to"]})
            case ["endless"]:
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"\x89PNG\r\n\x1a\n" + b"0" * 65_536)
            case ["slow"]:
                await asyncio.sleep(30)
        return web.Response(status=404)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", running.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.port = runner.addresses[0][1]
    yield running
    await runner.cleanup()


Made = Callable[..., UrlFetcher]


@pytest.fixture
async def make_fetcher(server: Server) -> AsyncIterator[Made]:
    made = []

    async def resolve_here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "files.example" else await resolve(host, port)

    def make(**options: Any) -> UrlFetcher:
        settings = {"resolve": resolve_here, "is_allowed": lambda text: text == "127.0.0.1", "ports": {server.port, 80}}
        made.append(UrlFetcher(**{**settings, **options}))
        return made[-1]

    yield make
    for fetcher in made:
        await fetcher.close()


async def test_fetched_whole_and_named_by_its_bytes(server: Server, make_fetcher: Made) -> None:
    fetched = await make_fetcher().fetch(server.url("/file"), "image")

    assert (fetched.media_type, fetched.data) == ("image/png", PNG)


async def test_nothing_of_ours_goes_along(server: Server, make_fetcher: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    await make_fetcher().fetch(server.url("/file"), "image")

    [request] = server.seen
    usual = {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert {name.lower() for name in request.headers} == usual
    assert request.headers["host"] == f"files.example:{server.port}"


async def test_three_redirects_are_followed(server: Server, make_fetcher: Made) -> None:
    fetched = await make_fetcher().fetch(server.url("/hops/3"), "image")

    assert fetched.data == PNG


@pytest.mark.parametrize("path", ["/hops/4", "/loop/0"])
async def test_more_redirects_are_not(server: Server, make_fetcher: Made, path: str) -> None:
    with pytest.raises(Unfetchable, match="redirects more than 3 times"):
        await make_fetcher().fetch(server.url(path), "image")

    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "to",
    [
        *("http://169.254.169.254/", "http://10.0.0.1/", "http://[::1]/", "http://loopback6.example/", "file:///etc"),
        *("http://127.0.0.1:1/", "http://user@files.example/", "//[::ffff:127.0.0.1]/", "gopher://files.example/"),
    ],
)
async def test_redirect_is_looked_at_like_the_first_url(server: Server, make_fetcher: Made, to: str) -> None:
    with pytest.raises(Unfetchable):
        await make_fetcher().fetch(server.url(f"/away?to={to}"), "image")

    assert len(server.seen) == 1


async def test_name_that_changes_its_address_is_resolved_once(server: Server, make_fetcher: Made) -> None:
    asked = []

    async def rebind(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    fetched = await make_fetcher(resolve=rebind).fetch(server.url("/file"), "image")

    assert (fetched.data, asked) == (PNG, ["files.example"])


async def test_name_that_changes_its_address_between_fetches_is_looked_at_again(
    server: Server, make_fetcher: Made
) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    async def rebind(host: str, port: int) -> Sequence[str]:
        return next(answers)

    fetcher = make_fetcher(resolve=rebind)
    await fetcher.fetch(server.url("/file"), "image")

    with pytest.raises(Unfetchable, match="does not lead to the public internet"):
        await fetcher.fetch(server.url("/file"), "image")


@pytest.mark.parametrize(("kind", "most"), [("image", 5), ("document", 32)])
async def test_too_large(server: Server, make_fetcher: Made, kind: str, most: int) -> None:
    with pytest.raises(Unfetchable, match=f"more than {most} MB"):
        await make_fetcher().fetch(server.url("/endless"), kind)


async def test_too_slow(server: Server, make_fetcher: Made) -> None:
    with pytest.raises(Unfetchable, match=r"within 0\.05 s"):
        await make_fetcher(whole_fetch_s=0.05).fetch(server.url("/slow"), "image")


@pytest.mark.parametrize(
    ("body", "kind"), [(b"<svg xmlns='x'/>", "image"), (PDF, "image"), (PNG, "document"), (b"", "document")]
)
async def test_bytes_that_are_something_else(server: Server, make_fetcher: Made, body: bytes, kind: str) -> None:
    server.body = body

    with pytest.raises(Unfetchable, match="is not"):
        await make_fetcher().fetch(server.url("/file"), kind)


async def test_compressed_answer_is_not_unpacked(server: Server, make_fetcher: Made) -> None:
    server.headers = {"content-encoding": "gzip"}

    with pytest.raises(Unfetchable, match="compressed"):
        await make_fetcher().fetch(server.url("/file"), "image")


async def test_missing_file(server: Server, make_fetcher: Made) -> None:
    with pytest.raises(Unfetchable, match="its server answered 404"):
        await make_fetcher().fetch(server.url("/nowhere"), "image")


def image(url: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "url", "url": url}}


def message(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


async def test_body_gets_the_bytes_wherever_a_url_stands(server: Server, make_fetcher: Made) -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image(server.url("/file"))]}
    held = {"type": "document", "source": {"type": "content", "content": [image(server.url("/file"))]}}
    body = message(image(server.url("/file")), {"type": "text", "text": "https://files.example/file"}, result, held)

    await make_fetcher().fill_in(body)

    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    blocks = body["messages"][0]["content"]
    assert blocks[0] == {"type": "image", "source": source}
    assert blocks[1]["text"] == "https://files.example/file"
    assert blocks[2]["content"] == [{"type": "image", "source": source}]
    assert blocks[3]["source"]["content"] == [{"type": "image", "source": source}]
    assert len(server.seen) == 1
    json.dumps(body)


async def test_refusal_names_the_part(server: Server, make_fetcher: Made) -> None:
    body = message(image(server.url("/file")), image("http://10.0.0.1/a.png"))

    with pytest.raises(RequestRefused) as refused:
        await make_fetcher().fill_in(body)

    assert (refused.value.status, refused.value.param) == (400, "messages.0.content.1.source.url")
    assert "does not lead to the public internet. Send the file as base64." in refused.value.message


async def test_too_many_urls(server: Server, make_fetcher: Made) -> None:
    body = message(*(image(f"{server.url('/file')}?{number}") for number in range(MOST_URLS + 1)))

    with pytest.raises(RequestRefused, match="at most 20 URLs"):
        await make_fetcher().fill_in(body)

    assert server.seen == []


async def test_files_of_one_request_are_limited_together(
    server: Server, make_fetcher: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.fetching.MOST_BYTES_TOGETHER", 2 * len(PNG))
    body = message(*(image(f"{server.url('/file')}?{number}") for number in range(3)))

    with pytest.raises(RequestRefused, match="makes more than"):
        await make_fetcher().fill_in(body)
