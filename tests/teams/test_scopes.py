"""Which models a gateway key may call, and what may be written to say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teams.scopes import MAX_PATTERNS, BadModelPattern, is_model_allowed, read_model_patterns

SONNET = "anthropic/claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        (SONNET, []),
        (SONNET, [SONNET]),
        (SONNET, ["anthropic/*"]),
        (SONNET, ["anthropic/claude-sonnet-*"]),
        (SONNET, ["route/*", "anthropic/*"]),
        ("aws/anthropic/claude-sonnet-4-6", ["aws/anthropic/*"]),
        ("aws/anthropic/claude-sonnet-4-6", ["aws/*"]),
        ("route/support", ["route/*"]),
        ("route/support", ["route/support"]),
    ],
)
def test_allowed(model: str, allowed: list[str]) -> None:
    assert is_model_allowed(model, allowed)


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        (SONNET, ["anthropic/claude-sonnet-4-5"]),
        (SONNET, ["anthropic/claude-sonnet-4"]),
        ("anthropic/claude-sonnet-4-6-v2", [SONNET]),
        (SONNET, ["aws/*"]),
        (SONNET, ["route/*"]),
        ("aws/anthropic/claude-sonnet-4-6", ["anthropic/*"]),
        ("route/support", ["route/support-eu"]),
        ("route/support", ["anthropic/*", "aws/*"]),
        # A dot is a dot, a bracket a bracket.
        ("aws/usXanthropic", ["aws/us.anthropic"]),
        ("aws/a", ["aws/[ab]"]),
    ],
)
def test_not_allowed(model: str, allowed: list[str]) -> None:
    assert not is_model_allowed(model, allowed)


@given(st.text(), st.lists(st.text(), min_size=1), st.text())
def test_allowing_more_never_allows_less(model: str, allowed: list[str], more: str) -> None:
    assert not is_model_allowed(model, allowed) or is_model_allowed(model, [*allowed, more])


def test_patterns_are_read_once_each_in_order() -> None:
    assert read_model_patterns(["route/*", " anthropic/* ", "", "route/*"]) == ["route/*", "anthropic/*"]


@pytest.mark.parametrize(
    "pattern",
    [
        SONNET,
        "aws/us.anthropic.claude-opus-4-6-v1:0",
        "aws/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-6",
        "google/claude-opus-4-6@20260204",
        "route/*",
        "simulated/*",
    ],
)
def test_what_the_gateway_calls_a_model_may_be_written(pattern: str) -> None:
    assert read_model_patterns([pattern]) == [pattern]


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "claude-sonnet-4-6",
        "anthropic/",
        "/claude",
        "anthropic/*-4-6",
        "anthropic/**",
        "*/claude-sonnet-4-6",
        "anthropic/claude sonnet",
        "Anthropic/claude-sonnet-4-6",
        "anthropic/" + "x" * 200,
    ],
)
def test_what_allows_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(BadModelPattern):
        read_model_patterns([pattern])


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(BadModelPattern, match="Use a star"):
        read_model_patterns(f"anthropic/model-{number}" for number in range(MAX_PATTERNS + 1))
