"""A request's prompt as the cache sees it: blocks in order, each with its tokens, its prefix and its breakpoint.

The order is tools, system, messages. A prefix is everything up to and with a block. What the provider documents to
invalidate cached messages (another tool choice, another thinking mode) enters the prefix where the messages begin.

Source: Anthropic documentation, "Prompt caching".
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from simulator.errors import invalid
from simulator.tokens import MESSAGE_TOKENS, REQUEST_TOKENS, TOOL_INSTRUCTION_TOKENS, count_block, count_json

MAX_BREAKPOINTS = 4


@dataclass(frozen=True)
class Block:
    """One block: its tokens, the hash of the prefix that ends with it, and its breakpoint's TTL in seconds if any."""

    tokens: int
    prefix: bytes
    ttl_s: int | None


@dataclass(frozen=True)
class Prompt:
    """The blocks in order. ``tokens`` counts them and what the provider adds around a request."""

    blocks: tuple[Block, ...]

    @property
    def digest(self) -> bytes:
        """The hash of the whole prompt."""
        return self.blocks[-1].prefix if self.blocks else b""

    @property
    def tokens(self) -> int:
        return REQUEST_TOKENS + sum(block.tokens for block in self.blocks)


@dataclass
class _Part:
    """A block before hashing: where it stands in the request, for error messages, and what it holds."""

    place: str
    scope: str
    content: Mapping[str, Any]
    tokens: int
    ttl_s: int | None


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """Return the prompt of a valid request.

    Raises ApiError for more than four breakpoints, and for a 1 h breakpoint behind a 5 m one.
    """
    parts = list(_parts(body))
    _add_automatic_breakpoint(body, parts)
    _check_breakpoints(parts)
    return Prompt(tuple(_hashed(body, parts)))


def ttl_of(cache_control: Mapping[str, Any] | None) -> int | None:
    """Return the seconds that a ``cache_control`` asks for; None without one."""
    if cache_control is None:
        return None
    return 3_600 if cache_control.get("ttl") == "1h" else 300


def as_blocks(content: str | list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return content as blocks: a string is one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _parts(body: Mapping[str, Any]) -> Iterator[_Part]:
    for number, tool in enumerate(body.get("tools") or ()):
        definition = _without_cache_control(tool)
        tokens = count_json(definition) + (0 if number else TOOL_INSTRUCTION_TOKENS)
        yield _Part(f"tools.{number}", "tool", definition, tokens, ttl_of(tool.get("cache_control")))
    for number, block in enumerate(as_blocks(body.get("system") or [])):
        yield _part(f"system.{number}", "system", block)
    for at, message in enumerate(body["messages"]):
        for number, block in enumerate(as_blocks(message["content"])):
            part = _part(f"messages.{at}.content.{number}", f"{message['role']} {number == 0}", block)
            part.tokens += 0 if number else MESSAGE_TOKENS
            yield part


def _part(place: str, scope: str, block: Mapping[str, Any]) -> _Part:
    return _Part(place, scope, _without_cache_control(block), count_block(block), _block_ttl(block))


def _block_ttl(block: Mapping[str, Any]) -> int | None:
    """Return the TTL of a block's breakpoint; one inside a tool result counts for the whole result."""
    ttls = [ttl_of(block.get("cache_control"))]
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        ttls += [ttl_of(inner.get("cache_control")) for inner in block["content"]]
    return next((ttl for ttl in ttls if ttl is not None), None)


def _without_cache_control(value: Any) -> Any:
    """Return ``value`` without its markers, for marking a block does not change the prefix."""
    if isinstance(value, Mapping):
        return {name: _without_cache_control(inner) for name, inner in value.items() if name != "cache_control"}
    if isinstance(value, list):
        return [_without_cache_control(inner) for inner in value]
    return value


def _add_automatic_breakpoint(body: Mapping[str, Any], parts: list[_Part]) -> None:
    """Let a top-level ``cache_control`` mark the last block that can carry a breakpoint."""
    ttl_s = ttl_of(body.get("cache_control"))
    if ttl_s is None:
        return
    for part in reversed(parts):
        if part.content.get("type") in ("thinking", "redacted_thinking") or not part.tokens:
            continue
        if part.ttl_s not in (None, ttl_s):
            raise invalid(f"cache_control: the last block, {part.place}, has a breakpoint with a different ttl")
        part.ttl_s = ttl_s
        return


def _check_breakpoints(parts: list[_Part]) -> None:
    marked = [part for part in parts if part.ttl_s is not None]
    if len(marked) > MAX_BREAKPOINTS:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}.")
    for earlier, later in pairwise(marked):
        if (earlier.ttl_s, later.ttl_s) == (300, 3_600):
            raise invalid(
                f"{later.place}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )


def _hashed(body: Mapping[str, Any], parts: list[_Part]) -> Iterator[Block]:
    prefix = hashlib.sha256()
    is_in_messages = False
    for part in parts:
        if not is_in_messages and part.place.startswith("messages."):
            is_in_messages = True
            _update(prefix, ["modes", body.get("tool_choice"), body.get("thinking")])
        _update(prefix, [part.scope, part.content])
        yield Block(part.tokens, prefix.digest(), part.ttl_s)


def _update(prefix: "hashlib._Hash", value: object) -> None:
    # A line feed ends each piece, and JSON holds none: two prompts cannot run together into one prefix.
    prefix.update(json.dumps(value).encode() + b"\n")
