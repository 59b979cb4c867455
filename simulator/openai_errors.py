"""Refusals and failures in the words of OpenAI.

Source: OpenAI API guide, "Error codes"; wording as recorded from the live service.
"""

from collections.abc import Mapping

from simulator.errors import ApiError

_QUOTA = (
    *(429, "insufficient_quota", "insufficient_quota"),
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
)
# How a failure on demand, or the words of the Messages API, are said here: status, type, code and message.
_IN_OPENAI_WORDS: Mapping[str, tuple[int, str, str | None, str]] = {
    "authentication_error": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "credit": _QUOTA,
    "billing": (
        *(402, "billing_error", "billing_not_active"),
        "Your account is not active, please check your billing details on our website.",
    ),
    "permission_error": (403, "invalid_request_error", None, "You are not allowed to sample from this model"),
    "not_found": (
        *(404, "invalid_request_error", "model_not_found"),
        "The model does not exist or you do not have access to it.",
    ),
    "rate_limit_error": (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    "overloaded_error": (
        *(503, "server_error", "server_overloaded"),
        "The engine is currently overloaded, please try again later.",
    ),
    "api_error": (
        *(500, "server_error", None),
        "The server had an error while processing your request. Sorry about that!",
    ),
    "timeout_error": (504, "server_error", "timeout", "The request timed out."),
}


class OpenAIRefusal(ApiError):
    """A 4xx answer with what only OpenAI's errors have: the parameter that is wrong, and a code."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(status, "invalid_request_error", message)
        self.param = param
        self.code = code


def in_openai_words(error: ApiError) -> tuple[int, dict[str, object]]:
    """Return the status and the ``error`` object that say ``error``."""
    if isinstance(error, OpenAIRefusal):
        return error.status, _object(error.message, error.kind, error.param, error.code)
    said = _IN_OPENAI_WORDS.get(error.failure) or _IN_OPENAI_WORDS.get(error.kind)
    if said is not None:
        status, kind, code, message = said
        return status, _object(message, kind, None, code)
    return error.status, _object(error.message, "invalid_request_error", None, None)


def unknown_model(name: str) -> OpenAIRefusal:
    """Return the 404 for a model that is not there."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return OpenAIRefusal(message, code="model_not_found", status=404)


def wrong_type(param: str, expected: str) -> OpenAIRefusal:
    """Return the 400 for a parameter that is not of the type it should be."""
    return OpenAIRefusal(f"Invalid type for '{param}': expected {expected}.", param=param, code="invalid_type")


def wrong_value(param: str, value: object, supported: str) -> OpenAIRefusal:
    """Return the 400 for a value that is not one of those supported."""
    message = f"Invalid value: '{value}'. Supported values are: {supported}."
    return OpenAIRefusal(message, param=param, code="invalid_value")


def unsupported(param: str) -> OpenAIRefusal:
    """Return the 400 for a parameter that the model does not have."""
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    return OpenAIRefusal(message, param=param, code="unsupported_parameter")


def _object(message: str, kind: str, param: str | None, code: str | None) -> dict[str, object]:
    return {"message": message, "type": kind, "param": param, "code": code}
