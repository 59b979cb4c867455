"""Token counts keep their meaning in the words of each dialect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import TokenCounts
from router.dialects.base import CostSplit
from router.dialects.usage import chat_usage, responses_usage

tokens = st.integers(min_value=0, max_value=10**9)
known_counts = st.builds(TokenCounts, tokens, tokens, tokens, tokens, tokens, tokens)


def no_price(counts):
    return None


def from_chat(usage):
    return from_details(
        usage["prompt_tokens"],
        usage["prompt_tokens_details"],
        usage["completion_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


def from_responses(usage):
    return from_details(
        usage["input_tokens"],
        usage["input_tokens_details"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )


def from_details(total, details, output, reasoning):
    read, written = details["cached_tokens"], details["cache_creation_tokens"]
    split = details["cache_creation_5m_tokens"], details["cache_creation_1h_tokens"]
    assert written == details["cache_write_tokens"] == sum(split)
    return TokenCounts(total - read - written, read, *split, output, reasoning)


@given(counts=known_counts)
def test_counts_come_back_from_chat_usage(counts):
    usage = chat_usage(counts, no_price)

    assert from_chat(usage) == counts
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@given(counts=known_counts)
def test_counts_come_back_from_responses_usage(counts):
    usage = responses_usage(counts, no_price)

    assert from_responses(usage) == counts
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@pytest.mark.parametrize("counts", [TokenCounts(), TokenCounts(uncached_input=5), TokenCounts(output=5)])
@pytest.mark.parametrize("render", [chat_usage, responses_usage])
def test_unknown_counts_are_null_and_never_zero(render, counts):
    assert render(counts, no_price) is None


def test_cost_is_in_dollars():
    counts = TokenCounts(1, 0, 0, 0, 1)

    def price(_):
        return CostSplit(3_000_001, 15_000_000)

    assert chat_usage(counts, price)["cost"] == 0.018000001
    usage = responses_usage(counts, price)
    assert (usage["input_cost"], usage["output_cost"], usage["total_cost"]) == (0.003000001, 0.015, 0.018000001)


@pytest.mark.parametrize(("render", "name"), [(chat_usage, "cost"), (responses_usage, "total_cost")])
def test_unpriced_answer_has_no_cost(render, name):
    assert name not in render(TokenCounts(1, 0, 0, 0, 1), no_price)
