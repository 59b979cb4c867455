"""Which headers pass through the gateway, in either direction, and which stop here. Pure.

To the native endpoint's provider and back goes what we do not know: clients and providers use new headers on the day
they come out. The same few names come with every request, so what becomes of each is remembered.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Final

import msgspec

_METADATA_PREFIX: Final = "x-orq-metadata-"
# Ours, or the connection's.
_STOPPED_REQUEST_PREFIXES: Final = ("x-orq-", "x-forwarded-", "proxy-", "cf-", "x-amzn-")
_STOPPED_REQUEST_HEADERS: Final = frozenset(
    [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-api-key",
        "x-real-ip",
    ]
)
# Not the client's business, no longer true, or said of the provider's own host; some proxies repeat the credential they
# were sent.
_STOPPED_REPLY_HEADERS: Final = frozenset(
    [
        b"alt-svc",
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"date",
        b"keep-alive",
        b"location",
        b"proxy-authenticate",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"www-authenticate",
        b"x-api-key",
    ]
)
_STOPPED_REPLY_PREFIX: Final = b"access-control-"


class RequestHeaders(msgspec.Struct, frozen=True):
    """A request's headers by lower-case name: all, those a native provider gets, and the client's own metadata."""

    every: Mapping[str, str]
    passed_on: Mapping[str, str]
    metadata: Mapping[str, str]


class _Fate(Enum):
    PASSED_ON = auto()
    METADATA = auto()
    STOPPED = auto()


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
    """Return the headers of an ASGI scope, sorted out."""
    every: dict[str, str] = {}
    passed_on: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, fate = _fate_of(raw_name)
        value = every[name] = raw_value.decode("latin-1")
        if fate is _Fate.PASSED_ON:
            if passed_on.get(name, value) != value and name != "content-type":
                # A list may come as several lines (RFC 9110, section 5.3).
                value = f"{passed_on[name]}, {value}"
            passed_on[name] = value
        elif fate is _Fate.METADATA:
            metadata[name[len(_METADATA_PREFIX) :]] = value
    return RequestHeaders(every, passed_on, metadata)


def reply_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return what the client gets of a provider's reply headers, names in lower case."""
    return [(name, value) for raw_name, value in raw if (name := _passing_reply_name(raw_name))]


@lru_cache(maxsize=1024)
def _fate_of(raw_name: bytes) -> tuple[str, _Fate]:
    name = raw_name.decode("latin-1")
    if name.startswith(_METADATA_PREFIX):
        return name, _Fate.METADATA
    is_stopped = name in _STOPPED_REQUEST_HEADERS or name.startswith(_STOPPED_REQUEST_PREFIXES)
    return name, _Fate.STOPPED if is_stopped else _Fate.PASSED_ON


@lru_cache(maxsize=1024)
def _passing_reply_name(raw_name: bytes) -> bytes | None:
    name = raw_name.lower()
    is_stopped = name in _STOPPED_REPLY_HEADERS or name.startswith(_STOPPED_REPLY_PREFIX)
    return None if is_stopped else name
