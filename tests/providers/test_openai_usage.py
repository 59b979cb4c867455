"""OpenAI's usage, in which cached tokens are a part of the input, becomes five disjoint counts."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import TokenCounts
from providers.openai_usage import messages_usage, parse_openai_usage, read_openai_answer
from providers.usage import LARGEST_COUNT, parse_usage

token_counts = st.integers(0, 10**9)


@st.composite
def known_counts(draw: st.DrawFn) -> TokenCounts:
    output = draw(token_counts)
    return TokenCounts(
        draw(token_counts),
        draw(token_counts),
        draw(token_counts),
        0,
        output,
        draw(st.none() | st.integers(0, output)),
    )


def chat_usage(counts: TokenCounts) -> dict[str, Any]:
    """The usage that an OpenAI server would report for these counts in a chat completion."""
    usage: dict[str, Any] = {
        "prompt_tokens": counts.input_total,
        "completion_tokens": counts.output,
        "total_tokens": counts.input_total + (counts.output or 0),
        "prompt_tokens_details": {
            "cached_tokens": counts.cache_read_input,
            "cache_write_tokens": counts.cache_write_5m_input,
        },
    }
    if counts.reasoning_output is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning_output}
    return usage


def responses_usage(counts: TokenCounts) -> dict[str, Any]:
    """The same in a response."""
    names = {
        "prompt_tokens": "input_tokens",
        "completion_tokens": "output_tokens",
        "prompt_tokens_details": "input_tokens_details",
        "completion_tokens_details": "output_tokens_details",
    }
    return {names.get(name, name): value for name, value in chat_usage(counts).items()}


@settings(deadline=None, derandomize=True)
@given(known_counts())
def test_counts_survive_the_usage_of_a_chat_completion(counts: TokenCounts) -> None:
    assert parse_openai_usage(chat_usage(counts)) == counts


@settings(deadline=None, derandomize=True)
@given(known_counts())
def test_counts_survive_the_usage_of_a_response(counts: TokenCounts) -> None:
    assert parse_openai_usage(responses_usage(counts)) == counts


@settings(deadline=None, derandomize=True)
@given(known_counts())
def test_counts_survive_the_usage_of_a_translated_answer(counts: TokenCounts) -> None:
    assert parse_usage(messages_usage(counts)) == counts


def test_usage_that_is_not_known_stays_so_in_a_translated_answer() -> None:
    assert parse_usage(messages_usage(TokenCounts())) == TokenCounts()


def test_cached_tokens_are_taken_out_of_the_input() -> None:
    usage = {"prompt_tokens": 4020, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 4012}}

    assert parse_openai_usage(usage) == TokenCounts(8, 4012, 0, 0, 4)


def test_cache_writes_for_an_hour_are_told_apart_where_a_gateway_says_so() -> None:
    details = {"cached_tokens": 1, "cache_creation_tokens": 30, "cache_creation_1h_tokens": 10}
    usage = {"prompt_tokens": 100, "completion_tokens": 4, "prompt_tokens_details": details}

    assert parse_openai_usage(usage) == TokenCounts(69, 1, 20, 10, 4)


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "cached_tokens"])
def test_cache_reads_beside_the_totals_are_read(name: str) -> None:
    counts = parse_openai_usage({"prompt_tokens": 50, "completion_tokens": 5, name: 20})

    assert counts == TokenCounts(30, 20, 0, 0, 5)


def test_more_cached_than_sent_leaves_the_uncached_input_unknown() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 11}}

    assert parse_openai_usage(usage) == TokenCounts(None, 11, 0, 0, 5)


def test_reasoning_that_a_server_counts_beside_the_output_is_added_to_it() -> None:
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }

    assert parse_openai_usage(usage) == TokenCounts(32, 0, 0, 0, 103, 94)


def test_more_reasoning_than_output_is_not_known() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}}

    assert parse_openai_usage(usage) == TokenCounts(1, 0, 0, 0, 5, None)


def test_explicit_zeros_are_zeros() -> None:
    assert parse_openai_usage({"prompt_tokens": 0, "completion_tokens": 0}) == TokenCounts(0, 0, 0, 0, 0)


@pytest.mark.parametrize("usage", [None, {}, [], 7, {"total_tokens": 5}, {"prompt_tokens": "5"}])
def test_usage_that_says_nothing_is_not_known(usage: object) -> None:
    assert parse_openai_usage(usage) == TokenCounts()


@pytest.mark.parametrize("count", [-1, 1.5, True, "9", None, LARGEST_COUNT + 1])
def test_what_cannot_be_a_count_is_not_one(count: object) -> None:
    counts = parse_openai_usage({"prompt_tokens": 5, "completion_tokens": count})

    assert (counts.uncached_input, counts.output) == (5, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"not JSON", b'{"usage":null}', b"[" * 5000])
def test_an_answer_without_usage_passes_with_counts_not_known(body: bytes) -> None:
    answer = read_openai_answer(body)

    assert (answer.body, answer.counts, answer.model) == (body, TokenCounts(), "")
