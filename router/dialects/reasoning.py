"""Reasoning in chat messages: thinking blocks out, and back in with their signatures untouched.

A message carries its one reasoning in ``reasoning`` and ``reasoning_signature``, or in ``redacted_reasoning``. Where
Claude thought several times within one answer, or in the middle of it, those fields cannot say which signature seals
which text, nor where it stood; then ``reasoning_parts`` holds them all, in order, each with its ``text_index``: how
many characters of the content come before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from router.dialects.base import RequestRefused
from router.dialects.fields import Fields

KINDS = frozenset({"thinking", "redacted_thinking"})
_UNSIGNED = "needs its signature: send reasoning back exactly as it was received, with its signature, or leave it out."


def reasoning_part(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content part, as clients send it back, for a thinking block."""
    if block["type"] == "redacted_thinking":
        return {"type": "redacted_reasoning", "data": block.get("data", "")}
    return {"type": "reasoning", "reasoning": block.get("thinking", ""), "signature": block.get("signature", "")}


def reasoning_fields(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the thinking blocks of an answer add to its message; nothing, if there are none."""
    placed, length = [], 0
    for block in content:
        kind = block.get("type")
        if kind in KINDS:
            placed.append(placed_part(block, length))
        elif kind == "text":
            length += len(block["text"])
    open_parts = [part for part in placed if part["type"] == "reasoning"]
    fields: dict[str, Any] = {}
    if open_parts:
        fields["reasoning"] = "".join(part["reasoning"] for part in open_parts)
        fields["reasoning_signature"] = "".join(part["signature"] for part in open_parts)
    redacted = "".join(part["data"] for part in placed if part["type"] == "redacted_reasoning")
    if redacted:
        fields["redacted_reasoning"] = redacted
    return fields | parts_field(placed)


def placed_part(block: Mapping[str, Any], text_index: int) -> dict[str, Any]:
    """Return the part for a thinking block that follows ``text_index`` characters of text."""
    return {**reasoning_part(block), "text_index": text_index}


def parts_field(placed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return ``{"reasoning_parts": …}`` where the other fields do not say it all, else ``{}``."""
    if len(placed) > 1 or any(part["text_index"] for part in placed):
        return {"reasoning_parts": list(placed)}
    return {}


def interleave(parts: Sequence[Fields], content: str) -> list[dict[str, Any]]:
    """Return the blocks of a message's ``reasoning_parts`` and its text, each part where it stood in the text."""
    blocks: list[dict[str, Any]] = []
    said = 0
    for part in parts:
        upto = max(said, min(part.integer("text_index", 0) or 0, len(content)))
        blocks += _text(content[said:upto])
        blocks.append(reasoning_block(part))
        said = upto
    return blocks + _text(content[said:])


def _text(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text else []


def message_reasoning(message: Fields) -> list[dict[str, Any]]:
    """Return the thinking blocks of an assistant message that comes back as it was rendered."""
    blocks: list[dict[str, Any]] = []
    if message.get("reasoning_signature") is not None:
        signature = message.required_string("reasoning_signature")
        blocks.append({"type": "thinking", "thinking": message.string("reasoning") or "", "signature": signature})
    elif message.string("reasoning"):
        raise message.refuse("reasoning", _UNSIGNED)
    if message.get("redacted_reasoning") is not None:
        blocks.append({"type": "redacted_thinking", "data": message.required_string("redacted_reasoning")})
    return blocks


def reasoning_block(part: Fields) -> dict[str, Any]:
    """Return the thinking block for a reasoning part. Raises RequestRefused if its signature is missing."""
    kind = part.one_of("type", ("reasoning", "redacted_reasoning"))
    if kind == "redacted_reasoning":
        return {"type": "redacted_thinking", "data": part.required_string("data")}
    if not part.string("signature"):
        raise RequestRefused(f"{part.path} {_UNSIGNED}", param=part.at("signature"))
    return {"type": "thinking", "thinking": part.string("reasoning") or "", "signature": part.string("signature")}
