"""Requests nobody would write by hand: made from the official clients' types, or from good requests gone wrong.

All randomness comes from the ``random.Random`` that is handed in, so that a seed makes the same requests again.
"""

import json
import random
import string
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import typing_extensions
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from tests.clouds import PREFIXES
from tests.features import FEATURES

SCHEMAS: Final = {
    "chat": CompletionCreateParamsNonStreaming,
    "responses": ResponseCreateParamsNonStreaming,
    "messages": MessageCreateParamsNonStreaming,
}
_DEEPEST = 7
_MOST_ITEMS = 3
_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = (typing_extensions.Required, typing_extensions.NotRequired, typing.Required, typing.NotRequired)
_LISTS = (list, typing.Iterable, typing.Sequence, Sequence, Iterable)
_TEXTS = (
    "",
    "Hello",
    "a" * 3_000,
    "\u0000",
    "\ud83d\ude00",
    "日本語",
    "</script>",
    "{}",
    "null",
    "../../etc",
    "\r\nx: y",
)
_NUMBERS = (0, 1, -1, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 1024)
# Values that JSON's grammar or our own rules do not know, as they would stand in the body.
_ODD_TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"0123",
    b"'x'",
    b'"\\ud800"',
    b"9" * 5_000,
    b"[" * 3_000,
    b"\xff",
    b"/**/",
)


def request(rng: random.Random, dialect: str) -> bytes:
    """Return the body of one request to ``dialect``."""
    body = from_schema(rng, dialect) if rng.random() < 0.4 else from_feature(rng, dialect)
    if rng.random() < 0.8:
        body = mutated(rng, body)
    raw = json.dumps(body, allow_nan=True).encode(errors="surrogatepass")
    return spoilt(rng, raw) if rng.random() < 0.25 else raw


def from_schema(rng: random.Random, dialect: str) -> dict[str, Any]:
    """Return a body of the official client's types, with a model that answers more often than not."""
    body = _typed_dict(rng, SCHEMAS[dialect], 0)
    return {**body, "model": _model(rng), "stream": rng.random() < 0.3}


def from_feature(rng: random.Random, dialect: str) -> dict[str, Any]:
    """Return a good request."""
    feature = rng.choice([feature for feature in FEATURES if dialect in feature.dialects])
    return feature.body(dialect, _model(rng), stream=rng.random() < 0.3, nonce=str(rng.random()))


def mutated(rng: random.Random, body: Any) -> Any:
    """Return ``body`` with one to four of its values changed, moved, doubled or gone."""
    for _ in range(rng.randint(1, 4)):
        places = list(_places(body))
        if not places:
            return body
        holder, key = rng.choice(places)
        change = rng.randrange(5)
        if change == 0:
            del holder[key]
        elif change == 1:
            holder[key] = _anything(rng)
        elif change == 2:
            other, name = rng.choice(places)
            holder[key] = _copied(other[name])
        elif change == 3:
            holder[key] = [_copied(holder[key])] * rng.choice([1, 2, 50])
        elif isinstance(holder, dict):
            holder[rng.choice(string.ascii_lowercase) * 5] = _copied(holder[key])
    return body


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def spoilt(rng: random.Random, raw: bytes) -> bytes:
    """Return ``raw`` with its bytes damaged, or a token in it that is no JSON."""
    at = rng.randrange(len(raw) + 1)
    if rng.random() < 0.4:
        return raw[:at] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 4))) + raw[at:]
    if rng.random() < 0.3:
        return raw[:at]
    colons = [at for at, byte in enumerate(raw) if byte == ord(":")]
    if not colons:
        return raw
    at = rng.choice(colons) + 1
    return raw[:at] + rng.choice(_ODD_TOKENS) + (b"," + raw[1:] if rng.random() < 0.3 else raw[at:])


def _model(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(
            ["claude-sonnet-4-6", "gpt-9", "aws/", "route/none", "bedrock/x", "anthropic/claude-x", "x" * 999]
        )
    return rng.choice(list(PREFIXES.values())) + rng.choice(["claude-sonnet-4-6", "claude-haiku-4-5-20251001"])


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key in value:
            if key != "model":
                yield value, key
                yield from _places(value[key])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value, index
            yield from _places(value[index])


def _value(rng: random.Random, kind: Any, depth: int) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in _WRAPPERS or origin is typing.Annotated:
        return _value(rng, arguments[0], depth)
    if origin in _UNIONS:
        return _value(rng, rng.choice(arguments), depth)
    if origin is typing.Literal:
        return rng.choice(arguments)
    if typing_extensions.is_typeddict(kind):
        return _typed_dict(rng, kind, depth)
    if origin in _LISTS:
        return (
            [_value(rng, arguments[0], depth + 1) for _ in range(rng.randint(0, _MOST_ITEMS))]
            if depth < _DEEPEST
            else []
        )
    if origin in (dict, Mapping):
        return {_text(rng): _value(rng, arguments[1], depth + 1)} if depth < _DEEPEST else {}
    return _PLAIN.get(kind, _anything)(rng)


def _typed_dict(rng: random.Random, kind: Any, depth: int) -> dict[str, Any]:
    fields = typing_extensions.get_type_hints(kind, include_extras=True)
    wanted = [name for name in fields if name in kind.__required_keys__ or (depth < _DEEPEST and rng.random() < 0.3)]
    return {name: _value(rng, fields[name], depth + 1) for name in wanted}


def _text(rng: random.Random) -> str:
    return rng.choice(_TEXTS)


def _number(rng: random.Random) -> float:
    return rng.choice(_NUMBERS)


def _anything(rng: random.Random) -> Any:
    return rng.choice([_text(rng), _number(rng), None, True, [], {}, [[]], {"type": _text(rng)}, [_number(rng)] * 20])


_PLAIN: Mapping[Any, Callable[[random.Random], Any]] = {
    str: _text,
    int: lambda rng: rng.choice([number for number in _NUMBERS if isinstance(number, int)]),
    float: _number,
    bool: lambda rng: rng.random() < 0.5,
    type(None): lambda rng: None,
}
