"""Request bodies as JSON, strictly: whatever two parsers could read differently is refused."""

import json
from typing import Any

import msgspec

from router.dialects.base import RequestRefused

DEEPEST_NESTING = 100
_MOST_INTEGER_DIGITS = 19


def decode_object(raw: bytes) -> dict[str, Any]:
    """Return the object in ``raw``.

    Raises RequestRefused for anything but one JSON object (RFC 8259): NaN, invalid UTF-8, lone surrogates, trailing
    text; and for what JSON allows but readers disagree on: a name given twice, integers over 19 digits, numbers
    beyond a double, nesting deeper than 100.
    """
    try:
        value = msgspec.json.decode(raw)
        json.loads(raw, object_pairs_hook=_refuse_doubles, parse_int=_refuse_huge)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise RequestRefused(f"The body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestRefused("The body must be a JSON object.")
    if is_too_deep(raw, value):
        raise _too_deep()
    return value


def is_too_deep(text: str | bytes, value: Any) -> bool:
    """True if ``value``, decoded from ``text``, is nested deeper than DEEPEST_NESTING."""
    opening = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    return opening > DEEPEST_NESTING and _is_deeper_than(DEEPEST_NESTING, value)


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise RequestRefused(f"The body gives {name[:100]!r} twice.", param=name[:100])
        seen.add(name)


def _refuse_huge(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_INTEGER_DIGITS:
        raise RequestRefused("The body holds an integer of more than 19 digits.")
    return 0


def _too_deep() -> RequestRefused:
    return RequestRefused(f"The body is nested deeper than {DEEPEST_NESTING} levels.")


def _is_deeper_than(levels: int, value: Any) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deeper_than(levels - 1, child) for child in value)
