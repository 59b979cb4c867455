"""Connections are made to who proves to be meant, at whichever of a name's addresses answers."""

import asyncio
import socket
import ssl
from typing import Any

import pytest

from providers.base import Outbound, Outcome
from router.upstream import UpstreamClient, UpstreamFailed
from tests.router.http1.answers import echoing
from tests.router.http1.conftest import LONG, Bench, Certificates, Peer, Talk

NAME = "api.example.com"


def name_resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Make NAME lead to these addresses, in this order."""
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        # uvloop asks for numeric addresses, too.
        if host != NAME:
            return await look_up(host, port, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for address in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def read(bench: Bench, url: str, body: bytes) -> bytes:
    answer = await bench.client.send(Outbound("POST", url, {}, body), {}, LONG)
    try:
        return await answer.read()
    finally:
        answer.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_certificate_of_a_trusted_authority_proves_who_answers(
    bench: Bench, certificates: Certificates, name: str
) -> None:
    peer = await bench.peer(echoing, tls=certificates.server())

    assert await read(bench, f"https://{name}:{peer.port}/", b"hello") == b"hello"


async def refused(bench: Bench, url: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        await bench.client.send(Outbound("POST", url, {}, b"secret"), {"x-api-key": "secret"}, LONG)
    assert (failed.value.outcome, failed.value.was_sent) == (Outcome.UNREACHABLE, False)


async def test_without_a_trusted_certificate_nothing_is_sent(bench: Bench, certificates: Certificates) -> None:
    peer = await bench.peer(echoing, tls=certificates.server())
    bench.client = UpstreamClient()

    await refused(bench, peer.url)
    assert not peer.heads


async def test_with_a_certificate_for_another_name_nothing_is_sent(
    bench: Bench, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await bench.peer(echoing, tls=certificates.server())
    name_resolves_to(monkeypatch, ("127.0.0.1", peer.port))

    await refused(bench, f"https://{NAME}:{peer.port}/")
    assert not peer.heads


async def test_where_nobody_speaks_tls_nobody_is_reached(bench: Bench) -> None:
    async def complain(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await talk.until_left()

    peer = await bench.peer(complain)
    peer.scheme = "https"

    await refused(bench, peer.url)


async def test_old_tls_is_refused(bench: Bench, certificates: Certificates) -> None:
    context = certificates.server()
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    peer = await bench.peer(echoing, tls=context)

    await refused(bench, peer.url)


@pytest.mark.parametrize("is_tls", [False, True])
async def test_an_ipv6_address_is_called(bench: Bench, certificates: Certificates, is_tls: bool) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    peer = await bench.peer(echoing, tls=certificates.server() if is_tls else None, host="::1")

    assert await bench.read(peer, b"hello") == b"hello"
    assert b"host: [::1]:%d\r\n" % peer.port in peer.heads[0]


async def test_the_next_address_answers_for_one_that_refuses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = await bench.peer(echoing)
    name_resolves_to(monkeypatch, ("127.0.0.1", unused_port()), ("127.0.0.1", peer.port))

    assert await read(bench, f"http://{NAME}:{peer.port}/", b"hello") == b"hello"


async def test_the_next_address_answers_for_one_that_is_dead(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = await bench.peer(echoing)
    with socket.socket() as dead, socket.socket() as waiting, socket.socket() as more:
        # A port that takes no more connections, and does not say so.
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        for each in (waiting, more):
            each.setblocking(False)
            each.connect_ex(dead.getsockname())
        name_resolves_to(monkeypatch, dead.getsockname(), ("127.0.0.1", peer.port))

        assert await read(bench, f"http://{NAME}:{peer.port}/", b"hello") == b"hello"


async def test_where_no_address_answers_nobody_is_reached(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    name_resolves_to(monkeypatch, ("127.0.0.1", unused_port()), ("127.0.0.1", unused_port()))

    await refused(bench, f"http://{NAME}/")


@pytest.mark.parametrize("name", ["does-not-exist.invalid", "a..b", f"{'a' * 64}.example", "-", "1.2.3.4.5"])
async def test_a_name_that_leads_nowhere_reaches_nobody(bench: Bench, name: str) -> None:
    await refused(bench, f"http://{name}/")


async def test_connections_of_two_addresses_are_kept_apart(bench: Bench) -> None:
    peers: list[Peer] = [await bench.peer(echoing) for _ in range(2)]

    for number in range(4):
        assert await bench.read(peers[number % 2], b"%d" % number) == b"%d" % number

    assert [len(peer.talks) for peer in peers] == [1, 1]
