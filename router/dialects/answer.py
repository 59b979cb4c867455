"""A whole Messages answer as the other dialects read it, and what its endings and failures are called there."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import UnreadableAnswer

UNREADABLE = "The provider's answer is not a message."
CUT_SHORT = "The provider ended its answer before it was complete."
# A failure inside a stream, by the provider's own name for it, to the wire contract's code.
_STREAM_ERROR_CODES = {
    "overloaded_error": "provider_overloaded",
    "rate_limit_error": "rate_limit_exceeded",
    "timeout_error": "provider_timeout",
}


class Answer(msgspec.Struct):
    """What is read of an answer; ``content`` keeps each block as it came."""

    content: list[dict[str, Any]]
    usage: dict[str, Any] = {}
    stop_reason: str | None = None


def parse_answer(answer: bytes | Mapping[str, Any]) -> Answer:
    """Return the answer. Raises UnreadableAnswer if it does not have the shape of one."""
    try:
        if isinstance(answer, bytes):
            return msgspec.json.decode(answer, type=Answer)
        return msgspec.convert(answer, Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer(UNREADABLE) from None


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
