"""The ``usage`` of the Messages API, read into five disjoint counts.

Source: Anthropic API reference (Messages, prompt caching), version 2023-06-01; Bedrock and Vertex report the same.
"""

from typing import Annotated, Any

import msgspec

from providers.base import Answer, TokenCounts

# No answer has this many tokens; a larger number is not a count, and would not fit the ledger.
LARGEST_COUNT = 10**12
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_message(body: bytes) -> Answer:
    """Return a whole, unstreamed answer to Messages as it is; of one that is no message nothing is known."""
    try:
        usual = _usual_decoder.decode(body)
        return Answer(body, _counts_of(usual.usage), usual.model)
    except msgspec.ValidationError:
        pass  # unusual, not unreadable: a count that is no number, or too large to be one
    except _UNREADABLE:
        return Answer(body, TokenCounts())
    try:
        unusual = _answer_decoder.decode(body)
    except _UNREADABLE:
        return Answer(body, TokenCounts())
    return Answer(body, parse_usage(unusual.usage), unusual.model if isinstance(unusual.model, str) else "")


def parse_usage(usage: object) -> TokenCounts:
    """Return the five disjoint counts of a ``usage`` object.

    ``input_tokens`` excludes cached tokens. The 5 m and 1 h split of the cache writes can be absent or sum to
    less than their total; the rest then counts as 5 m, the provider's default. Values that are not
    plausible counts read as missing.
    """
    if not isinstance(usage, dict):
        return TokenCounts()
    split, details = _part(usage, "cache_creation"), _part(usage, "output_tokens_details")
    return _counts_of(
        _Usage(
            input_tokens=_count(usage, "input_tokens"),
            output_tokens=_count(usage, "output_tokens"),
            cache_read_input_tokens=_count(usage, "cache_read_input_tokens"),
            cache_creation_input_tokens=_count(usage, "cache_creation_input_tokens"),
            cache_creation=_Split(
                _count(split, "ephemeral_5m_input_tokens"), _count(split, "ephemeral_1h_input_tokens")
            ),
            output_tokens_details=_OutputDetails(_count(details, "thinking_tokens")),
            server_tool_use=_ServerTools(_count(_part(usage, "server_tool_use"), "web_search_requests")),
        )
    )


_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)] | None


class _Split(msgspec.Struct):
    ephemeral_5m_input_tokens: _Count = None
    ephemeral_1h_input_tokens: _Count = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: _Count = None


class _ServerTools(msgspec.Struct):
    web_search_requests: _Count = None


class _Usage(msgspec.Struct):
    input_tokens: _Count = None
    output_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_creation: _Split | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None


class _UsualAnswer(msgspec.Struct):
    usage: _Usage
    model: str = ""


class _Answer(msgspec.Struct):
    usage: dict[str, Any]
    model: Any = ""


_usual_decoder = msgspec.json.Decoder(_UsualAnswer)
_answer_decoder = msgspec.json.Decoder(_Answer)


def _counts_of(usage: _Usage) -> TokenCounts:
    split, written = usage.cache_creation, usage.cache_creation_input_tokens
    written_5m = split.ephemeral_5m_input_tokens if split else None
    written_1h = split.ephemeral_1h_input_tokens if split else None
    if written is not None:
        written_5m = max(written - (written_1h or 0), written_5m or 0)
    # A provider that counts at all leaves out the cache counts that are zero.
    otherwise = None if usage.input_tokens is None and usage.output_tokens is None else 0
    read = usage.cache_read_input_tokens
    return TokenCounts(
        usage.input_tokens,
        otherwise if read is None else read,
        otherwise if written_5m is None else written_5m,
        otherwise if written_1h is None else written_1h,
        usage.output_tokens,
        usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None,
        usage.server_tool_use.web_search_requests if usage.server_tool_use else None,
    )


def _part(usage: dict[str, Any], name: str) -> dict[str, Any]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None
