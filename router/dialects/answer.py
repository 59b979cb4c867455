"""A whole Messages answer as the other dialects read it, and what its endings and failures are called there."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import UnreadableAnswer

UNREADABLE = "The provider's answer is not a message."
CUT_SHORT = "The provider ended its answer before it was complete."
THINKING = frozenset({"thinking", "redacted_thinking"})
_RENDERED = THINKING | {"text", "tool_use"}
# A failure inside a stream, by the provider's own name for it, to the wire contract's code.
_STREAM_ERROR_CODES = {
    "overloaded_error": "provider_overloaded",
    "rate_limit_error": "rate_limit_exceeded",
    "timeout_error": "provider_timeout",
}


class Ending(msgspec.Struct):
    """Why an answer ended, as the provider says it: also the ``delta`` of a message_delta event."""

    stop_reason: str | None = None
    stop_sequence: Any = None
    stop_details: Any = None

    @property
    def refusal(self) -> str | None:
        """The provider's explanation of why Claude refused, where it gives one."""
        if self.stop_reason != "refusal" or not isinstance(self.stop_details, Mapping):
            return None
        explanation = self.stop_details.get("explanation")
        return explanation if isinstance(explanation, str) else None

    def as_told(self) -> dict[str, Any]:
        """Return the provider's own words, which chat and responses carry beside their coarser ones."""
        told = {"stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence}
        return told | {"stop_details": self.stop_details} if self.stop_details else told


class Answer(Ending, kw_only=True):
    """What is read of an answer; ``content`` keeps each block as it came."""

    content: list[dict[str, Any]]
    usage: dict[str, Any] = {}


def parse_answer(answer: bytes | Mapping[str, Any]) -> Answer:
    """Return the answer. Raises UnreadableAnswer if it does not have the shape of one."""
    try:
        if isinstance(answer, bytes):
            return msgspec.json.decode(answer, type=Answer)
        return msgspec.convert(answer, Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer(UNREADABLE) from None


def parse_ending(delta: Mapping[str, Any]) -> Ending:
    """Return the ending in a message_delta's ``delta``. Raises TypeError if it is not one."""
    try:
        return msgspec.convert(delta, Ending)
    except msgspec.ValidationError as error:
        raise TypeError(str(error)) from None


def is_rendered(block: Mapping[str, Any]) -> bool:
    """True for the blocks that chat and responses have words for. The others run at the provider, or are new."""
    return block.get("type") in _RENDERED


def provider_blocks(content: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``{"provider_blocks": …}`` with the blocks that the dialect has no words for, or ``{}``."""
    blocks = [block for block in content if block.get("type") not in _RENDERED]
    return {"provider_blocks": blocks} if blocks else {}


def tool_arguments(block: Mapping[str, Any]) -> str:
    """Return a tool_use block's input as JSON text."""
    return msgspec.json.encode(block.get("input") or {}).decode()


def stream_error(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and message of a stream's ``error`` event."""
    error = event.get("error")
    if not isinstance(error, Mapping):
        return "provider_error", CUT_SHORT
    code = _STREAM_ERROR_CODES.get(str(error.get("type")), "provider_error")
    return code, str(error.get("message") or CUT_SHORT)
