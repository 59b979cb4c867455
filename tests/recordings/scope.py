"""Which recordings are in scope of the gateway, as what, and why the rest are not."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from providers.base import Shape
from tests.recordings.library import Recording

# What OpenAI's responses call a tool that the client runs itself; every other kind runs at OpenAI.
_TOOLS_OF_THE_CLIENT = {"function", "custom"}


class Use(StrEnum):
    """What becomes of a recording; the value is how the page says it."""

    REPLAYED = "yes"
    GOLDEN = "golden file"
    LEFT_OUT = "no"


@dataclass(frozen=True)
class Group:
    """Recordings that are treated alike: ``what`` they are, and ``how`` they are used, or why not.

    ``shape`` is the language of those that are replayed.
    """

    what: str
    holds: Callable[[Recording], bool]
    use: Use
    how: str
    shape: Shape | None = None


def _is(provider: str, *operations: str) -> Callable[[Recording], bool]:
    return lambda recording: recording.provider == provider and recording.operation in operations


def _is_of_another_maker(recording: Recording) -> bool:
    return recording.provider == "bedrock" and "anthropic." not in recording.model and "mistral." in recording.model


def _is_text_completion(recording: Recording) -> bool:
    return "prompt" in (recording.sent or {}) and "messages" not in (recording.sent or {})


def _builds_on_what_is_stored(recording: Recording) -> bool:
    return _is("openai", "responses")(recording) and "previous_response_id" in (recording.sent or {})


def _names_no_model(recording: Recording) -> bool:
    return _is("openai", "responses")(recording) and "model" not in (recording.sent or {})


def _has_built_in_tools(recording: Recording) -> bool:
    tools = (recording.sent or {}).get("tools") or ()
    return _is("openai", "responses")(recording) and any(tool["type"] not in _TOOLS_OF_THE_CLIENT for tool in tools)


_CONVERSE = _is("bedrock", "converse", "converse-stream")
_TRANSLATED = "also as chat and as responses, streamed and whole"

# The first that holds a recording decides.
GROUPS = (
    Group(
        "Anthropic, Messages",
        _is("anthropic", "messages"),
        Use.REPLAYED,
        f"native, byte for byte; {_TRANSLATED}",
        Shape.MESSAGES,
    ),
    Group(
        "Anthropic, count_tokens",
        _is("anthropic", "count_tokens"),
        Use.REPLAYED,
        "native, byte for byte",
        Shape.COUNT_TOKENS,
    ),
    Group(
        "Bedrock, Converse, answered",
        lambda recording: _CONVERSE(recording) and recording.is_answered,
        Use.GOLDEN,
        "its usage is read into the same counts; the gateway itself calls InvokeModel",
    ),
    Group(
        "Bedrock, Converse, refused",
        _CONVERSE,
        Use.GOLDEN,
        "the error is understood; the gateway itself calls InvokeModel",
    ),
    Group(
        "Bedrock, other makers' models",
        _is_of_another_maker,
        Use.LEFT_OUT,
        "only Claude is called there; other models speak other languages",
    ),
    Group(
        "Bedrock, Text Completions",
        lambda recording: recording.provider == "bedrock" and _is_text_completion(recording),
        Use.LEFT_OUT,
        "the API of models before Messages, which are gone",
    ),
    Group(
        "Bedrock, InvokeModel",
        _is("bedrock", "invoke"),
        Use.REPLAYED,
        f"native, byte for byte; {_TRANSLATED}",
        Shape.MESSAGES,
    ),
    Group(
        "Bedrock, InvokeModelWithResponseStream",
        _is("bedrock", "invoke-with-response-stream"),
        Use.REPLAYED,
        f"native, each event byte for byte in Anthropic's framing; {_TRANSLATED}",
        Shape.MESSAGES,
    ),
    Group(
        "Bedrock, CountTokens",
        _is("bedrock", "count-tokens"),
        Use.REPLAYED,
        "native, the count as Anthropic words it, errors byte for byte",
        Shape.COUNT_TOKENS,
    ),
    Group(
        "Vertex AI, rawPredict",
        _is("vertex", "rawPredict"),
        Use.REPLAYED,
        f"native, byte for byte; {_TRANSLATED}",
        Shape.MESSAGES,
    ),
    Group(
        "Vertex AI, streamRawPredict",
        _is("vertex", "streamRawPredict"),
        Use.REPLAYED,
        f"native, byte for byte; {_TRANSLATED}",
        Shape.MESSAGES,
    ),
    Group(
        "OpenAI, chat completions",
        _is("openai", "chat.completions"),
        Use.REPLAYED,
        "chat, byte for byte; also as Messages and as responses, but for one with the old `functions`",
        Shape.CHAT,
    ),
    Group(
        "OpenAI, responses with a stored one before it",
        _builds_on_what_is_stored,
        Use.LEFT_OUT,
        "`previous_response_id` is refused: responses are not stored here",
    ),
    Group(
        "OpenAI, responses of a stored prompt",
        _names_no_model,
        Use.LEFT_OUT,
        "the request names no model, so there is nothing to plan or price by",
    ),
    Group(
        "OpenAI, responses with built-in tools",
        _has_built_in_tools,
        Use.LEFT_OUT,
        "tools that run at OpenAI (web search, code, files, MCP) pass unread and are promised nothing",
    ),
    Group(
        "OpenAI, responses",
        _is("openai", "responses"),
        Use.REPLAYED,
        "responses, byte for byte",
        Shape.RESPONSES,
    ),
    Group(
        "OpenRouter, chat completions",
        _is("gateway:openrouter", "chat.completions"),
        Use.REPLAYED,
        "chat, byte for byte; also as Messages and as responses",
        Shape.CHAT,
    ),
    Group(
        "Vercel AI Gateway, chat completions",
        _is("gateway:vercel", "chat.completions"),
        Use.REPLAYED,
        "chat, byte for byte; also as Messages and as responses",
        Shape.CHAT,
    ),
    Group(
        "Anthropic, message batches",
        _is("anthropic", "batches"),
        Use.LEFT_OUT,
        "the gateway has no batches: they are answered hours later, and metered by the provider alone",
    ),
    Group(
        "Anthropic, list of models",
        _is("anthropic", "models"),
        Use.LEFT_OUT,
        "no client's call leads to it: the gateway lists its own catalog",
    ),
)


class HasNoPlace(LookupError):
    """A recording that no group holds."""


@cache
def group_of(recording: Recording) -> Group:
    """Return the group that decides on ``recording``. Raises HasNoPlace."""
    for group in GROUPS:
        if group.holds(recording):
            return group
    raise HasNoPlace(recording.name)


def is_replayed(recording: Recording, *shapes: Shape) -> bool:
    """Whether ``recording`` is replayed through the gateway, and in one of ``shapes`` if any are named."""
    group = group_of(recording)
    return group.use is Use.REPLAYED and (not shapes or group.shape in shapes)
