"""Citations: which documents of a request may be cited, and text that cites them.

Source: Anthropic documentation, "Citations" and "Search results".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import invalid
from simulator.prompt import as_blocks

_MOST_CITED = 3
_LONGEST_QUOTE = 120
Block = Mapping[str, Any]


def check_citations(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 unless all documents are to be cited or none is, and an answer can hold citations."""
    enabled = [_is_enabled(block) for block in _documents(body)]
    if any(enabled) and not all(enabled):
        raise invalid("messages: citations must be enabled on all or none of the documents")
    if any(enabled) and _output_format(body):
        raise invalid("output_config.format: citations are not supported with structured outputs")


def write_cited(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return text blocks that cite the first documents of ``body`` which are to be cited; none without such."""
    documents = [block for block in _documents(body) if block["type"] == "document"]
    results = [block for block in _documents(body) if block["type"] == "search_result"]
    locations = [_in_document(block, at) for at, block in enumerate(documents) if _is_enabled(block)]
    locations += [_in_search_result(block, at) for at, block in enumerate(results) if _is_enabled(block)]
    return [
        {"type": "text", "text": f" Source {at + 1} says so.", "citations": [location]}
        for at, location in enumerate(locations[:_MOST_CITED])
    ]


def _documents(body: Mapping[str, Any]) -> Iterator[Block]:
    """Yield documents and search results in order, those inside tool results too."""
    for message in body["messages"]:
        if message["role"] == "user":
            yield from _within(as_blocks(message["content"]))


def _within(blocks: list[Block]) -> Iterator[Block]:
    for block in blocks:
        if block["type"] in ("document", "search_result"):
            yield block
        elif block["type"] == "tool_result" and isinstance(block.get("content"), list):
            yield from _within(block["content"])


def _is_enabled(block: Block) -> bool:
    return bool((block.get("citations") or {}).get("enabled"))


def _output_format(body: Mapping[str, Any]) -> object:
    return (body.get("output_config") or {}).get("format") or body.get("output_format")


def _in_document(block: Block, index: int) -> dict[str, Any]:
    source = block["source"]
    place = {"document_index": index, "document_title": block.get("title")}
    match source["type"]:
        case "text":
            quote = _quote(source["data"])
            span = {"start_char_index": 0, "end_char_index": len(quote)}
            return {"type": "char_location", "cited_text": quote, **place, **span, "file_id": None}
        case "content":
            content = as_blocks(source["content"])
            quote = _quote(content[0].get("text", "") if content else "")
            span = {"start_block_index": 0, "end_block_index": 1}
            return {"type": "content_block_location", "cited_text": quote, **place, **span, "file_id": None}
        case _:
            span = {"start_page_number": 1, "end_page_number": 2}
            return {"type": "page_location", "cited_text": "A simulated page.", **place, **span, "file_id": None}


def _in_search_result(block: Block, index: int) -> dict[str, Any]:
    content = block["content"]
    return {
        "type": "search_result_location",
        "cited_text": content[0].get("text", "") if content else "",
        "source": block["source"],
        "title": block.get("title"),
        "search_result_index": index,
        "start_block_index": 0,
        "end_block_index": 1,
    }


def _quote(text: str) -> str:
    """Return the first sentence of ``text``, or as much of it as a citation holds."""
    sentence, dot, _ = text.partition(". ")
    return (sentence + dot)[:_LONGEST_QUOTE]
