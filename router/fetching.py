"""Fetching the images and PDFs that clients name by URL, for providers that take bytes only.

The URL is the client's, so the guard decides where it may lead: to http(s) on the usual ports, at addresses on the
public internet. A name is resolved once, every address it has is looked at, and the connection goes to one that was;
redirects are followed one by one under the same rules. Neither cookies, credentials nor proxies of ours take part.
What came is judged by its bytes, not by what the server calls it.
"""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from router.dialects.base import RequestRefused
from router.dialects.fetching import UrlPart, put_bytes, url_parts

MOST_URLS: Final = 20
MOST_AT_ONCE: Final = 4  # of one request
MOST_CONNECTIONS: Final = 32  # of the process
MOST_REDIRECTS: Final = 3
LONGEST_URL: Final = 2_048
WHOLE_FETCH_S: Final = 10.0
MOST_BYTES: Final = {"image": 5 * 1024 * 1024, "document": 32 * 1024 * 1024}
# Of one request; no provider takes more in one body.
MOST_BYTES_TOGETHER: Final = 32 * 1024 * 1024
USUAL_PORTS: Final = frozenset({80, 443})
_CHUNK_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"accept": "image/*, application/pdf", "accept-encoding": "identity", "user-agent": "orqadmin"}
_WANTED: Final = {"image": "an image (PNG, JPEG, GIF or WebP)", "document": "a PDF"}

# Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries; Azure's host address 168.63.129.16, which is public
# by number. Of IPv6 only global unicast is let through, less what embeds an IPv4 address or leads nowhere.
_CLOSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
        ),
    )
)
_OPEN_V6: Final = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Unfetchable(Exception):
    """Why a URL was not fetched, as half a sentence that follows the part's name."""


class NotFetched(RequestRefused):
    """A file that a request names by URL and that cannot be had."""


class Fetched(msgspec.Struct, frozen=True):
    """What a URL led to, and the media type that its bytes show."""

    media_type: str
    data: bytes


def is_public(address: str) -> bool:
    """Whether an IP address, in the usual spelling, is one of the public internet."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv4Address):
        return not any(number in network for network in _CLOSED_V4)
    return number in _OPEN_V6 and not any(number in network for network in _CLOSED_V6)


def read_url(text: str, ports: Collection[int] = USUAL_PORTS) -> URL:
    """Return the URL as it will be dialled. Raises Unfetchable for what no client needs to write."""
    if len(text) > LONGEST_URL:
        raise Unfetchable(f"is a URL of more than {LONGEST_URL} characters")
    # Parsers disagree on these, and that is how a checked host and a dialled one come apart.
    if "\\" in text or any(letter.isspace() or not letter.isprintable() for letter in text):
        raise Unfetchable("is not a valid URL")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise Unfetchable("is not a valid URL") from None
    if url.scheme not in ("http", "https") or not host or "%" in host:
        raise Unfetchable("is not a valid http(s) URL")
    if url.raw_user is not None or url.raw_password is not None:
        raise Unfetchable("must not hold a user name or password")
    if port not in ports:
        raise Unfetchable("names a port other than 80 and 443")
    return url


def sniff(data: bytes) -> str | None:
    """Return the media type that the bytes show: an image that providers take, or a PDF; else None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    # Readers of PDF look for its mark within the first kilobyte.
    return "application/pdf" if b"%PDF-" in data[:1024] else None


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return every address of a name, as the system's resolver has them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class UrlFetcher:
    """One process's guarded way to the internet; made once there is an event loop."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_host,
        is_allowed: Callable[[str], bool] = is_public,
        ports: Collection[int] = USUAL_PORTS,
        whole_fetch_s: float = WHOLE_FETCH_S,
    ) -> None:
        self._is_allowed = is_allowed
        self._ports = ports
        self._whole_fetch_s = whole_fetch_s
        # Each fetch connects anew: a connection kept would outlive the check of its address.
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(resolve, is_allowed),
            use_dns_cache=False,
            force_close=True,
            limit=MOST_CONNECTIONS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def fill_in(self, body: dict[str, Any]) -> None:
        """Put the bytes in the place of each URL of a Messages body.

        Raises NotFetched (400), naming the part, for a URL that may not or could not be fetched.
        """
        parts = url_parts(body)
        if len(parts) > MOST_URLS:
            last = parts[MOST_URLS]
            raise NotFetched(
                f"{last.param}: at most {MOST_URLS} URLs are fetched for a request. Send the others as base64.",
                param=last.param,
            )
        at_once, room = asyncio.Semaphore(MOST_AT_ONCE), _Room(MOST_BYTES_TOGETHER)

        async def fetch_part(part: UrlPart) -> Fetched:
            try:
                async with at_once:
                    return await self.fetch(part.url, part.kind, room)
            except Unfetchable as error:
                raise NotFetched(f"{part.param} {error}. Send the file as base64.", param=part.param) from None

        tasks: dict[tuple[str, str], asyncio.Task[Fetched]] = {}
        for part in parts:
            if (part.url, part.kind) not in tasks:
                tasks[part.url, part.kind] = asyncio.create_task(fetch_part(part))
        try:
            for part in parts:
                fetched = await tasks[part.url, part.kind]
                put_bytes(body, part.path, fetched.media_type, base64.b64encode(fetched.data).decode())
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def fetch(self, url: str, kind: str, room: "_Room | None" = None) -> Fetched:
        """Return the image or document (``kind``) at ``url``. Raises Unfetchable.

        ``room`` is what its request may still bring, if there is more than this one file.
        """
        limits = (_Room(MOST_BYTES[kind]), *([room] if room else []))
        try:
            async with asyncio.timeout(self._whole_fetch_s):
                data = await self._follow(read_url(url, self._ports), limits)
        except TimeoutError:
            raise Unfetchable(f"could not be fetched within {self._whole_fetch_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError):
            # The original may tell of what is in our own network.
            raise Unfetchable("could not be fetched") from None
        media_type = sniff(data)
        if media_type is None or media_type.startswith("image/") != (kind == "image"):
            raise Unfetchable(f"is not {_WANTED[kind]}")
        return Fetched(media_type, data)

    async def _follow(self, url: URL, limits: Sequence["_Room"]) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            self._check_literal(url)
            async with self._session.get(url, headers=_HEADERS, allow_redirects=False) as response:
                self._check_peer(response)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    return await _read(response, limits)
                url = read_url(str(url.join(URL(location))), self._ports)
        raise Unfetchable(f"redirects more than {MOST_REDIRECTS} times")

    def _check_literal(self, url: URL) -> None:
        """Refuse an address that stands in the URL itself, which no resolver sees."""
        host = url.raw_host or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        if not self._is_allowed(host):
            raise _not_public()

    def _check_peer(self, response: aiohttp.ClientResponse) -> None:
        """Refuse an answer of any other address than the guard let through."""
        transport = response.connection.transport if response.connection else None
        peer = transport.get_extra_info("peername") if transport else None
        if peer is not None and not self._is_allowed(str(peer[0])):
            raise _not_public()


def _not_public() -> Unfetchable:
    return Unfetchable("does not lead to the public internet")


class _GuardedResolver(AbstractResolver):
    """Gives a connector the addresses it dials, if all that a name has are allowed."""

    def __init__(self, resolve: Resolve, is_allowed: Callable[[str], bool]) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``. Raises Unfetchable unless each is allowed, OSError if there is none."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise OSError(None, "the name has no address")
        if not all(map(self._is_allowed, addresses)):
            raise _not_public()
        return [_numeric(host, address, port) for address in dict.fromkeys(addresses)]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _numeric(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


class _Room:
    """How many bytes may still come."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = self._left = most_bytes

    def take(self, size: int) -> None:
        """Raise Unfetchable if ``size`` more bytes are too many."""
        self._left -= size
        if self._left < 0:
            raise Unfetchable(f"makes more than {self._most_bytes // (1024 * 1024)} MB")


async def _read(response: aiohttp.ClientResponse, limits: Sequence[_Room]) -> bytes:
    if response.status != 200:
        raise Unfetchable(f"could not be fetched: its server answered {response.status}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unfetchable("could not be fetched: its server sent it compressed")
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        for room in limits:
            room.take(len(chunk))
        data += chunk
    return bytes(data)
