"""Contents: a text or an array of parts, read into Messages blocks."""

from collections.abc import Callable, Mapping
from typing import Any

from router.dialects.caching import mark_block
from router.dialects.conversation import text_block
from router.dialects.fates import Fates
from router.dialects.fields import Fields

Block = dict[str, Any]
# Turns one part into its block; None for an empty text, which Claude refuses.
PartReader = Callable[[Fields], Block | None]


def read_parts(holder: Fields, name: str, readers: Mapping[str, PartReader]) -> list[Block]:
    """Return the blocks of a content. Parts of a type that has no reader are refused, empty texts left out."""
    content = holder.get(name)
    if content is None or isinstance(content, str):
        return [text_block(content)] if content else []
    blocks = []
    for part in holder.objects(name):
        reader = readers.get(part.string("type") or "")
        if reader is None:
            raise part.refuse("type", f"must be one of {', '.join(sorted(readers))} here.")
        block = mark_block(reader(part), part)
        if block is not None:
            blocks.append(block)
    return blocks


def text_reader(name: str, fates: Fates) -> PartReader:
    """Return the reader of parts whose text stands in field ``name``."""

    def read(part: Fields) -> Block | None:
        fates.refuse(part)
        text = part.string(name)
        return text_block(text) if text else None

    return read


def read_citations(part: Fields) -> Block:
    """Return ``{"citations": …}`` as a document part asks for them, or ``{}``, ready to spread into a block."""
    citations = part.object("citations")
    if citations is None:
        return {}
    citations.boolean("enabled")
    return {"citations": citations.values}
