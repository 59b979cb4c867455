"""Scripted providers on raw sockets, spoken to on each event loop; whatever is left behind fails the test."""

import asyncio
import gc
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from providers.base import Outbound
from router.upstream import Timeouts, UpstreamAnswer, UpstreamClient

LONG = Timeouts(connect=10, first_byte=10, between_bytes=10, whole=30)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class Talk:
    """The provider's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]) -> None:
        self.reader, self.writer, self._seen = reader, writer, seen

    async def read_request(self) -> bytes:
        """Return the next request's body, once it is whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self._seen.append(head)
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return await self.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, data: bytes) -> None:
        """Read a request and answer it."""
        await self.read_request()
        await self.send(data)

    async def until_left(self) -> None:
        """Wait until the other side has hung up."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """End the connection the hard way, at once."""
        # asyncio's own transport knows no loop any more once it has closed with something left to write (Python 3.11).
        with suppress(AttributeError):
            self.writer.transport.abort()


Script = Callable[[Talk], Awaitable[None]]


class Peer:
    """A provider on a port of this machine: each connection is handled by the next script, the last one again."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = deque(scripts)
        self.heads: list[bytes] = []
        self.talks: list[Talk] = []
        self.failures: list[BaseException] = []
        self.is_connected = asyncio.Event()
        self.scheme = "http"
        self.host = "127.0.0.1"
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.scheme, self.host = ("https" if tls else "http"), host
        self._server = await asyncio.start_server(self._accept, host, 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/v1/messages"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for talk in self.talks:
            talk.reset()
        if self.failures:
            raise self.failures[0]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        talk = Talk(reader, writer, self.heads)
        self.talks.append(talk)
        self.is_connected.set()
        script = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
        try:
            await script(talk)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # The other side left, or the test is over.
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            writer.close()
            self._tasks.discard(task)


class Bench:
    """A client, the peers it talks to, and short words for both."""

    def __init__(self, client: UpstreamClient) -> None:
        self.client = client
        self.peers: list[Peer] = []

    async def peer(self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Peer:
        peer = Peer(*scripts)
        await peer.start(tls=tls, host=host)
        self.peers.append(peer)
        return peer

    async def ask(
        self,
        peer: Peer,
        body: bytes = b"{}",
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts = LONG,
    ) -> UpstreamAnswer:
        """Send a request; whoever asked closes the answer."""
        return await self.client.send(Outbound("POST", peer.url, {}, body), headers or {}, timeouts)

    async def read(self, peer: Peer, body: bytes = b"{}", *, timeouts: Timeouts = LONG) -> bytes:
        """Send a request and return the whole body of its answer."""
        answer = await self.ask(peer, body, timeouts=timeouts)
        try:
            return await answer.read()
        finally:
            answer.close()


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    sockets = _open_sockets()
    yield
    for _ in range(100):
        if _open_sockets() <= sockets and len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0.01)
    gc.collect(1)
    assert len(asyncio.all_tasks()) == 1
    assert _open_sockets() <= sockets
    assert not complaints


@pytest.fixture
async def bench(nothing_left: None, trusted: ssl.SSLContext) -> AsyncIterator[Bench]:
    bench = Bench(UpstreamClient(tls=trusted))
    yield bench
    await bench.client.close()
    for peer in bench.peers:
        await peer.stop()


@pytest.fixture
def trusted(certificates: "Certificates") -> ssl.SSLContext:
    """What the client trusts: the test's own authority."""
    return ssl.create_default_context(cafile=str(certificates.authority))


class Certificates:
    """An authority, and a certificate for ``localhost`` and the loopback addresses that it signed."""

    def __init__(self, directory: Path) -> None:
        self.authority, self.chain = directory / "authority.pem", directory / "chain.pem"

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    from tests.router.http1.authority import write_certificates

    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    write_certificates(certificates.authority, certificates.chain)
    return certificates


def _open_sockets() -> int:
    links = (_target(link) for link in Path("/proc/self/fd").iterdir())
    return sum(target.startswith("socket:") for target in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
