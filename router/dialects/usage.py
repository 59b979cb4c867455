"""Token counts in the words of chat and responses, where cached tokens are a part of the input.

The five disjoint counts can be had back from either: uncached input is the input less what was read from the cache
and written to it.
"""

from collections.abc import Callable
from typing import Any

from providers.base import TokenCounts
from router.dialects.base import CostSplit

_NANO = 10**9


def chat_usage(counts: TokenCounts, cost_usd: Callable[[TokenCounts], CostSplit | None]) -> dict[str, Any] | None:
    """Return the ``usage`` of a chat completion, or None when the provider reported none."""
    if not counts.is_known:
        return None
    output = counts.output or 0
    usage: dict[str, Any] = {
        "prompt_tokens": counts.input_total,
        "completion_tokens": output,
        "total_tokens": counts.input_total + output,
        "prompt_tokens_details": {**_input_details(counts), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning_output,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        **_server_tools(counts),
    }
    cost = cost_usd(counts)
    if cost is not None:
        usage["cost"] = (cost.input_nano_usd + cost.output_nano_usd) / _NANO
    return usage


def responses_usage(counts: TokenCounts, cost_usd: Callable[[TokenCounts], CostSplit | None]) -> dict[str, Any] | None:
    """Return the ``usage`` of a response, or None when the provider reported none."""
    if not counts.is_known:
        return None
    output = counts.output or 0
    usage: dict[str, Any] = {
        "input_tokens": counts.input_total,
        "input_tokens_details": _input_details(counts),
        "output_tokens": output,
        # The clients' types demand a number here, also where the provider does not tell.
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_output or 0},
        "total_tokens": counts.input_total + output,
        **_server_tools(counts),
    }
    cost = cost_usd(counts)
    if cost is not None:
        usage["input_cost"] = cost.input_nano_usd / _NANO
        usage["output_cost"] = cost.output_nano_usd / _NANO
        usage["total_cost"] = (cost.input_nano_usd + cost.output_nano_usd) / _NANO
    return usage


def _input_details(counts: TokenCounts) -> dict[str, int]:
    written_5m, written_1h = counts.cache_write_5m_input or 0, counts.cache_write_1h_input or 0
    return {
        "cached_tokens": counts.cache_read_input or 0,
        "cache_creation_tokens": written_5m + written_1h,
        # The same number under the name that OpenAI's own clients read.
        "cache_write_tokens": written_5m + written_1h,
        "cache_creation_5m_tokens": written_5m,
        "cache_creation_1h_tokens": written_1h,
    }


def _server_tools(counts: TokenCounts) -> dict[str, Any]:
    """Return what the provider ran and bills beside tokens, under its own name; nothing, if it told of none."""
    if counts.web_searches is None:
        return {}
    return {"server_tool_use": {"web_search_requests": counts.web_searches}}
