"""Which JSON schemas the simulator takes: those whose keywords have values of the right kind.

Source: JSON Schema, draft 2020-12; only the keywords that an answer is made from are looked at.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_DEEPEST = 50


def is_schema(value: Any, depth: int = 0) -> bool:
    """True if ``value`` is a schema: true, false, or an object whose keywords make sense."""
    if isinstance(value, bool):
        return True
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return False
    properties = value.get("properties", {})
    listed = [value[name] for name in ("anyOf", "oneOf", "allOf") if name in value]
    if not (isinstance(properties, Mapping) and all(isinstance(schemas, list) and schemas for schemas in listed)):
        return False
    inner = [*properties.values(), *chain.from_iterable(listed)]
    inner += [value["items"]] if "items" in value else []
    return _has_good_values(value) and all(is_schema(schema, depth + 1) for schema in inner)


def _has_good_values(schema: Mapping[str, Any]) -> bool:
    kind, required = schema.get("type", "object"), schema.get("required", [])
    kinds = kind if isinstance(kind, list) and kind else [kind]
    return (
        all(isinstance(name, str) and name in _TYPES for name in kinds)
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
        and isinstance(schema.get("enum", []), list)
        and all(type(schema.get(name, 0)) in (int, float) for name in ("minimum", "maximum"))
    )
