"""The native dialect, Anthropic Messages: bodies pass byte for byte, apart from the model's name.

Only the fields that steer the gateway are read. What is unknown here is passed on, never dropped.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from router.dialects.base import (
    CallOptions,
    ModelFacts,
    ParsedRequest,
    ReplyContext,
    RequestRefused,
    StreamRenderer,
    error_type_of,
)

# The key in each of its spellings, for JSON lets any letter be written as an escape.
_MODEL_KEY = re.compile(rb'"(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])"[ \t\r\n]*:')
_MARKS = re.compile(rb"model~*")
_JSON_STRING = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")', re.DOTALL)
_PLACE_IN_ERROR = re.compile(r" - at `\$\.?([^`]*)`$|missing required field `([^`]*)`")


def replace_model(raw: bytes, new_model: str) -> bytes:
    """Return ``raw``, which ``Messages.parse`` took, with its ``model`` value replaced and every other byte kept.

    Raises RequestRefused if the outermost object does not have exactly one such value.
    """
    start, end = _model_span(raw)
    return raw[:start] + msgspec.json.encode(new_model) + raw[end:]


class Messages:
    """The native dialect. Its answers and streams are the provider's own."""

    name = "messages"
    gateway_fields: frozenset[str] = frozenset()

    def parse(self, raw: bytes) -> ParsedRequest:
        """Read model, stream and metadata, and check the rest only for being JSON. See ``Dialect.parse``."""
        try:
            head = _HEAD_DECODER.decode(raw)
            if not raw.isascii():
                # What the decoder has no use for it does not look at as text.
                raw.decode()
        except RecursionError:
            raise RequestRefused(_TOO_DEEP) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _refusal(error) from None
        if not head.model:
            raise RequestRefused("model must not be empty.", param="model")
        if len(_keys_named_model(raw)) != 1:
            _model_span(raw)  # Refuses a second model, which the provider might obey instead of the last.
        options = _NO_OPTIONS
        if isinstance(head.metadata, dict):
            options = CallOptions(metadata={k: v for k, v in head.metadata.items() if isinstance(v, str)})
        return ParsedRequest(head.model, bool(head.stream), options, {}, raw)

    def to_messages(self, parsed: ParsedRequest, facts: ModelFacts) -> dict[str, Any]:
        """Return the client's own body without its model. Raises RequestRefused for what only a whole look shows."""
        try:
            body = msgspec.json.decode(parsed.raw, type=dict[str, Any])
        except RecursionError:
            raise RequestRefused(_TOO_DEEP) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _refusal(error) from None
        body.pop("model", None)
        return body

    def left_out(self, parsed: ParsedRequest, facts: ModelFacts) -> list[str]:
        """Return nothing: all that is sent goes on."""
        return []

    def render_answer(self, answer: bytes | Mapping[str, Any], context: ReplyContext) -> bytes:
        """Return the provider's answer as it is."""
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer that writes each event as it came."""
        return _PassingRenderer(context.request_id)

    def render_error(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        error_type: str | None = None,
        extra: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> bytes:
        """Return Anthropic's envelope; ``code`` and ``param`` have no place in it, the message says it all."""
        error = {"type": error_type or error_type_of(status), "message": message, **(extra or {})}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


class _PassingRenderer:
    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def feed(self, event: Mapping[str, Any]) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (str(event.get("type", "message")).encode(), msgspec.json.encode(event))

    def finish(self) -> bytes:
        return b""

    def fail(self, code: str, message: str) -> bytes:
        error = {"type": "error", "error": {"type": "api_error", "message": message}, "request_id": self._request_id}
        return self.feed(error)


class _Head(msgspec.Struct):
    model: str
    stream: bool | None = False
    metadata: Any = None


_HEAD_DECODER = msgspec.json.Decoder(_Head)
_TOP_LEVEL_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NO_OPTIONS = CallOptions()
_TOO_DEEP = "The body is nested too deeply."


def _refusal(error: Exception) -> RequestRefused:
    if not isinstance(error, msgspec.ValidationError):
        return RequestRefused(f"The body is not valid JSON: {error}")
    place = _PLACE_IN_ERROR.search(str(error))
    param = (place[1] or place[2] or None) if place else None
    return RequestRefused(f"The body does not have the right shape: {error}.", param=param)


def _model_span(raw: bytes) -> tuple[int, int]:
    """Return where the value of the one top-level ``model`` begins and ends."""
    keys = _keys_named_model(raw)
    if len(keys) != 1:
        keys = _at_top_level(raw, keys)
    if len(keys) != 1:
        raise RequestRefused("The body must give model exactly once.", param="model")
    value = _JSON_STRING.match(raw, keys[0][1])
    if value is None:
        raise RequestRefused("model must be a string.", param="model")
    return value.span(1)


def _keys_named_model(raw: bytes) -> list[tuple[int, int]]:
    """Return start and end, its colon included, of each key named ``model`` at any depth.

    Inside a string a quote always has a backslash before it, so a quoted ``model`` with a colon after it is a key.
    """
    return [key.span() for key in _MODEL_KEY.finditer(raw) if raw[key.start() - 1 : key.start()] != b"\\"]


def _at_top_level(raw: bytes, keys: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return those of ``keys`` that belong to the outermost object.

    Each is renamed to something unheard of and the outermost object read once: the names that turn up tell.
    """
    # Found in one pass: the body may be made of this very mark.
    mark = max(_MARKS.findall(raw), default=b"model") + b"~"
    pieces, end = [], 0
    for number, key in enumerate(keys):
        pieces += [raw[end : key[0]], b'"%b%d":' % (mark, number)]
        end = key[1]
    try:
        names = _TOP_LEVEL_DECODER.decode(b"".join([*pieces, raw[end:]]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestRefused(f"The body is not a JSON object: {error}") from None
    return [key for number, key in enumerate(keys) if f"{mark.decode()}{number}" in names]
