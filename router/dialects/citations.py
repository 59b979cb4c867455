"""Which stretch of an answer each of Claude's citations is for, and how chat and responses say it.

Claude cites by text block: a block's citations are for the whole of its text. The other dialects put the blocks into
one text, so a citation gets ``start_index`` and ``end_index`` there, counted in characters (Unicode code points).
Source: Anthropic API documentation, "Citations"; OpenAI API reference, "annotations".
"""

from collections.abc import Mapping, Sequence
from typing import Any

Citation = dict[str, Any]
_WEB = ("https://", "http://")


class CitedText:
    """Follows a text that grows block by block; ``length`` is how many characters it has."""

    __slots__ = ("_start", "_waiting", "length")

    def __init__(self) -> None:
        self.length = 0
        self._start = 0
        self._waiting: list[Mapping[str, Any]] = []

    def begin_block(self, citations: Sequence[Mapping[str, Any]] | None) -> None:
        """Note where a block begins, and the citations that it brings along."""
        self._start = self.length
        if citations:
            self._waiting = list(citations)

    def cite(self, citation: Mapping[str, Any]) -> None:
        """Take a citation for the block that is open."""
        self._waiting.append(citation)

    def grow(self, text: str) -> None:
        """Take more of the block's text."""
        self.length += len(text)

    def end_block(self) -> list[Citation]:
        """Return the block's citations with their place in the whole text."""
        if not self._waiting:
            return []
        place = {"start_index": self._start, "end_index": self.length}
        cited = [{**place, **citation} for citation in self._waiting]
        self._waiting = []
        return cited


def cited_stretches(blocks: Sequence[Mapping[str, Any]]) -> list[Citation]:
    """Return the citations of text blocks that become one text."""
    if not any(block.get("citations") for block in blocks):
        return []
    text, citations = CitedText(), []
    for block in blocks:
        text.begin_block(block.get("citations"))
        text.grow(block["text"])
        citations += text.end_block()
    return citations


def chat_fields(citations: Sequence[Citation]) -> dict[str, Any]:
    """Return what citations add to a chat message: all as Claude has them, and web pages in OpenAI's form too."""
    if not citations:
        return {}
    fields: dict[str, Any] = {"citations": list(citations)}
    pages = [{"type": "url_citation", "url_citation": _page(citation)} for citation in citations if _address(citation)]
    return fields | {"annotations": pages} if pages else fields


def annotation(citation: Citation) -> dict[str, Any]:
    """Return an annotation of a response's output text. ``citation`` in it is Claude's own, whole."""
    own = {name: value for name, value in citation.items() if name not in ("start_index", "end_index")}
    if _address(citation):
        return {"type": "url_citation", **_page(citation), "citation": own}
    return {
        "type": "file_citation",
        "file_id": citation.get("file_id") or f"document_{citation.get('document_index', 0)}",
        "filename": citation.get("document_title") or citation.get("title") or "",
        "index": citation["end_index"],
        "citation": own,
    }


def _address(citation: Citation) -> str | None:
    address = citation.get("url") or citation.get("source")
    return address if isinstance(address, str) and address.startswith(_WEB) else None


def _page(citation: Citation) -> dict[str, Any]:
    return {
        "start_index": citation["start_index"],
        "end_index": citation["end_index"],
        "title": citation.get("title") or "",
        "url": _address(citation),
    }
