"""Token counts keep their meaning in the words of each dialect."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import TokenCounts
from providers.openai_usage import parse_openai_usage
from providers.usage import parse_usage
from router.dialects.base import CostSplit
from router.dialects.usage import chat_usage, responses_usage

tokens = st.integers(min_value=0, max_value=10**9)


@st.composite
def known_counts(draw, *, tells_reasoning=False):
    """Counts of which everything is known that a bill needs; a provider need not tell reasoning and searches apart."""
    output = draw(tokens)
    reasoning = draw(st.integers(0, output) if tells_reasoning else st.none() | st.integers(0, output))
    return TokenCounts(*(draw(tokens) for _ in range(4)), output, reasoning, draw(st.none() | st.integers(0, 99)))


def no_price(counts):
    return None


def through_json(usage):
    return json.loads(json.dumps(usage))


def from_chat(usage):
    return from_details(
        usage,
        usage["prompt_tokens"],
        usage["prompt_tokens_details"],
        usage["completion_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


def from_responses(usage):
    return from_details(
        usage,
        usage["input_tokens"],
        usage["input_tokens_details"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )


def from_details(usage, total, details, output, reasoning):
    read, written = details["cached_tokens"], details["cache_creation_tokens"]
    split = details["cache_creation_5m_tokens"], details["cache_creation_1h_tokens"]
    assert written == details["cache_write_tokens"] == sum(split)
    searches = usage.get("server_tool_use", {}).get("web_search_requests")
    return TokenCounts(total - read - written, read, *split, output, reasoning, searches)


def to_messages(counts):
    """Return the usage as the Messages API reports these counts."""
    written_5m, written_1h = counts.cache_write_5m_input, counts.cache_write_1h_input
    usage = {
        "input_tokens": counts.uncached_input,
        "cache_read_input_tokens": counts.cache_read_input,
        "cache_creation_input_tokens": written_5m + written_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": written_5m, "ephemeral_1h_input_tokens": written_1h},
        "output_tokens": counts.output,
    }
    if counts.reasoning_output is not None:
        usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning_output}
    if counts.web_searches is not None:
        usage["server_tool_use"] = {"web_search_requests": counts.web_searches}
    return usage


@given(counts=known_counts())
def test_counts_come_back_from_chat_usage(counts):
    usage = through_json(chat_usage(counts, no_price))

    assert from_chat(usage) == counts
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


# A response must tell a number of reasoning tokens: its clients' types demand one.
@given(counts=known_counts(tells_reasoning=True))
def test_counts_come_back_from_responses_usage(counts):
    usage = through_json(responses_usage(counts, no_price))

    assert from_responses(usage) == counts
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@given(counts=known_counts())
def test_counts_come_back_from_messages_usage(counts):
    assert parse_usage(through_json(to_messages(counts))) == counts


@given(counts=known_counts(tells_reasoning=True))
@pytest.mark.parametrize("render", [chat_usage, responses_usage])
def test_our_usage_reads_as_an_openai_servers(render, counts):
    told = msgspec.structs.replace(counts, web_searches=None)

    assert parse_openai_usage(through_json(render(counts, no_price))) == told


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
