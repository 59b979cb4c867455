"""What a caller asks of the simulator itself: a failure, or the shape of an answer.

Three places, the first that says something wins: the request header ``x-simulate: overloaded``; a directive anywhere
in the last user message, ``[[simulate: output_tokens=120 parallel=2]]``; the end of the key,
``sk-ant-sim-acme-overloaded`` (see KEY_ENDINGS). A key whose organisation begins with "bad" is refused.
Words and their meaning:

    auth         401  the key is not valid                  overloaded        529
    credit       400  the credit balance is too low         error             500
    permission   403  the key may not use this              timeout           504
    rate_limit   429  with retry-after                      stall             no answer at all
    cut               the connection breaks in mid-answer   stall_mid_stream  half an answer, then silence
    error_mid_stream  half a stream, then an error event
    flaky             every other request is overloaded

    output_tokens=N   length of the answer                  parallel=N        calls in one turn
    redacted          the thinking comes encrypted
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

FAILURES = frozenset(
    {
        *("auth", "credit", "permission", "rate_limit", "overloaded", "error", "timeout", "flaky"),
        *("stall", "cut", "stall_mid_stream", "error_mid_stream"),
    }
)
KEY_PREFIX = "sk-ant-sim-"
# The last part of a key, as people write it in a form.
KEY_ENDINGS = {
    "nocredit": "credit",
    "noaccess": "permission",
    "ratelimited": "rate_limit",
    "overloaded": "overloaded",
    "error": "error",
    "timeout": "timeout",
    "stall": "stall",
    "cut": "cut",
    "midstream": "error_mid_stream",
    "flaky": "flaky",
}

_DIRECTIVE = re.compile(r"\[\[simulate:?\s*([^\]]*)\]\]")


@dataclass(frozen=True)
class Instructions:
    """A failure's name or '', and how the answer is to look; None leaves it to the simulator."""

    failure: str = ""
    output_tokens: int | None = None
    parallel_calls: int | None = None
    is_redacted: bool = False


@dataclass
class _Words:
    failure: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    is_redacted: bool = False


def read_instructions(*, header: str, text: str, key_failure: str) -> Instructions:
    """Return what the three places ask for; words that mean nothing here are passed over."""
    directives = " ".join(_DIRECTIVE.findall(text))
    words = _Words()
    for source in (header, directives):
        _read_words(re.split(r"[\s,]+", source), words)
    words.failure = words.failure or key_failure
    return Instructions(
        words.failure, words.numbers.get("output_tokens"), words.numbers.get("parallel"), words.is_redacted
    )


def without_directives(text: str) -> str:
    """Return ``text`` as the model reads it."""
    return _DIRECTIVE.sub("", text)


def failure_of(key: str) -> str:
    """Return the failure that the last part of a key asks for, '' if none."""
    return KEY_ENDINGS.get(key.rpartition("-")[2], "")


def is_valid_key(key: str) -> bool:
    """True for ``sk-ant-sim-<organisation>…`` whose organisation does not begin with ``bad``."""
    organisation = organisation_of(key)
    return bool(organisation) and not organisation.startswith("bad")


def organisation_of(key: str) -> str:
    """Return the organisation a key belongs to, '' if it is not one of ours.

    It is the first part after the prefix: ``sk-ant-sim-acme-1`` and ``sk-ant-sim-acme-2`` share cache and limits.
    """
    if not key.startswith(KEY_PREFIX):
        return ""
    return key.removeprefix(KEY_PREFIX).partition("-")[0]


def _read_words(source: Iterable[str], words: _Words) -> None:
    for word in source:
        name, _, value = word.partition("=")
        if name in FAILURES and not words.failure:
            words.failure = name
        elif name == "redacted":
            words.is_redacted = True
        elif value.isdecimal():
            words.numbers.setdefault(name, int(value))
