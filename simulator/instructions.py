"""What a caller asks of the simulator itself: a failure, or the shape and pace of an answer.

Three places, the first that says something wins: the request header ``x-simulate: overloaded``; a directive anywhere
in the last user message, ``[[simulate: output_tokens=120 parallel=2]]``; the end of the key,
``sk-ant-sim-acme-overloaded`` (see KEY_ENDINGS). A key whose organisation begins with "bad" is refused.
Words and their meaning, with Anthropic's statuses:

    auth         401  the key is not valid                  overloaded        529
    credit       400  the credit balance is too low         error             500
    billing      402  a payment is wrong                    timeout           504
    permission   403  the key may not use this              stall             no answer at all
    not_found    404  the model is not there for this key   stall_mid_stream  half an answer, then silence
    rate_limit   429  with retry-after                      endless           pings after half an answer, for ever
    cut               the connection breaks in mid-answer   broken            half an answer, then bytes that are wrong
    error_mid_stream  half a stream, then an error          flaky             every other request is overloaded

    output_tokens=N   length of the answer                  first_byte_ms=N   wait so long before the first byte
    parallel=N        calls in one turn, at most 64         between_ms=N      wait so long after each event
    searches=N        web searches (at most 64), if the     pings=N           pings in a stream beside the usual one,
                      tool is there                                           at most 1,000
    redacted          the thinking comes encrypted          stop=REASON       why the answer ends, see STOP_REASONS

A turn of an agent is scripted by ``[[call: Read {"file_path": "note.txt"}]]`` in the last user message: the model calls
that tool with that input, if the request offers it. Several make several calls.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FAILURES = frozenset(
    {
        *("auth", "credit", "billing", "permission", "not_found", "rate_limit", "overloaded", "error", "timeout"),
        *("flaky", "stall", "cut", "broken", "endless", "stall_mid_stream", "error_mid_stream"),
    }
)
STOP_REASONS = frozenset(
    {"end_turn", "max_tokens", "model_context_window_exceeded", "pause_turn", "refusal", "stop_sequence"}
)
KEY_PREFIX = "sk-ant-sim-"
# The last part of a key, as people write it in a form, and the words that it stands for.
KEY_ENDINGS = {
    "nocredit": "credit",
    "nobilling": "billing",
    "noaccess": "permission",
    "nomodel": "not_found",
    "ratelimited": "rate_limit",
    "overloaded": "overloaded",
    "error": "error",
    "timeout": "timeout",
    "stall": "stall",
    "cut": "cut",
    "broken": "broken",
    "endless": "endless",
    "midstream": "error_mid_stream",
    "flaky": "flaky",
    "slow": "first_byte_ms=5000",
    "trickle": "between_ms=1000",
}

_MOST_DIGITS = 9
# What is made at once and held in memory has a bound; the length of an answer is bounded by its max_tokens.
_MOST = {"searches": 64, "pings": 1_000}
# Text which only begins like one of these takes no time: the first gives back nothing it has read, and the second reads
# no further than to where another begins.
_DIRECTIVE = re.compile(r"\[\[simulate:?\s*+([^\[\]]*+)\]\]")
_CALL = re.compile(r"\[\[call:?\s+([\w-]+)\s+(\{(?:(?!\[\[call).)*?\})\s*\]\]", re.DOTALL)


@dataclass(frozen=True)
class Instructions:
    """A failure's name or '', and how the answer is to look and to come; None leaves it to the simulator."""

    failure: str = ""
    output_tokens: int | None = None
    parallel_calls: int | None = None
    searches: int | None = None
    is_redacted: bool = False
    stop_reason: str = ""
    first_byte_ms: int = 0
    between_ms: int = 0
    pings: int = 0
    calls: tuple["ScriptedCall", ...] = ()


@dataclass(frozen=True)
class ScriptedCall:
    """A tool to call, and what with."""

    tool: str
    input: Mapping[str, Any]


@dataclass
class _Words:
    failure: str = ""
    stop_reason: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    is_redacted: bool = False


def read_instructions(*, header: str, text: str, key_words: str) -> Instructions:
    """Return what the three places ask for; words that mean nothing here are passed over."""
    directives = " ".join(_DIRECTIVE.findall(text))
    words = _Words()
    for source in (header, directives, key_words):
        _read_words(re.split(r"[\s,]+", source), words)
    numbers = words.numbers
    return Instructions(
        failure=words.failure,
        output_tokens=numbers.get("output_tokens"),
        parallel_calls=numbers.get("parallel"),
        searches=numbers.get("searches"),
        is_redacted=words.is_redacted,
        stop_reason=words.stop_reason,
        first_byte_ms=numbers.get("first_byte_ms", 0),
        between_ms=numbers.get("between_ms", 0),
        pings=numbers.get("pings", 0),
        calls=tuple(_scripted_calls(text)),
    )


def without_directives(text: str) -> str:
    """Return ``text`` as the model reads it."""
    return _CALL.sub("", _DIRECTIVE.sub("", text))


def words_of_key(key: str) -> str:
    """Return what the last part of a key asks for, '' if nothing."""
    return KEY_ENDINGS.get(key.rpartition("-")[2], "")


def is_valid_key(key: str, prefix: str = KEY_PREFIX) -> bool:
    """True for ``sk-ant-sim-<organisation>…`` whose organisation does not begin with ``bad``."""
    organisation = organisation_of(key, prefix)
    return bool(organisation) and not organisation.startswith("bad")


def organisation_of(key: str, prefix: str = KEY_PREFIX) -> str:
    """Return the organisation a key belongs to, '' if it is not one of ours.

    It is the first part after the prefix: ``sk-ant-sim-acme-1`` and ``sk-ant-sim-acme-2`` share cache and limits.
    """
    if not key.startswith(prefix):
        return ""
    return key.removeprefix(prefix).partition("-")[0]


def _scripted_calls(text: str) -> Iterator[ScriptedCall]:
    for tool, written in _CALL.findall(text):
        try:
            yield ScriptedCall(tool, json.loads(written))
        except (ValueError, RecursionError):
            continue


def _read_words(source: Iterable[str], words: _Words) -> None:
    for word in source:
        name, _, value = word.partition("=")
        if name in FAILURES and not words.failure:
            words.failure = name
        elif name == "redacted":
            words.is_redacted = True
        elif name == "stop" and value in STOP_REASONS and not words.stop_reason:
            words.stop_reason = value
        elif value.isdecimal() and len(value) <= _MOST_DIGITS:
            words.numbers.setdefault(name, min(int(value), _MOST.get(name, int(value))))
