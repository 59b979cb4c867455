"""What the errors of OpenAI and of servers that speak its language mean.

Source: OpenAI API guide, "Error codes"; OpenRouter's "Errors" (its codes are HTTP statuses); vLLM's and FastAPI's own.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from providers.base import Outcome, StreamError

# "billing_error" is Messages' own name, which a translated stream has.
_NO_CREDIT: Final = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"}
)
_BAD_KEY: Final = frozenset({"invalid_api_key", "authentication_error", "account_deactivated"})
_NO_MODEL: Final = frozenset({"model_not_found", "not_found_error", "NotFoundError"})
_NO_PERMISSION: Final = frozenset({"permission_error", "unsupported_country_region_territory"})
_TOO_MUCH: Final = frozenset({"rate_limit_exceeded", "rate_limit_error"})
_OVERLOADED: Final = frozenset({"overloaded_error", "server_overloaded", "engine_overloaded", "slow_down"})
_TIMEOUT: Final = frozenset({"timeout", "timeout_error"})
_FAILED: Final = frozenset({"server_error", "api_error", "internal_server_error", "InternalServerError"})

# How a 404 begins that misses an item of the input of a response, not the model.
_NO_ITEM: Final = "Item with id "
# How OpenAI refuses, after the fact, a limit that a model spent on thinking before it could say a word.
_CUT_SHORT: Final = "Could not finish the message because max_tokens"

# What Messages calls each failure, for an error inside a translated stream.
_MESSAGES_TYPES: Final = {
    Outcome.INVALID_CREDENTIAL: "authentication_error",
    Outcome.NO_PERMISSION: "permission_error",
    Outcome.MODEL_NOT_AVAILABLE: "not_found_error",
    Outcome.NO_CREDIT: "billing_error",
    Outcome.RATE_LIMITED: "rate_limit_error",
    Outcome.OVERLOADED: "overloaded_error",
    Outcome.TIMEOUT: "timeout_error",
    Outcome.INVALID_REQUEST: "invalid_request_error",
}


def classify_openai_error(status: int, body: bytes) -> tuple[Outcome, str]:
    """Return what an error body means and its message; ``status`` below 400 is one that came inside an answer."""
    error = _error_in(body)
    names, message, code = _names_of(error)
    if status < 400:
        status = code or _status_in(names) or status
    if status == 404 and _misses_part_of_request(error, message):
        return Outcome.INVALID_REQUEST, message
    return _outcome(status, names, message), message


def is_cut_short(body: bytes) -> bool:
    """Whether an error says that the model did begin, but thought until its tokens were used up."""
    _, message, _ = _names_of(_error_in(body))
    return message.startswith(_CUT_SHORT)


def stream_error(error: object) -> StreamError:
    """Return the failure that an error inside a stream tells of, by its code or else its type."""
    names, message, code = _names_of(error)
    return StreamError(next(iter(names), str(code or "")), message)


def messages_error(error: StreamError) -> dict[str, Any]:
    """Return the Messages event for an error inside a stream."""
    outcome = _outcome(_status_in((error.type,)) or 500, (error.type,), error.message)
    kind = _MESSAGES_TYPES.get(outcome, "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def _outcome(status: int, names: tuple[str, ...], message: str) -> Outcome:
    # The order matters: no credit comes as 429, and a model that is closed to a project as 403.
    said = frozenset(names)
    if status == 402 or said & _NO_CREDIT:
        return Outcome.NO_CREDIT
    if said & _NO_MODEL or status == 404:
        return Outcome.MODEL_NOT_AVAILABLE
    # A restricted key that lacks a scope is told so with a 401, too.
    if status == 403 or said & _NO_PERMISSION or "insufficient permissions" in message:
        return Outcome.NO_PERMISSION
    if status == 401 or said & _BAD_KEY:
        return Outcome.INVALID_CREDENTIAL
    if status == 429 or said & _TOO_MUCH:
        return Outcome.RATE_LIMITED
    if status in (503, 529) or said & _OVERLOADED:
        return Outcome.OVERLOADED
    if status in (408, 504) or said & _TIMEOUT:
        return Outcome.TIMEOUT
    return Outcome.PROVIDER_ERROR if status >= 500 or said & _FAILED else Outcome.INVALID_REQUEST


def _misses_part_of_request(error: object, message: str) -> bool:
    """Whether a 404 is about something that the request names, other than its model."""
    param = error.get("param") if isinstance(error, Mapping) else None
    return message.startswith(_NO_ITEM) or (isinstance(param, str) and param not in ("", "model"))


def _status_in(names: tuple[str, ...]) -> int | None:
    """Return the HTTP status that stands in the place of a name, as a stream's error has it."""
    return next((int(name) for name in names if name.isascii() and name.isdecimal() and len(name) == 3), None)


def _error_in(body: bytes) -> object:
    """Return the error that a body holds or is; None if it is not an object."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return (answer.get("error") or answer) if isinstance(answer, Mapping) else None


def _names_of(error: object) -> tuple[tuple[str, ...], str, int | None]:
    """Return code and type as far as they are words, the message, and the code if it is a number."""
    if isinstance(error, str):
        return (), error, None
    if not isinstance(error, Mapping):
        return (), "", None
    code, kind = error.get("code"), error.get("type")
    message = error.get("message") or error.get("detail")
    names = tuple(name for name in (code, kind) if isinstance(name, str) and name)
    return names, message if isinstance(message, str) else "", code if type(code) is int else None
