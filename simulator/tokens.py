"""A simple tokenizer: the same text always costs the same, and roughly what a real tokenizer would say.

A token is up to six ASCII letters, up to three digits, or one other character that is not white space. English
prose comes to about 1.3 tokens a word. Pictures and documents cost what the provider's documentation estimates.
"""

import base64
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

_TOKEN = re.compile(r"[A-Za-z]{1,6}|\d{1,3}|[^\sA-Za-z\d]")
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?!s)")

# What the provider adds around a request, a message and the first tool (its own instructions for tool use).
REQUEST_TOKENS = 3
MESSAGE_TOKENS = 4
TOOL_INSTRUCTION_TOKENS = 340

# Source: Anthropic documentation, "Vision" (width x height / 750, scaled down to at most 1,568 tokens) and
# "PDF support" (1,500 to 3,000 tokens a page). Nothing is fetched: what a URL names counts as one such picture or page.
PIXELS_PER_TOKEN = 750
LARGEST_IMAGE_TOKENS = 1_568
PDF_PAGE_TOKENS = 2_000


def count_text(text: str) -> int:
    """Return how many tokens ``text`` has."""
    return len(_TOKEN.findall(text))


def split_text(text: str) -> list[str]:
    """Return ``text`` cut before each token, white space going with the token after it; joined it is ``text``."""
    if not text:
        return []
    starts = [match.start() for match in _TOKEN.finditer(text)]
    edges = [0, *(_after_space_before(text, start) for start in starts[1:]), len(text)]
    return [text[left:right] for left, right in pairwise(edges)]


def count_json(value: object) -> int:
    """Return how many tokens ``value`` has when it is written as JSON."""
    return count_text(json.dumps(value, ensure_ascii=False))


def count_block(block: Mapping[str, Any]) -> int:
    """Return how many tokens a content block has; a block of an unknown type counts as its JSON."""
    match block.get("type"):
        case "text":
            return count_text(block["text"])
        case "thinking":
            return count_text(block["thinking"])
        case "redacted_thinking":
            # Encrypted: about four characters of it stand for one token.
            return len(block["data"]) // 4
        case "image":
            return _count_image(block["source"])
        case "document":
            return _count_document(block)
        case "tool_use" | "server_tool_use":
            return 8 + count_text(block["name"]) + count_json(block["input"])
        case "tool_result":
            content = block.get("content") or ""
            return 8 + (count_text(content) if isinstance(content, str) else sum(map(count_block, content)))
        case _:
            return count_json({name: value for name, value in block.items() if name != "cache_control"})


def _after_space_before(text: str, start: int) -> int:
    while start and text[start - 1].isspace():
        start -= 1
    return start


def _count_image(source: Mapping[str, Any]) -> int:
    size = _image_size(_decoded(source)) if source.get("type") == "base64" else None
    if size is None:
        return LARGEST_IMAGE_TOKENS
    width, height = size
    return min(LARGEST_IMAGE_TOKENS, -(-width * height // PIXELS_PER_TOKEN))


def _count_document(block: Mapping[str, Any]) -> int:
    source = block["source"]
    around = count_text(block.get("title") or "") + count_text(block.get("context") or "")
    match source.get("type"):
        case "text":
            return around + count_text(source["data"])
        case "content":
            content = source["content"]
            return around + (count_text(content) if isinstance(content, str) else sum(map(count_block, content)))
        case "base64":
            return around + PDF_PAGE_TOKENS * max(1, len(_PDF_PAGE.findall(_decoded(source))))
        case _:
            return around + PDF_PAGE_TOKENS


def _decoded(source: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(source["data"])
    except ValueError:
        return b""


def _image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a PNG or GIF; None for other formats."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return None
