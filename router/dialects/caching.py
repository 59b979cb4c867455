"""``cache_control``: where a client may put it, how many there may be, and what the top-level one means.

Source: Anthropic API documentation, "Prompt caching": at most four breakpoints; a top-level ``cache_control`` marks
the last block that can be cached.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from router.dialects.base import RequestRefused
from router.dialects.fields import Fields

MOST_BREAKPOINTS = 4
_UNCACHEABLE = frozenset({"thinking", "redacted_thinking"})


class CacheControl(dict[str, Any]):
    """A ``cache_control`` that remembers where it stands in the client's own body."""

    def __init__(self, values: Mapping[str, Any], param: str) -> None:
        super().__init__(values)
        self.param = param


def read_cache_control(fields: Fields) -> dict[str, Any]:
    """Return ``{"cache_control": …}`` as the client sent it, or ``{}``, ready to spread into a block."""
    control = fields.object("cache_control")
    if control is None:
        return {}
    if control.get("type") != "ephemeral":
        raise control.refuse("type", 'must be "ephemeral".')
    control.one_of("ttl", ("5m", "1h"))
    return {"cache_control": CacheControl(control.values, control.path)}


def mark_block(block: dict[str, Any] | None, holder: Fields) -> dict[str, Any] | None:
    """Put the ``cache_control`` in ``holder``, if there is one, on the block it became; return the block.

    Raises RequestRefused where it would be lost: on an empty text (no block) and on reasoning.
    """
    if holder.get("cache_control") is None:
        return block
    if block is None:
        raise holder.refuse("cache_control", "cannot stand on an empty text.")
    if block["type"] in _UNCACHEABLE:
        raise holder.refuse("cache_control", "cannot stand on reasoning; put it on what follows.")
    control = read_cache_control(holder)["cache_control"]
    _refuse_another_ttl(block.setdefault("cache_control", control), control, holder.at("cache_control"))
    return block


def mark_own_block(blocks: list[dict[str, Any]], holder: Fields) -> list[dict[str, Any]]:
    """Put a ``cache_control`` that stands beside a content, in ``holder``, on its last block; return the blocks."""
    mark_block(blocks[-1] if blocks else None, holder)
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
        _refuse_another_ttl(own, top_level["cache_control"], "cache_control")
        return


def check_breakpoints(body: dict[str, Any]) -> None:
    """Refuse a Messages body with more than four breakpoints."""
    breakpoints = len(_marked_blocks(body))
    if breakpoints > MOST_BREAKPOINTS:
        raise RequestRefused(
            f"The request has {breakpoints} cache_control breakpoints; at most {MOST_BREAKPOINTS} are allowed.",
            param="cache_control",
        )


def keep_for_minutes(body: dict[str, Any]) -> None:
    """Leave out each ``ttl`` of five minutes, which is what goes without saying; refuse a longer one.

    For models whose provider does not have the field.
    """
    for block in _marked_blocks(body):
        control: CacheControl = block["cache_control"]
        if control.pop("ttl", None) == "1h":
            path = f"{control.param}.ttl"
            raise RequestRefused(f'{path} can only be "5m" on this model here; or leave it out.', param=path)


def _refuse_another_ttl(own: dict[str, Any], added: dict[str, Any], path: str) -> None:
    """Raise RequestRefused where two breakpoints meet on one block and do not last equally long."""
    if (own.get("ttl") or "5m") != (added.get("ttl") or "5m"):
        raise RequestRefused(
            f"{path} and the one that already stands on the same block have different ttl; send one of them.",
            param=f"{path}.ttl",
        )


def _marked_blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks with a breakpoint."""
    blocks = [*body.get("tools", ()), *body.get("system", ()), *_message_blocks_backwards(body)]
    return [block for block in blocks if "cache_control" in block]


def _message_blocks_backwards(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in reversed(body["messages"]):
        yield from reversed(message["content"])
