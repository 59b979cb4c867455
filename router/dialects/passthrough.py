"""A chat or responses body on its way to an OpenAI-compatible provider: what is the gateway's own is taken out.

Every other value keeps its bytes. Only where something of ours stands inside messages or input are those written anew.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from providers.body import edit_body
from router.dialects.base import ParsedRequest
from router.dialects.fates import GATEWAY_FIELDS, NOT_STORED_HERE
from router.dialects.fields import Fields
from router.dialects.response_object import REDACTED, SIGNATURE

Json = dict[str, Any]
# Claude's reasoning belongs to the provider that made it, and so do its citations and its tools' blocks.
_IN_MESSAGES: Final = frozenset(
    {
        *("is_error", "citations", "provider_blocks"),
        *("reasoning", "reasoning_signature", "redacted_reasoning", "reasoning_parts"),
    }
)
_IN_ITEMS: Final = frozenset({"is_error", "citations"})
# What marks a message's reasoning as Claude's: other servers' own goes back to them.
_SEALS: Final = frozenset({"reasoning_signature", "redacted_reasoning", "reasoning_parts"})
_REASONING_PARTS: Final = ("reasoning", "redacted_reasoning")
_OURS_IN_CHAT: Final = re.compile(rb'"(?:%b)"' % "|".join(sorted(_IN_MESSAGES)).encode())
_OURS_IN_RESPONSES: Final = re.compile(rb'"(?:is_error|citations)"|"(?:signature|redacted):')


def openai_body(dialect: str, parsed: ParsedRequest, model: str) -> bytes:
    """Return the body of a chat or responses request (``dialect``) for ``model``, the provider's own id.

    Raises RequestRefused for what would need responses that are stored here.
    """
    put: Json = {"model": model}
    if dialect == "chat":
        put |= _stops(Fields(parsed.body))
        if _OURS_IN_CHAT.search(parsed.raw):
            put |= _clean(parsed.body, messages=_clean_message)
    else:
        NOT_STORED_HERE.refuse(Fields(parsed.body))
        if _OURS_IN_RESPONSES.search(parsed.raw):
            put |= _clean(parsed.body, input=_clean_item)
    return edit_body(parsed.raw, drop=GATEWAY_FIELDS | {"stop_sequences"}, put=put)


def _stops(body: Fields) -> Json:
    """Return ``stop`` with the ``stop_sequences`` that OpenAI has no such name for, or nothing."""
    sequences = body.strings("stop_sequences")
    if not sequences:
        return {}
    stop = body.get("stop")
    return {"stop": [*([stop] if isinstance(stop, str) else body.strings("stop")), *sequences]}


def _clean(body: Json, **cleaners: Callable[[Json], Json | None]) -> Json:
    """Return the arrays of ``body`` that have a cleaner, each object in them cleaned; None takes it out."""
    cleaned = {}
    for name, cleaner in cleaners.items():
        if isinstance(body.get(name), list):
            # What is no object is the provider's to refuse.
            values = [cleaner(value) if isinstance(value, dict) else value for value in body[name]]
            cleaned[name] = [value for value in values if value is not None]
    return cleaned


def _clean_message(message: Json) -> Json:
    ours = _IN_MESSAGES if _SEALS & message.keys() else _IN_MESSAGES - {"reasoning"}
    kept = _without(ours, message)
    parts = _clean(message, content=_clean_part, tool_calls=lambda call: _without(_IN_MESSAGES, call))
    if parts.get("content") == []:
        parts["content"] = None
    return kept | parts


def _clean_part(part: Json) -> Json | None:
    return None if part.get("type") in _REASONING_PARTS else _without(_IN_MESSAGES, part)


def _clean_item(item: Json) -> Json | None:
    sealed = item.get("encrypted_content")
    if item.get("type") == "reasoning" and isinstance(sealed, str) and sealed.startswith((SIGNATURE, REDACTED)):
        return None
    parts = _clean(item, content=lambda part: _without(_IN_ITEMS, part), output=lambda part: _without(_IN_ITEMS, part))
    return _without(_IN_ITEMS, item) | parts


def _without(names: frozenset[str], value: Json) -> Json:
    return {name: inner for name, inner in value.items() if name not in names}
