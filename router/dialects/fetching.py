"""Images and documents by URL in a Messages body: where they stand, and the bytes that take their place. Pure.

Anthropic fetches URLs itself. Bedrock and Vertex take bytes only: there a request with a URL is refused, unless the
workspace lets the gateway fetch it (``router/fetching.py``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from router.dialects.base import RequestRefused

Path = tuple[str | int, ...]
NO_URLS = "This provider takes no URLs. Send the file as base64."


class UrlPart(msgspec.Struct, frozen=True):
    """One source that is a URL. ``path`` leads to it in the Messages body; ``kind`` is "image" or "document".

    ``param`` is where the client wrote it.
    """

    path: Path
    url: str
    kind: str
    param: str


class UrlSource(dict[str, Any]):
    """A ``url`` source that remembers where in the client's own body the URL stands."""

    def __init__(self, url: str, param: str) -> None:
        super().__init__(type="url", url=url)
        self.param = param


def url_parts(body: dict[str, Any]) -> list[UrlPart]:
    """Return the URLs in a Messages body, in their order; in tool results and in documents of parts too."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return []
    return [
        part
        for at, message in enumerate(messages)
        if isinstance(message, dict)
        for part in _in_blocks(message.get("content"), ("messages", at, "content"))
    ]


def refuse_urls(body: dict[str, Any]) -> None:
    """Raise RequestRefused at the first URL."""
    for part in url_parts(body):
        raise RequestRefused(f"{part.param}: {NO_URLS}", param=part.param)


def put_bytes(body: dict[str, Any], path: Path, media_type: str, base64: str) -> None:
    """Put fetched bytes, as base64 text, in the place of the URL at ``path``."""
    *way, last = path
    _at(body, way)[last] = {"type": "base64", "media_type": media_type, "data": base64}


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        value = value[step]
    return value


def _in_blocks(blocks: object, path: Path) -> Iterator[UrlPart]:
    if not isinstance(blocks, list):
        return
    for at, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        kind, here = block.get("type"), (*path, at)
        if kind == "tool_result":
            yield from _in_blocks(block.get("content"), (*here, "content"))
        elif kind in ("image", "document"):
            yield from _in_source(block.get("source"), kind, (*here, "source"))


def _in_source(source: object, kind: str, path: Path) -> Iterator[UrlPart]:
    if not isinstance(source, dict):
        return
    url = source.get("url")
    if source.get("type") == "url" and isinstance(url, str):
        param = source.param if isinstance(source, UrlSource) else ".".join(map(str, (*path, "url")))
        yield UrlPart(path, url, kind, param)
    elif source.get("type") == "content":
        yield from _in_blocks(source.get("content"), (*path, "content"))
