"""The failures that answer in place of a message, in the provider's statuses and words.

Source: Anthropic API reference, "Errors" and "Rate limits"; wording as recorded from the live service.
"""

from simulator.errors import ApiError

_NO_RETRY = {"x-should-retry": "false"}
_RETRY = {"x-should-retry": "true"}
RETRY_AFTER_S = 12


def invalid_key() -> ApiError:
    """Return the 401 for a key that does not exist."""
    return ApiError(401, "authentication_error", "invalid x-api-key", _NO_RETRY)


def rate_limited(organisation: str, limit: str, retry_after_s: int) -> ApiError:
    """Return the 429 for a used-up ``limit``, such as '50,000 input tokens per minute'."""
    message = (
        f"This request would exceed the rate limit for your organization ({organisation}) of {limit}. For details, "
        "refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "
        "Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact "
        "sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
    )
    return ApiError(429, "rate_limit_error", message, {"retry-after": str(retry_after_s), **_RETRY})


def named_failure(name: str, organisation: str) -> ApiError | None:
    """Return the error that ``name`` asks for; None for a failure that is not an error answer."""
    error = _error_named(name, organisation)
    if error is not None:
        error.failure = name
    return error


def overloaded() -> ApiError:
    """Return the 529 of a provider with too much to do."""
    return ApiError(529, "overloaded_error", "Overloaded", _RETRY)


def _error_named(name: str, organisation: str) -> ApiError | None:
    match name:
        case "auth":
            return invalid_key()
        case "credit":
            message = (
                "Your credit balance is too low to access the Anthropic API. "
                "Please go to Plans & Billing to upgrade or purchase credits."
            )
            return ApiError(400, "invalid_request_error", message, _NO_RETRY)
        case "billing":
            message = "There's an issue with your billing or payment information."
            return ApiError(402, "billing_error", message, _NO_RETRY)
        case "not_found":
            return ApiError(404, "not_found_error", "The requested resource could not be found.", _NO_RETRY)
        case "permission":
            message = "Your API key does not have permission to use the specified resource."
            return ApiError(403, "permission_error", message, _NO_RETRY)
        case "rate_limit":
            return rate_limited(organisation, "50,000 input tokens per minute", RETRY_AFTER_S)
        case "overloaded":
            return overloaded()
        case "error":
            return ApiError(500, "api_error", "Internal server error", _RETRY)
        case "timeout":
            return ApiError(504, "timeout_error", "Request timed out", _RETRY)
        case _:
            return None
