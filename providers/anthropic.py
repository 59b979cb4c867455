"""The Anthropic API: build requests, read answers, name failures. Pure: the caller sends.

Source: Anthropic API reference (Messages, Count tokens, List models, Errors), version 2023-06-01.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from providers.base import Outbound, Outcome, TokenCounts, UnreadableAnswer
from providers.secret import Secret

DEFAULT_ORIGIN = "https://api.anthropic.com"
API_VERSION = "2023-06-01"
REQUEST_ID_HEADER = "request-id"

# No answer has this many tokens; a larger number is not a count, and would not fit the ledger.
_LARGEST_COUNT = 10**12
_JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json", "anthropic-version": API_VERSION}


def build_request(
    body: bytes,
    *,
    origin: str = DEFAULT_ORIGIN,
    path: str = "/v1/messages",
    headers: Mapping[str, str] | None = None,
) -> Outbound:
    """Return the POST of ``body`` (JSON, already in the Messages shape) to ``path`` at ``origin``.

    ``headers`` are the client's own (anthropic-version, anthropic-beta, …) and win over the defaults.
    """
    return Outbound("POST", origin + path, {**_JSON_HEADERS, **(headers or {})}, body)


def build_list_models(*, origin: str = DEFAULT_ORIGIN) -> Outbound:
    """Return the free request that proves a credential: one page of the model list."""
    return Outbound("GET", f"{origin}/v1/models?limit=1000", _JSON_HEADERS)


def build_test_message(model: str, *, origin: str = DEFAULT_ORIGIN) -> Outbound:
    """Return the smallest message that shows ``model`` answering: a few tokens in, at most 16 out."""
    body = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "Reply with the word OK."}]}
    return build_request(msgspec.json.encode(body), origin=origin)


def authorize(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with, the credential among them."""
    return {**outbound.headers, "x-api-key": secret.reveal()}


def parse_models(body: bytes) -> list[str]:
    """Return the model ids in a list-models answer, in the provider's order.

    Raises UnreadableAnswer if the body is not that shape.
    """
    try:
        return [model.id for model in msgspec.json.decode(body, type=_ModelList).data]
    except msgspec.DecodeError:
        raise UnreadableAnswer("The list of models could not be read.") from None


def parse_answer_usage(body: bytes) -> TokenCounts:
    """Return the counts in a whole, unstreamed answer to Messages.

    Raises UnreadableAnswer if the body is not a message.
    """
    try:
        return _counts_of(_usual_decoder.decode(body).usage)
    except msgspec.ValidationError:
        pass  # unusual, not unreadable: a count that is no number, or too large to be one
    except msgspec.DecodeError:
        raise UnreadableAnswer("The answer is not a message.") from None
    try:
        return parse_usage(_answer_decoder.decode(body).usage)
    except msgspec.DecodeError:
        raise UnreadableAnswer("The answer is not a message.") from None


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


def classify_error(status: int, body: bytes) -> tuple[Outcome, str]:
    """Return what an answer of ``status`` >= 400 means and the provider's own message ('' if it has none)."""
    kind, message = _error_in(body)
    if status == 401 or kind == "authentication_error":
        return Outcome.INVALID_CREDENTIAL, message
    if "credit balance" in message or status == 402 or kind == "billing_error":
        return Outcome.NO_CREDIT, message
    if status == 403 or kind == "permission_error":
        return Outcome.NO_PERMISSION, message
    if status == 404 or kind == "not_found_error":
        return Outcome.MODEL_NOT_AVAILABLE, message
    if status == 429 or kind == "rate_limit_error":
        return Outcome.RATE_LIMITED, message
    if status == 529 or kind == "overloaded_error":
        return Outcome.OVERLOADED, message
    if status in (408, 504) or kind == "timeout_error":
        return Outcome.TIMEOUT, message
    if status >= 500 or kind == "api_error":
        return Outcome.PROVIDER_ERROR, message
    return Outcome.INVALID_REQUEST, message


_Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_COUNT)] | None


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


class _Answer(msgspec.Struct):
    usage: dict[str, Any]


_usual_decoder = msgspec.json.Decoder(_UsualAnswer)
_answer_decoder = msgspec.json.Decoder(_Answer)


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


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
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None


def _error_in(body: bytes) -> tuple[str, str]:
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["type"]), str(error["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "", ""
