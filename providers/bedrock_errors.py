"""What Bedrock's errors mean, as answers and as exceptions inside a stream.

Source: Amazon Bedrock Runtime API Reference, errors of InvokeModel, InvokeModelWithResponseStream and CountTokens;
AWS "Common errors"; recorded answers.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from providers import anthropic
from providers.base import Outcome, StreamError

# By the exception's name in small letters, without "Exception".
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "accessdenied": Outcome.NO_PERMISSION,
    "expiredtoken": Outcome.INVALID_CREDENTIAL,
    "incompletesignature": Outcome.INVALID_CREDENTIAL,
    "internalserver": Outcome.PROVIDER_ERROR,
    "invalidclienttokenid": Outcome.INVALID_CREDENTIAL,
    "invalidsignature": Outcome.INVALID_CREDENTIAL,
    "missingauthenticationtoken": Outcome.INVALID_CREDENTIAL,
    "modelerror": Outcome.PROVIDER_ERROR,
    "modelnotready": Outcome.OVERLOADED,
    "modelstreamerror": Outcome.PROVIDER_ERROR,
    "modeltimeout": Outcome.TIMEOUT,
    "resourcenotfound": Outcome.MODEL_NOT_AVAILABLE,
    "servicequotaexceeded": Outcome.RATE_LIMITED,
    "serviceunavailable": Outcome.OVERLOADED,
    "signaturedoesnotmatch": Outcome.INVALID_CREDENTIAL,
    "throttling": Outcome.RATE_LIMITED,
    "toomanyrequests": Outcome.RATE_LIMITED,
    "unrecognizedclient": Outcome.INVALID_CREDENTIAL,
    "validation": Outcome.INVALID_REQUEST,
}
_OUTCOMES_OF_STATUS: Final[Mapping[int, Outcome]] = {
    401: Outcome.INVALID_CREDENTIAL,
    403: Outcome.NO_PERMISSION,
    404: Outcome.MODEL_NOT_AVAILABLE,
    408: Outcome.TIMEOUT,
    424: Outcome.PROVIDER_ERROR,
    429: Outcome.RATE_LIMITED,
    503: Outcome.OVERLOADED,
    504: Outcome.TIMEOUT,
    529: Outcome.OVERLOADED,
}
# What a 403 is about stands in its message only. It quotes nothing of the request, so that a phrase anywhere in it will
# do; the first that fits decides.
_REFUSALS: Final = (
    ("payment instrument", Outcome.NO_CREDIT),
    ("access to the model", Outcome.MODEL_NOT_AVAILABLE),
    ("model access is denied", Outcome.MODEL_NOT_AVAILABLE),
    ("aws marketplace", Outcome.MODEL_NOT_AVAILABLE),
    ("aws-marketplace", Outcome.MODEL_NOT_AVAILABLE),
    ("security token included in the request", Outcome.INVALID_CREDENTIAL),
    ("signature we calculated does not match", Outcome.INVALID_CREDENTIAL),
    ("signature expired", Outcome.INVALID_CREDENTIAL),
    ("api key is valid", Outcome.INVALID_CREDENTIAL),
    ("invalid api key", Outcome.INVALID_CREDENTIAL),
)
# A 400 may quote the request, so that only its beginning counts; what the model itself refuses is introduced as such.
_INTRODUCTION: Final = re.compile(r"The model returned (?:the )?following errors: ")
# The last is about the account, which has to opt in to some models (NousResearch/hermes-agent#62965).
_MODEL_REFUSALS: Final = (
    "Invocation of model ID",
    "The provided model identifier is invalid",
    "data retention mode ",
)

# The names that Anthropic's own stream gives to these failures.
_STREAM_ERROR_TYPES: Final[Mapping[Outcome, str]] = {
    Outcome.INVALID_CREDENTIAL: "authentication_error",
    Outcome.INVALID_REQUEST: "invalid_request_error",
    Outcome.MODEL_NOT_AVAILABLE: "not_found_error",
    Outcome.NO_PERMISSION: "permission_error",
    Outcome.OVERLOADED: "overloaded_error",
    Outcome.RATE_LIMITED: "rate_limit_error",
    Outcome.TIMEOUT: "timeout_error",
}


def classify_error(status: int, body: bytes, headers: Mapping[str, str] = {}) -> tuple[Outcome, str]:
    """Return what an answer of ``status`` >= 400 means and AWS's own message ('' if it has none).

    The exception's name stands in the header ``x-amzn-errortype``, of some errors in the body as ``__type``. A
    ``status`` below 300 is a failure that came inside a stream, which ``stream_error`` has put in Anthropic's words.
    """
    if status < 300:
        return anthropic.classify_error(status, body)
    fields = _fields_in(body)
    message = _message_in(fields)
    name = _exception_name(headers.get("x-amzn-errortype") or fields.get("__type") or fields.get("code"))
    return _refusal(status, message) or _OUTCOMES.get(name) or _outcome_of_status(status), message


def stream_error(headers: Mapping[str, str], payload: bytes) -> StreamError:
    """Return the failure that an exception or error message of an event stream tells, in Anthropic's words."""
    exception = headers.get(":exception-type") or headers.get(":error-code") or ""
    fields = _fields_in(payload)
    message = _message_in(fields) or headers.get(":error-message") or exception or "Bedrock broke the stream off."
    outcome = _OUTCOMES.get(_exception_name(exception), Outcome.PROVIDER_ERROR)
    return StreamError(_STREAM_ERROR_TYPES.get(outcome, "api_error"), message)


def _without_introduction(message: str) -> str:
    introduction = _INTRODUCTION.match(message)
    return message[introduction.end() :] if introduction else message


def _refusal(status: int, message: str) -> Outcome | None:
    if status == 400:
        refusal = _without_introduction(message)
        return Outcome.MODEL_NOT_AVAILABLE if refusal.startswith(_MODEL_REFUSALS) else None
    if status not in (401, 403):
        return None
    told = message.lower()
    return next((outcome for phrase, outcome in _REFUSALS if phrase in told), None)


def _outcome_of_status(status: int) -> Outcome:
    return _OUTCOMES_OF_STATUS.get(status) or (Outcome.PROVIDER_ERROR if status >= 500 else Outcome.INVALID_REQUEST)


def _exception_name(text: object) -> str:
    # ThrottlingException:http://internal… in the header, com.amazon…#ThrottlingException in the body.
    name = text.partition(":")[0].rpartition("#")[2] if isinstance(text, str) else ""
    return name.lower().removesuffix("exception")


def _fields_in(body: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _message_in(fields: Mapping[str, Any]) -> str:
    told = (fields.get(name) for name in ("message", "Message", "originalMessage"))
    return next((message for message in told if isinstance(message, str) and message), "")
