"""Which models a gateway key may call, and what may be written to say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teams.models import Project
from teams.scopes import MAX_PATTERNS, BadModelPattern, KeyScope, is_model_allowed, read_model_patterns, widens

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


EU, HELP = ["eu"], Project(name="Help centre")


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (KeyScope(), KeyScope()),
        (KeyScope(), KeyScope(HELP, EU, [SONNET])),
        (KeyScope(HELP, EU, [SONNET]), KeyScope(HELP, EU, [SONNET])),
        (KeyScope(allowed_regions=EU), KeyScope(allowed_regions=["eu-west-1"])),
        (KeyScope(allowed_regions=["apac", "eu"]), KeyScope(allowed_regions=["jp"])),
        (KeyScope(models_allowed=["anthropic/*"]), KeyScope(models_allowed=["anthropic/claude-*", SONNET])),
        (KeyScope(models_allowed=["route/*", SONNET]), KeyScope(models_allowed=["route/support"])),
    ],
)
def test_what_stays_or_is_less_widens_nothing(before: KeyScope, asked: KeyScope) -> None:
    assert not widens(before, asked)


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (KeyScope(HELP), KeyScope()),
        (KeyScope(HELP), KeyScope(Project(name="Search"))),
        (KeyScope(allowed_regions=EU), KeyScope()),
        (KeyScope(allowed_regions=EU), KeyScope(allowed_regions=["eu", "us"])),
        (KeyScope(allowed_regions=["eu-west-1"]), KeyScope(allowed_regions=EU)),
        (KeyScope(allowed_regions=["apac"]), KeyScope(allowed_regions=["global"])),
        (KeyScope(models_allowed=[SONNET]), KeyScope()),
        (KeyScope(models_allowed=[SONNET]), KeyScope(models_allowed=[SONNET, "aws/x"])),
        (KeyScope(models_allowed=[SONNET]), KeyScope(models_allowed=["anthropic/*"])),
        (KeyScope(models_allowed=["anthropic/claude-*"]), KeyScope(models_allowed=["anthropic/cl*"])),
        (KeyScope(models_allowed=["anthropic/claude-*"]), KeyScope(models_allowed=["anthropic/*"])),
    ],
)
def test_what_allows_more_widens(before: KeyScope, asked: KeyScope) -> None:
    assert widens(before, asked)


patterns = st.lists(st.sampled_from(["a/*", "a/b*", "a/b", "a/bc", "a/c", "b/*"]))


@given(patterns, patterns, st.sampled_from(["a/a", "a/b", "a/bb", "a/bc", "a/c", "b/a"]))
def test_what_widens_nothing_allows_nothing_new(before: list[str], asked: list[str], model: str) -> None:
    is_new = is_model_allowed(model, asked) and not is_model_allowed(model, before)

    assert widens(KeyScope(models_allowed=before), KeyScope(models_allowed=asked)) or not is_new


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
