"""Text and data for answers: plain words of one token each, and values that fit a JSON schema."""

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.tokens import split_text

OPENING = "This answer is simulated."

# None is longer than six letters: each is one token, so that a text can be made of any length exactly.
_VOCABULARY = """
    the a one this each some more less old new small large first last next good clear simple quick quiet
    table river garden window letter number market bridge street paper stone light water winter summer night
    holds makes gives takes shows finds keeps leaves brings turns moves opens closes begins ends joins
    and or but then so while when where after before near under over with from into about around
"""
_WORDS = tuple(_VOCABULARY.split())
_WORDS_PER_SENTENCE = 11
_MAX_DEPTH = 6


def write_text(dice: random.Random, tokens: int, *, opening: str = OPENING) -> str:
    """Return a text of exactly ``tokens`` tokens that begins with ``opening`` as far as that fits."""
    pieces = split_text(opening)[: max(tokens, 0)]
    return "".join([*pieces, *_sentences(dice, tokens - len(pieces))])


def write_value(schema: Mapping[str, Any] | bool, prompt: str, name: str = "value", depth: int = 0) -> Any:
    """Return the value that ``prompt`` suggests for a JSON schema; enough for a client's parser, not for its user."""
    if isinstance(schema, bool):
        schema = {}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return write_value(schema[choice][0], prompt, name, depth)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return _write_object(schema, prompt, depth)
        case "array":
            items = schema.get("items") or {}
            return [write_value(items, prompt, name, depth + 1)] if depth < _MAX_DEPTH else []
        case "integer" | "number":
            return _write_number(schema, prompt)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _write_string(prompt, name)


def _sentences(dice: random.Random, tokens: int) -> Iterator[str]:
    in_sentence = 0
    for left in range(tokens, 0, -1):
        if in_sentence and (left == 1 or in_sentence == _WORDS_PER_SENTENCE):
            yield "."
            in_sentence = 0
            continue
        if in_sentence == _WORDS_PER_SENTENCE // 2:
            # Not ASCII, so that a chunk's edge can fall inside a character.
            yield " –"
            in_sentence += 1
            continue
        word = dice.choice(_WORDS)
        yield f" {word if in_sentence else word.capitalize()}"
        in_sentence += 1


def _write_object(schema: Mapping[str, Any], prompt: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or list(properties)
    if depth >= _MAX_DEPTH:
        return {}
    return {name: write_value(properties.get(name) or {}, prompt, name, depth + 1) for name in wanted}


def _write_number(schema: Mapping[str, Any], prompt: str) -> int:
    found = re.search(r"\d+", prompt)
    number = int(found.group()) if found else 1
    return int(min(max(number, schema.get("minimum", number)), schema.get("maximum", number)))


def _write_string(prompt: str, name: str) -> str:
    """Return the first proper name inside a sentence of the prompt, such as Tokyo, or else the field's own name."""
    found = re.search(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*", prompt)
    return found.group() if found else name
