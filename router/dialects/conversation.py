"""The turns of a conversation, as the Messages API wants them: system apart, roles alternating."""

import re
from typing import Any

import msgspec

from router.dialects.fields import Fields
from router.dialects.strict_json import DEEPEST_NESTING, is_too_deep

_NOT_IN_TOOL_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_REASONING = frozenset({"thinking", "redacted_thinking"})


class Conversation:
    """Collects turns in the order they come. Turns of the same role in a row become one."""

    def __init__(self) -> None:
        self.system: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []

    def add(self, role: str, blocks: list[dict[str, Any]]) -> None:
        """Append ``blocks`` to the turn of ``role`` ("user" or "assistant"); nothing, if there are none."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    @property
    def awaits_tool_results_without_reasoning(self) -> bool:
        """True while tools are being called in a turn whose reasoning the client did not send back.

        Models with a thinking budget refuse such a turn when thinking is on.
        """
        if len(self.messages) < 2 or self.messages[-1]["content"][0]["type"] != "tool_result":
            return False
        return self.messages[-2]["content"][0]["type"] not in _REASONING


def text_block(text: str) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": text}


def tool_use_block(call_id: str, name: str, arguments: str, source: Fields) -> dict[str, Any]:
    """Return the block for a call whose ``arguments`` are JSON text; ``source`` is where they stand."""
    return {"type": "tool_use", "id": clean_tool_id(call_id), "name": name, "input": _read_arguments(arguments, source)}


def tool_result_block(call_id: str, parts: list[dict[str, Any]], *, is_error: bool | None = None) -> dict[str, Any]:
    """Return the block for a tool's result. A breakpoint on one of its parts moves to the block itself."""
    controls = [part.pop("cache_control") for part in parts if "cache_control" in part]
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": clean_tool_id(call_id)}
    if parts:
        block["content"] = parts
    if is_error is not None:
        block["is_error"] = is_error
    return {**block, "cache_control": controls[-1]} if controls else block


def clean_tool_id(call_id: str) -> str:
    """Return the id with only what Messages allows in one; other providers' ids hold dots and colons."""
    return _NOT_IN_TOOL_IDS.sub("_", call_id)


def _read_arguments(arguments: str, source: Fields) -> dict[str, Any]:
    if not arguments.strip():
        return {}
    try:
        decoded = msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise source.refuse("arguments", "must be the text of a JSON object.") from None
    if is_too_deep(arguments, decoded):
        raise source.refuse("arguments", f"must not be nested deeper than {DEEPEST_NESTING} levels.")
    return decoded
