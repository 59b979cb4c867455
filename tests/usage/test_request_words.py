"""What the request page says in words: why another attempt followed, how sure the counts are, what the cache did."""

from typing import Any
from uuid import UUID

import pytest

from usage.error_words import Reached, explain
from usage.models import Attempt
from usage.request_words import cache_words, savings_words, usage_words, what_followed

MINIMUM = 1024


def attempt(**fields: Any) -> Attempt:
    defaults: dict[str, Any] = {
        "state": Attempt.State.SETTLED,
        "certainty": "exact",
        "final": True,
        "error_code": "",
        "provider": "anthropic",
        "model": "claude-sonnet-4-6",
        "model_asked": "anthropic/claude-sonnet-4-6",
        "model_served": "claude-sonnet-4-6",
        "provider_key_id": UUID(int=1),
        "provider_key_version": 2,
        "region": "eu",
        "uncached_input_tokens": 2000,
        "cache_read_input_tokens": 0,
        "cache_write_5m_input_tokens": 0,
        "cache_write_1h_input_tokens": 0,
        "output_tokens": 50,
    }
    return Attempt(**defaults | fields)


def failed(**fields: Any) -> Attempt:
    counts = dict.fromkeys(("uncached_input_tokens", "cache_read_input_tokens", "output_tokens"))
    writes = dict.fromkeys(("cache_write_5m_input_tokens", "cache_write_1h_input_tokens"))
    return attempt(**{"error_code": "provider_overloaded", "final": False, **counts, **writes, **fields})


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({}, "Retry: the same was tried again."),
        ({"provider": "aws"}, "Fallback: aws/claude-sonnet-4-6 was tried next."),
        ({"model": "claude-haiku-4-5"}, "Fallback: anthropic/claude-haiku-4-5 was tried next."),
        ({"provider_key_id": UUID(int=2)}, "Next key: Spare was tried next."),
        ({"provider_key_version": 1}, "Next version: v1 of the same key was tried next."),
        ({"region": "us"}, "Next region: us was tried next."),
    ],
)
def test_what_followed_a_failure_is_said(later: dict[str, Any], expected: str) -> None:
    assert what_followed(failed(), attempt(**later), "Spare") == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (attempt(), "It answered the request."),
        (failed(final=True), "Nothing was left to try."),
        (failed(final=True, certainty="partial"), "The answer had begun, so nothing else could take over."),
        (failed(final=True, ttft_ms=120), "The answer had begun, so nothing else could take over."),
        (failed(final=True, error_code="client_closed_request"), "Nobody was left to answer."),
        (failed(), "Another attempt follows."),
        (attempt(state=Attempt.State.OPEN, certainty=None), "It is under way."),
    ],
)
def test_how_the_last_attempt_stands_is_said(last: Attempt, expected: str) -> None:
    assert what_followed(last, None, None) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (attempt(), "Counted"),
        (attempt(certainty="partial"), "Cut off"),
        (attempt(certainty="estimated"), "Estimated"),
        (failed(), "None used"),
        (failed(certainty="unknown"), "Not known"),
        (failed(state=Attempt.State.OPEN, certainty=None), "Not known yet"),
    ],
)
def test_failed_attempt_without_tokens_is_never_called_counted(one: Attempt, expected: str) -> None:
    assert usage_words(one) == expected


@pytest.mark.parametrize(
    ("fields", "minimum", "expected"),
    [
        ({"cache_read_input_tokens": 1500}, MINIMUM, "Read 1,500 of 3,500 input tokens from the cache."),
        (
            {"cache_write_5m_input_tokens": 1200, "cache_write_1h_input_tokens": 30},
            MINIMUM,
            "Nothing was read from the cache. Wrote 1,200 for 5 minutes and 30 for 1 hour.",
        ),
        (
            {"cache_read_input_tokens": 1000, "cache_write_5m_input_tokens": 200},
            MINIMUM,
            "Read 1,000 of 3,200 input tokens from the cache. Wrote 200 for 5 minutes.",
        ),
        (
            {"uncached_input_tokens": 900},
            MINIMUM,
            "Nothing was cached: 900 input tokens are fewer than the 1,024 that this model needs before it caches "
            "anything.",
        ),
        (
            {},
            MINIMUM,
            "Nothing was read or written. A prompt is cached only where it is marked with cache_control. "
            "A marked part must be at least 1,024 tokens long.",
        ),
        (
            {},
            None,
            "Nothing was read or written. A prompt is cached only where it is marked with cache_control.",
        ),
        ({"certainty": "estimated", "cache_read_input_tokens": None}, MINIMUM, "Not known."),
    ],
)
def test_cache_outcome_is_said(fields: dict[str, Any], minimum: int | None, expected: str) -> None:
    assert " ".join(cache_words(attempt(**fields), minimum)) == expected


@pytest.mark.parametrize(
    ("nano", "expected"),
    [(0, ""), (None, ""), (500, "saved"), (-500, "more than the same tokens uncached")],
)
def test_savings_are_said_either_way(nano: int | None, expected: str) -> None:
    assert savings_words(attempt(cache_savings_nano=nano)).startswith(expected)
    assert bool(savings_words(attempt(cache_savings_nano=nano))) == bool(expected)


@pytest.mark.parametrize(
    ("fields", "reached", "said"),
    [
        ({"certainty": "exact"}, Reached.NOT_SENT, "No connection"),
        ({"certainty": "unknown"}, Reached.SENT, "did not begin its answer"),
        ({"certainty": "partial", "status": 200, "first_byte_ms": 90}, Reached.ANSWERED, "in the middle of its answer"),
    ],
)
def test_time_out_says_in_which_phase(fields: dict[str, Any], reached: Reached, said: str) -> None:
    timed_out = failed(error_code="provider_timeout", status=fields.pop("status", None), **fields)

    explanation = explain(timed_out.error_code, timed_out.reached)

    assert timed_out.reached == reached
    assert explanation is not None
    assert said in explanation.what


@pytest.mark.parametrize(
    ("asked", "provider", "served", "is_same"),
    [
        ("anthropic/claude-sonnet-4-6", "anthropic", "claude-sonnet-4-6", True),
        ("claude-sonnet-4-6", "anthropic", "claude-sonnet-4-6", True),
        ("aws/anthropic/claude-sonnet-4-6", "aws", "claude-sonnet-4-6", True),
        ("anthropic/claude-sonnet-4-6", "aws", "claude-sonnet-4-6", False),
        ("route/fast", "anthropic", "claude-sonnet-4-6", False),
        ("anthropic/claude-haiku-4-5", "anthropic", "claude-haiku-4-5-20251001", False),
    ],
)
def test_other_model_or_provider_than_asked_is_noticed(asked: str, provider: str, served: str, is_same: bool) -> None:
    assert attempt(model_asked=asked, provider=provider, model_served=served).is_served_as_asked is is_same
