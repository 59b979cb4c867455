"""Which of several equals a conversation goes to, so that its prompt cache stays warm. Pure; no state is kept.

Rendezvous hashing: every choice gets a score from the conversation and its own name, weighted, and the best one wins.
Taking a choice away moves only the conversations that it had.
"""

import hashlib
import math
import secrets
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from router.dialects.base import ParsedRequest

T = TypeVar("T")

_HASH_BYTES = 8
_CACHE_MARK = b"cache_control"
# Where the three dialects keep the part of a conversation that does not change from turn to turn.
_BEGINNINGS = ("system", "instructions", "messages", "input")


def conversation_of(parsed: ParsedRequest, session: str) -> bytes:
    """Return what identifies the conversation: its session, else its beginning if it asks for caching.

    Without either there is no cache to keep warm, and the answer is random: such requests spread by weight alone.
    """
    if session:
        return session.encode()
    if _CACHE_MARK not in parsed.raw:
        return secrets.token_bytes(_HASH_BYTES)
    return hashlib.blake2b(msgspec.json.encode(_beginning(parsed)), digest_size=_HASH_BYTES).digest()


def by_preference(choices: Iterable[tuple[T, str, float]], conversation: bytes) -> list[T]:
    """Return the choices, given as (choice, name, weight above 0), best first for ``conversation``."""
    scored = [(_score(conversation, name, weight), name, choice) for choice, name, weight in choices]
    return [choice for _, _, choice in sorted(scored, key=lambda each: each[:2], reverse=True)]


def _score(conversation: bytes, name: str, weight: float) -> float:
    digest = hashlib.blake2b(name.encode(), key=conversation[:64], digest_size=_HASH_BYTES).digest()
    # Between 0 and 1, both excluded.
    drawn = (int.from_bytes(digest) + 0.5) / 2 ** (8 * _HASH_BYTES)
    return -weight / math.log(drawn)


def _beginning(parsed: ParsedRequest) -> list[object]:
    try:
        body: Mapping[str, object] = parsed.body or msgspec.json.decode(parsed.raw)
    except msgspec.DecodeError:
        # A native body with a number beyond a double, say, is the provider's to judge.
        return [parsed.raw]
    parts = (body.get(name) for name in _BEGINNINGS)
    return [_until_first_question(part) if isinstance(part, list) else part for part in parts]


def _until_first_question(messages: list[object]) -> list[object]:
    """Return the messages that stay the same on every turn: up to the first of the user's."""
    for number, message in enumerate(messages, 1):
        if isinstance(message, dict) and message.get("role") == "user":
            return messages[:number]
    return messages
