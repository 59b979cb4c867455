"""The token counts that a recorded answer reports, by arithmetic on its usage and without the product's help."""

from collections.abc import Mapping
from typing import Any

from tests.recordings.library import Recording

# As the ledger's columns are called.
COUNTS = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "web_searches",
)

Counts = dict[str, int | None]
# Counting tokens uses none, whatever comes of it.
_NOTHING_USED = (0, 0, 0, 0, 0, None, None)


def reported_counts(recording: Recording) -> Counts:
    """Return all counts of an answer; each is None where the provider reported no usage or nothing of the kind."""
    usage = _usage_in(recording)
    if recording.operation in ("count_tokens", "count-tokens"):
        return _counts(*_NOTHING_USED)
    if not usage:
        return dict.fromkeys(COUNTS)
    is_messages = recording.provider in ("anthropic", "bedrock", "vertex")
    return _messages_counts(usage) if is_messages else _openai_counts(usage)


def counts_in_row(row: Any) -> Counts:
    """Return all counts of a ledger row."""
    return {name: getattr(row, name) for name in COUNTS}


def _usage_in(recording: Recording) -> dict[str, Any]:
    """Return the usage as reported; in a stream the last word on each field counts."""
    if not recording.is_answered:
        return {}
    if not recording.is_streamed:
        return recording.answer.get("usage") or {}
    usage: dict[str, Any] = {}
    for event in recording.events:
        holder = event.get("message") or event.get("response") or event
        usage |= {name: value for name, value in (holder.get("usage") or {}).items() if value is not None}
    return usage


def _messages_counts(usage: Mapping[str, Any]) -> Counts:
    written = usage.get("cache_creation_input_tokens") or 0
    written_1h = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    return _counts(
        usage["input_tokens"],
        usage.get("cache_read_input_tokens") or 0,
        written - written_1h,
        written_1h,
        usage["output_tokens"],
        (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        (usage.get("server_tool_use") or {}).get("web_search_requests"),
    )


def _openai_counts(usage: Mapping[str, Any]) -> Counts:
    """Return the counts of a chat completion or a response, whose input includes what the cache took and gave."""
    is_chat = "prompt_tokens" in usage
    before, after = ("prompt", "completion") if is_chat else ("input", "output")
    details, more = usage.get(f"{before}_tokens_details") or {}, usage.get(f"{after}_tokens_details") or {}
    total, output = usage[f"{before}_tokens"], usage[f"{after}_tokens"]
    assert usage["total_tokens"] == total + output
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    return _counts(total - read - written, read, written, 0, output, more.get("reasoning_tokens"), None)


def _counts(*values: int | None) -> Counts:
    return dict(zip(COUNTS, values, strict=True))
