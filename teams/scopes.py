"""What a gateway key may do: which models, where, for which project. Asks nothing of the database."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.regions import is_region_allowed
from teams.models import GatewayKey, Project

MAX_PATTERNS: Final = 100
# What stands before the first slash is the provider, or "route"; a star stands for the rest, and only at the end.
_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]*/[^\s*]*\*?\Z")
_MAX_LENGTH: Final = 200


class BadModelPattern(ValueError):
    """Text that allows no model it could be meant for; the text is for people."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What a gateway key belongs to and may do; the default is everything.

    ``allowed_regions`` as ``catalog.regions.read_regions`` returns them, ``models_allowed`` as
    ``read_model_patterns`` does.
    """

    project: Project | None = None
    allowed_regions: Sequence[str] = ()
    models_allowed: Sequence[str] = ()


EVERYTHING: Final = KeyScope()


def scope_of(key: GatewayKey) -> KeyScope:
    """Return what ``key`` belongs to and may do."""
    return KeyScope(key.project, key.allowed_regions, key.models_allowed)


def widens(before: KeyScope, asked: KeyScope) -> bool:
    """Whether ``asked`` allows anything that ``before`` does not.

    Leaving a project counts, for its regions and its budget would bind the key no longer; joining one does not.
    """
    return (
        (before.project is not None and asked.project != before.project)
        or _allows_more(before.allowed_regions, asked.allowed_regions, is_region_allowed)
        or _allows_more(before.models_allowed, asked.models_allowed, is_model_allowed)
    )


def is_model_allowed(model_string: str, allowed: Sequence[str]) -> bool:
    """Whether a key whose ``models_allowed`` is ``allowed`` may call ``model_string``; an empty list allows all.

    ``anthropic/*`` allows all that begins like this, ``route/*`` every route; anything else is a whole model string.
    A model that goes by several names is allowed if any of them is: ask with the name the client wrote and with the
    catalog's. An allowed route may use its targets, whatever else the key may call.
    """
    return not allowed or any(_matches(model_string, pattern) for pattern in allowed)


def read_model_patterns(lines: Iterable[str]) -> list[str]:
    """Return the patterns in ``lines``, each once and in order; empty lines are passed over.

    Raises BadModelPattern for the first that is no model string and no pattern of any.
    """
    patterns = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    for pattern in patterns:
        if len(pattern) > _MAX_LENGTH or not _PATTERN.match(pattern) or pattern.endswith("/"):
            raise BadModelPattern(
                f"“{pattern[:_MAX_LENGTH]}” is no model. Write one as its provider and its name, such as "
                "anthropic/claude-sonnet-4-6, or all of a kind with a star at the end, such as anthropic/* or route/*."
            )
    if len(patterns) > MAX_PATTERNS:
        raise BadModelPattern(f"These are {len(patterns)} models; a key takes {MAX_PATTERNS}. Use a star.")
    return patterns


def _allows_more(before: Sequence[str], asked: Sequence[str], is_allowed: Callable[[str, Sequence[str]], bool]) -> bool:
    # An area and a pattern are allowed by what covers all that they stand for.
    return bool(before) and (not asked or not all(is_allowed(name, before) for name in asked))


def _matches(model_string: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return model_string.startswith(pattern[:-1])
    return model_string == pattern
