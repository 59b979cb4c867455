"""One request to the simulator, whichever API it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote

from simulator.http import Receive, Scope, Send, read_body


@dataclass(frozen=True)
class Call:
    """One request while it is answered. ``path`` is decoded; ``raw_path`` and ``query`` are as they were sent."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send, request_id: str) -> Self:
        """Return the request as it begins, its body not read yet."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
        # Some servers leave the query in the raw path.
        path, _, _ = raw_path.decode("latin-1").partition("?")
        query = scope.get("query_string", b"").decode("latin-1")
        return cls(scope["method"], scope["path"], path, query, headers, b"", request_id, receive, send)

    async def with_body(self) -> Self:
        """Return the request with its whole body. Raises ApiError 413 and ClientLeft."""
        return replace(self, body=await read_body(self.receive))

    @property
    def bearer(self) -> str:
        """The token of an ``Authorization: Bearer`` header, '' without one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Caller:
    """Who asks: an organisation shares prompt cache and limits; ``words`` are what its credential asks for, see
    instructions.
    """

    organisation: str
    words: str = ""
