"""Reasoning in chat messages: thinking blocks out, and back in with their signatures untouched.

A message carries its one reasoning in ``reasoning`` and ``reasoning_signature``, or in ``redacted_reasoning``. Where
Claude thought several times within one answer, those fields cannot say which signature seals which text; then
``reasoning_parts`` holds them all, in order.
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
    parts = [reasoning_part(block) for block in content if block.get("type") in KINDS]
    open_parts = [part for part in parts if part["type"] == "reasoning"]
    fields: dict[str, Any] = {}
    if open_parts:
        fields["reasoning"] = "".join(part["reasoning"] for part in open_parts)
        fields["reasoning_signature"] = "".join(part["signature"] for part in open_parts)
    redacted = "".join(part["data"] for part in parts if part["type"] == "redacted_reasoning")
    if redacted:
        fields["redacted_reasoning"] = redacted
    if len(parts) > 1:
        fields["reasoning_parts"] = parts
    return fields


def message_reasoning(message: Fields) -> list[dict[str, Any]]:
    """Return the thinking blocks of an assistant message that comes back as it was rendered."""
    if parts := message.objects("reasoning_parts"):
        return [reasoning_block(part) for part in parts]
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
