"""Which of several equals a conversation goes to."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.affinity import by_preference, conversation_of
from router.dialects.base import CallOptions, ParsedRequest

CHOICES = [(name, name, 1.0) for name in "abcd"]


def parsed(**body: object) -> ParsedRequest:
    return ParsedRequest("m", False, CallOptions(), {}, msgspec.json.encode(body))


@given(st.binary(min_size=1))
def test_same_conversation_same_order(conversation: bytes) -> None:
    assert by_preference(CHOICES, conversation) == by_preference(reversed(CHOICES), conversation)


@given(st.binary(min_size=1))
def test_taking_a_choice_away_moves_only_its_own(conversation: bytes) -> None:
    order = by_preference(CHOICES, conversation)

    left = by_preference([choice for choice in CHOICES if choice[0] != order[0]], conversation)

    assert left == order[1:]


def test_shares_follow_the_weights() -> None:
    choices = [("a", "a", 7.0), ("b", "b", 3.0)]
    first = Counter(by_preference(choices, str(number).encode())[0] for number in range(4000))

    assert 0.66 < first["a"] / 4000 < 0.74


def test_session_identifies_the_conversation() -> None:
    assert conversation_of(parsed(messages=[1]), "s1") == conversation_of(parsed(messages=[2]), "s1")


def test_cached_conversation_keeps_its_identity_as_it_grows() -> None:
    system = [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}]
    first = {"role": "user", "content": "Hello"}
    turns = [first, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Go on"}]

    begun = parsed(system=system, messages=[first])

    assert conversation_of(begun, "") == conversation_of(parsed(system=system, messages=turns), "")
    other = parsed(system=system, messages=[{"role": "user", "content": "Bye"}])
    assert conversation_of(begun, "") != conversation_of(other, "")


def test_without_a_cache_each_request_stands_alone() -> None:
    request = parsed(messages=["Hello"])

    assert conversation_of(request, "") != conversation_of(request, "")
