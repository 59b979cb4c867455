"""The Anthropic API: build requests, read answers, name failures. Pure: the caller sends.

Source: Anthropic API reference (Messages, Count tokens, List models, Errors), version 2023-06-01.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from providers.base import Answer, ModelCall, Outbound, Outcome, Shape, Target, UnreadableAnswer
from providers.secret import Secret
from providers.sse import StreamMeter
from providers.usage import read_message

API_VERSION: Final = "2023-06-01"
DEFAULT_ORIGIN: Final = "https://api.anthropic.com"

translated_shapes: Final[frozenset[Shape]] = frozenset()
request_id_headers: Final[Sequence[str]] = ("request-id",)
token_exchange: Final = None

_SHAPES: Final = frozenset({Shape.MESSAGES, Shape.COUNT_TOKENS})
_PATHS: Final = {Shape.MESSAGES: "/v1/messages", Shape.COUNT_TOKENS: "/v1/messages/count_tokens"}
# How an invalid_request_error begins that is about the account: its balance is spent, or the limit to its spending that
# it set for itself or a workspace; or the organization was closed. Further on a message may repeat the client's words.
_NO_CREDIT: Final = re.compile(r"Your credit balance|You have reached your specified .*usage limits")
_DISABLED: Final = "This organization has been disabled"
_JSON_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json", "anthropic-version": API_VERSION}


def shapes_at(target: Target) -> frozenset[Shape]:
    """Return Messages and its token count."""
    return _SHAPES


def build_request(call: ModelCall, target: Target) -> Outbound:
    """Return the POST of the call's body; the client's own headers win over the defaults."""
    url = (target.origin or DEFAULT_ORIGIN) + _PATHS[call.shape]
    return Outbound("POST", url, {**_JSON_HEADERS, **call.headers}, call.body)


def authorize(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with, the credential among them."""
    return {**outbound.headers, "x-api-key": secret.reveal()}


def sensitive_parts(secret: Secret) -> Sequence[str]:
    """Return the key itself."""
    return (secret.reveal(),)


def read_answer(call: ModelCall, body: bytes) -> Answer:
    """Return a whole answer as it came."""
    return read_message(body)


def answer_stream(call: ModelCall) -> StreamMeter:
    """Return a meter that passes the stream on as it comes."""
    return StreamMeter()


def region_of(model: str, target: Target) -> str:
    """Return '': Anthropic does not say where it serves a call, apart from the answer's ``inference_geo``."""
    return ""


def build_check(target: Target) -> Outbound:
    """Return the free request that proves a credential: one page of the model list."""
    return Outbound("GET", f"{target.origin or DEFAULT_ORIGIN}/v1/models?limit=1000", _JSON_HEADERS)


def read_check(body: bytes) -> str:
    """Return how many models a list-models answer has. Raises UnreadableAnswer if the body is not that shape."""
    return f"{len(parse_models(body))} models available"


def build_test_message(model: str, target: Target) -> ModelCall:
    """Return the smallest message that shows ``model`` answering: a few tokens in, at most 16 out."""
    body = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "Reply with the word OK."}]}
    return ModelCall(model, msgspec.json.encode(body))


def parse_models(body: bytes) -> list[str]:
    """Return the model ids in a list-models answer, in the provider's order.

    Raises UnreadableAnswer if the body is not that shape.
    """
    try:
        return [model.id for model in msgspec.json.decode(body, type=_ModelList).data]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("The list of models could not be read.") from None


def classify_error(status: int, body: bytes, headers: Mapping[str, str] = {}) -> tuple[Outcome, str]:
    """Return what an answer of ``status`` >= 400 means and the provider's own message ('' if it has none)."""
    kind, message = _error_in(body)
    if status == 401 or kind == "authentication_error" or message.startswith(_DISABLED):
        return Outcome.INVALID_CREDENTIAL, message
    if _NO_CREDIT.match(message) or status == 402 or kind == "billing_error":
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


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


def _error_in(body: bytes) -> tuple[str, str]:
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["type"]), str(error["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return "", ""
