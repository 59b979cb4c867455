"""What a client of ``/v3/router`` is told when the provider fails; the table of the wire contract, section 6."""

import msgspec

from providers.base import Outcome


class Failure(msgspec.Struct, frozen=True):
    """An answer we give in the provider's place; ``code`` also stands in the ledger."""

    status: int
    code: str
    message: str


_FAILURES: dict[Outcome, Failure] = {
    Outcome.INVALID_CREDENTIAL: Failure(
        422, "provider_credential_invalid", "The provider refused the stored key. Check it under AI Gateway > BYOK."
    ),
    Outcome.NO_CREDIT: Failure(
        422, "provider_credential_invalid", "The provider's account has no credit left. Add credit there."
    ),
    Outcome.NO_PERMISSION: Failure(
        422, "provider_credential_invalid", "The provider forbids this call to the stored key. Check its permissions."
    ),
    Outcome.MODEL_NOT_AVAILABLE: Failure(404, "model_not_found", "The provider does not know this model."),
    Outcome.RATE_LIMITED: Failure(429, "rate_limit_exceeded", "The provider's rate limit is used up. Try again later."),
    Outcome.OVERLOADED: Failure(503, "provider_overloaded", "The provider is overloaded. Try again later."),
    Outcome.TIMEOUT: Failure(504, "provider_timeout", "The provider did not answer in time."),
    Outcome.PROVIDER_ERROR: Failure(502, "provider_error", "The provider failed."),
    Outcome.UNREACHABLE: Failure(502, "provider_error", "The provider cannot be reached."),
    Outcome.MISCONFIGURED: Failure(502, "provider_error", "The provider's address answers unlike its API."),
    Outcome.INVALID_REQUEST: Failure(400, "invalid_request_body", "The provider refused the request."),
}


def failure_of(outcome: Outcome, message: str) -> Failure:
    """Return the answer for a provider's failure; its own ``message``, if any, is told along."""
    failure = _FAILURES[outcome]
    if not message:
        return failure
    # A refused request is explained best by the one who refused it.
    told = message if outcome == Outcome.INVALID_REQUEST else f"{failure.message} It said: {message}"
    return Failure(failure.status, failure.code, told)


_TIMED_OUT = {
    "connect": "No connection to the provider came about in time.",
    "first byte": "The provider did not begin its answer in time.",
    "between bytes": "The provider stopped in the middle of its answer.",
    "whole call": "The call took longer than its time limit.",
}


def timed_out(phase: str) -> Failure:
    """Return the answer for a provider that took too long; ``phase`` is the limit that was passed."""
    failure = _FAILURES[Outcome.TIMEOUT]
    return Failure(failure.status, failure.code, _TIMED_OUT.get(phase, failure.message))


def unreachable() -> Failure:
    """Return the answer for a provider that no connection could be made to."""
    return _FAILURES[Outcome.UNREACHABLE]


def unsendable() -> Failure:
    """Return the answer where HTTP cannot carry the stored key or its settings, so that nothing was sent."""
    message = "The stored key or its settings hold a character that no request can carry. Paste them again."
    return Failure(422, "provider_credential_invalid", message)
