"""Web search, the server tool: the blocks of searches that nobody makes, and text that cites what they found.

Source: Anthropic API reference, "Web search tool".
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from simulator.instructions import Instructions

_KIND = "web_search_"
_PAGE = "https://example.com/simulated"
_TITLE = "A simulated page"


def searches_wanted(body: Mapping[str, Any], asked: str, instructions: Instructions) -> int:
    """Return how often the request wants the web searched: once when "search" is said, never without the tool."""
    tool = next((tool for tool in body.get("tools") or () if str(tool.get("type", "")).startswith(_KIND)), None)
    if tool is None:
        return 0
    wanted = instructions.searches if instructions.searches is not None else int("search" in asked.lower())
    most = tool.get("max_uses")
    return min(wanted, most) if isinstance(most, int) else wanted


def write_searches(asked: str, count: int, seed: bytes) -> list[Mapping[str, Any]]:
    """Return ``count`` searches, each with the result that the provider adds to the same turn."""
    blocks: list[Mapping[str, Any]] = []
    for at in range(count):
        digest = hashlib.sha256(seed + b"search" + bytes([at % 256])).digest()
        tool_id = f"srvtoolu_sim{digest.hex()[:21]}"
        call = {
            "type": "server_tool_use",
            "id": tool_id,
            "name": "web_search",
            "input": {"query": asked[:80] or "news"},
        }
        found = {
            "type": "web_search_result",
            "title": _TITLE,
            "url": f"{_PAGE}/{at + 1}",
            "encrypted_content": base64.b64encode(digest * 2).decode(),
            "page_age": None,
        }
        blocks += [call, {"type": "web_search_tool_result", "tool_use_id": tool_id, "content": [found]}]
    return blocks


def cite_search(seed: bytes) -> dict[str, Any]:
    """Return a text block that cites the first page found."""
    citation = {
        "type": "web_search_result_location",
        "cited_text": "Nothing was searched.",
        "url": f"{_PAGE}/1",
        "title": _TITLE,
        "encrypted_index": base64.b64encode(hashlib.sha256(seed).digest()).decode(),
    }
    return {"type": "text", "text": " A simulated page says so.", "citations": [citation]}
