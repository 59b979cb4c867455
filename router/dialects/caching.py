"""``cache_control``: where a client may put it, how many there may be, and what the top-level one means.

Source: Anthropic API documentation, "Prompt caching": at most four breakpoints; a top-level ``cache_control`` marks
the last block that can be cached.
"""

from collections.abc import Iterator
from typing import Any

from router.dialects.base import RequestRefused
from router.dialects.fields import Fields

MOST_BREAKPOINTS = 4
_UNCACHEABLE = frozenset({"thinking", "redacted_thinking"})


def read_cache_control(fields: Fields) -> dict[str, Any]:
    """Return ``{"cache_control": …}`` as the client sent it, or ``{}``, ready to spread into a block."""
    control = fields.object("cache_control")
    if control is None:
        return {}
    if control.get("type") != "ephemeral":
        raise control.refuse("type", 'must be "ephemeral".')
    control.one_of("ttl", ("5m", "1h"))
    return {"cache_control": control.values}


def mark_own_block(blocks: list[dict[str, Any]], holder: Fields) -> list[dict[str, Any]]:
    """Put a ``cache_control`` that stands beside a content, in ``holder``, on its last block; return the blocks."""
    control = read_cache_control(holder)
    if blocks and control:
        blocks[-1] |= control
    return blocks


def mark_last_block(body: dict[str, Any], top_level: dict[str, Any]) -> None:
    """Put a top-level ``cache_control`` (as read_cache_control returns it) where it applies: on the last block.

    Marking the block itself says the same to every provider; the top-level field only Anthropic's own API knows.
    """
    if not top_level:
        return
    for block in _message_blocks_backwards(body):
        if block["type"] in _UNCACHEABLE:
            continue
        own = block.setdefault("cache_control", top_level["cache_control"])
        if own.get("ttl", "5m") != top_level["cache_control"].get("ttl", "5m"):
            raise RequestRefused(
                "The top-level cache_control and the last block's own have different ttl; send one of them.",
                param="cache_control.ttl",
            )
        return


def check_breakpoints(body: dict[str, Any]) -> None:
    """Refuse a Messages body with more than four breakpoints."""
    blocks = [*body.get("tools", ()), *body.get("system", ()), *_message_blocks_backwards(body)]
    breakpoints = sum("cache_control" in block for block in blocks)
    if breakpoints > MOST_BREAKPOINTS:
        raise RequestRefused(
            f"The request has {breakpoints} cache_control breakpoints; at most {MOST_BREAKPOINTS} are allowed.",
            param="cache_control",
        )


def _message_blocks_backwards(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in reversed(body["messages"]):
        yield from reversed(message["content"])
