"""A chat completion or response on its way to OpenAI itself, which refuses the cache marks that other servers heed.

Servers that offer Claude under OpenAI's language (OpenRouter, Vercel's gateway) take ``cache_control`` where Anthropic
does, and without it the prompt costs its full price.
Source: OpenRouter documentation, "Prompt caching"; OpenAI API reference, "Chat" and "Responses".
"""

from typing import Any, Final

import msgspec

from providers.body import edit_body, peek_field

_MARK: Final = "cache_control"
# Where marked objects stand: in the body, and within each of them. A tool's own schema is not looked into.
_ARRAYS: Final = ("messages", "input", "tools")
_INNER_ARRAYS: Final = ("content", "output", "tool_calls")
_INNER_OBJECT: Final = "function"


def without_cache_marks(body: bytes) -> bytes:
    """Return ``body`` without ``cache_control`` on anything; values that hold none keep their bytes.

    Raises msgspec.DecodeError if ``body`` is no JSON object.
    """
    if _MARK.encode() not in body:
        return body
    put = {}
    for name in _ARRAYS:
        value = peek_field(body, name)
        if value is not None and _MARK.encode() in bytes(value):
            put[name] = _unmarked(msgspec.json.decode(value))
    return edit_body(body, drop=(_MARK,), put=put)


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: inner for name, inner in value.items() if name != _MARK}
    for name in _INNER_ARRAYS:
        if isinstance(kept.get(name), list):
            kept[name] = _unmarked(kept[name])
    if isinstance(kept.get(_INNER_OBJECT), dict):
        kept[_INNER_OBJECT] = {name: inner for name, inner in kept[_INNER_OBJECT].items() if name != _MARK}
    return kept
