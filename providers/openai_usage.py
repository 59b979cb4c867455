"""The ``usage`` of chat completions and responses, read into five disjoint counts, and written as Messages does.

Source: OpenAI API reference, "Chat" and "Responses", usage; the names of other servers as their own pages give them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import Answer, TokenCounts
from providers.usage import LARGEST_COUNT

# Where cache reads and writes are told, first the usual place. OpenAI and most others say it in the input's details,
# DeepSeek and Moonshot beside the totals.
_READ_NAMES = ("cached_tokens",)
_READ_NAMES_BESIDE = ("prompt_cache_hit_tokens", "cached_tokens")
_WRITE_NAMES = ("cache_write_tokens", "cache_creation_tokens")
_WRITE_NAMES_BESIDE = ("cache_creation_input_tokens",)


class _Outline(msgspec.Struct):
    usage: Any = None
    model: Any = ""


_decoder = msgspec.json.Decoder(_Outline)


def read_openai_answer(body: bytes) -> Answer:
    """Return a whole chat completion or response as it is; of one that is neither nothing is known."""
    try:
        outline = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer(body, TokenCounts())
    return Answer(body, parse_openai_usage(outline.usage), outline.model if isinstance(outline.model, str) else "")


def parse_openai_usage(usage: object) -> TokenCounts:
    """Return the five disjoint counts of a ``usage`` object.

    Its input includes what was read from the cache and written to it; where these are more than the input, how much
    of it was not cached is unknown. A cache write counts as one of 5 minutes, unless told apart. Values that are not
    plausible counts read as missing.
    """
    if not isinstance(usage, Mapping):
        return TokenCounts()
    prompt = _first(usage, "prompt_tokens", "input_tokens")
    reported = _first(usage, "completion_tokens", "output_tokens")
    if prompt is None and reported is None:
        return TokenCounts()
    output, reasoning = _output(usage, prompt, reported)
    details = _part(usage, "prompt_tokens_details", "input_tokens_details")
    # A server that counts at all leaves out the cache counts that are zero.
    read = _first(details, *_READ_NAMES) or _first(usage, *_READ_NAMES_BESIDE) or 0
    written = _first(details, *_WRITE_NAMES) or _first(usage, *_WRITE_NAMES_BESIDE) or 0
    written_1h = min(_first(details, "cache_creation_1h_tokens") or 0, written)
    uncached = None if prompt is None else prompt - read - written
    return TokenCounts(
        uncached_input=uncached if uncached is not None and uncached >= 0 else None,
        cache_read_input=read,
        cache_write_5m_input=written - written_1h,
        cache_write_1h_input=written_1h,
        output=output,
        reasoning_output=reasoning,
    )


def messages_usage(counts: TokenCounts) -> dict[str, Any]:
    """Return the ``usage`` of a Messages answer; null is what is not known."""
    written = _sum(counts.cache_write_5m_input, counts.cache_write_1h_input)
    usage: dict[str, Any] = {
        "input_tokens": counts.uncached_input,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": counts.cache_read_input,
        "output_tokens": counts.output,
    }
    if written is not None:
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": counts.cache_write_5m_input or 0,
            "ephemeral_1h_input_tokens": counts.cache_write_1h_input or 0,
        }
    if counts.reasoning_output is not None:
        usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning_output}
    return usage


def _output(usage: Mapping[str, Any], prompt: int | None, reported: int | None) -> tuple[int | None, int | None]:
    """Return output and, as a part of it, reasoning.

    Some servers (xAI's) count reasoning beside the output instead of in it; their total gives them away.
    """
    reasoning = _first(_part(usage, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    if reported is None or not reasoning:
        return reported, reasoning
    if prompt is not None and _first(usage, "total_tokens") == prompt + reported + reasoning:
        return reported + reasoning, reasoning
    return reported, reasoning if reasoning <= reported else None


def _part(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((value for name in names if isinstance(value := usage.get(name), Mapping)), {})


def _first(fields: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of the fields that holds a plausible count."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 <= value <= LARGEST_COUNT), None)


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
