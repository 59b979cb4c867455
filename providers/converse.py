"""The ``usage`` of Bedrock's Converse API, read into the same disjoint counts as that of Messages.

Source: Amazon Bedrock API Reference, "TokenUsage" and "CacheDetail".
"""

from collections.abc import Mapping
from typing import Any

from providers.base import TokenCounts
from providers.usage import parse_usage


def parse_converse_usage(usage: object) -> TokenCounts:
    """Return the counts of a Converse answer's ``usage``, or of the ``metadata`` event that ends its stream.

    ``inputTokens`` excludes what was read from the cache and written to it. ``cacheDetails`` splits the writes by
    their time to live; what it leaves out counts as 5 m. Values that are not plausible counts read as missing.
    """
    if not isinstance(usage, Mapping):
        return TokenCounts()
    written = _written_by_ttl(usage.get("cacheDetails"))
    return parse_usage(
        {
            "input_tokens": usage.get("inputTokens"),
            "output_tokens": usage.get("outputTokens"),
            "cache_read_input_tokens": usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount")),
            "cache_creation_input_tokens": usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount")),
            "cache_creation": {
                "ephemeral_5m_input_tokens": written.get("5m"),
                "ephemeral_1h_input_tokens": written.get("1h"),
            },
        }
    )


def _written_by_ttl(details: object) -> Mapping[Any, Any]:
    if not isinstance(details, list):
        return {}
    return {
        detail["ttl"]: detail.get("inputTokens")
        for detail in details
        if isinstance(detail, Mapping) and isinstance(detail.get("ttl"), str)
    }
