"""What went wrong with a request, in plain words with what to do. Pure."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Explanation:
    """``what`` happened, and what to ``do`` about it; ``is_lasting`` if it stays so until somebody does."""

    what: str
    do: str
    is_lasting: bool = False


class Reached(StrEnum):
    """How far an attempt got at its provider before it failed."""

    NOT_SENT = "not sent"
    SENT = "sent"
    ANSWERED = "answered"


_EXPLANATIONS: dict[str, Explanation] = {
    "provider_credential_invalid": Explanation(
        "The provider refused our key, or its account.",
        "The key is wrong or revoked, may not do this, or its account has no credit: its page under BYOK says which. "
        "Until that is mended it is set aside and other keys go first.",
        is_lasting=True,
    ),
    "model_not_found": Explanation(
        "There is no such model.", "Look up the model's string on the Models page and check its spelling."
    ),
    "model_configuration_missing": Explanation(
        "No provider key can serve this model.",
        "Connect the provider under BYOK or enable one of its keys.",
    ),
    "rate_limit_exceeded": Explanation(
        "The provider's rate limit was reached.", "Send less at once, add a second provider key, or ask for more."
    ),
    "provider_overloaded": Explanation(
        "The provider was overloaded.", "Try again in a moment; clients with retries do that by themselves."
    ),
    "provider_timeout": Explanation(
        "The provider did not answer in time.", "Try again; for long answers use streaming."
    ),
    "region_not_allowed": Explanation(
        "No provider key may serve this in an allowed region.",
        "Read the message: it names the rule. Add a key in an allowed region, or have the workspace, project, "
        "gateway key or route allow this one.",
    ),
    "metering_unavailable": Explanation(
        "The gateway could not record usage, so it sent nothing.",
        "Make room on the disk of the gateway's host; it goes on by itself.",
    ),
    "provider_error": Explanation(
        "The provider failed or could not be reached.",
        "Try again; if it stays so, check the key and its address under BYOK, then the provider's status page.",
    ),
    "invalid_request_body": Explanation(
        "The request was not valid.", "Read the message your client was given: it names the field."
    ),
    "insufficient_scope": Explanation(
        "The gateway key may not call this.", "Use another gateway key, or allow the model for this one."
    ),
    "request_too_large": Explanation("The request was too large.", "Send a shorter prompt or smaller attachments."),
    "method_not_allowed": Explanation("The wrong HTTP method was used.", "Send POST."),
    "not_found": Explanation("There is nothing at that path.", "Check the base URL your client was given."),
    "response_not_found": Explanation(
        "Earlier responses are not kept here.", "Send the whole conversation instead of previous_response_id."
    ),
    "client_closed_request": Explanation(
        "Your client left before the answer was complete.",
        "The upstream call was ended at once. Raise the client's time-out if it was not meant to leave.",
    ),
    "gateway_stopped": Explanation(
        "The gateway stopped in the middle of this call.",
        "What the provider counted is not known here; compare with its console if it matters.",
    ),
    "worker_stopped": Explanation(
        "The worker stopped in the middle of this test message.", "Send the test message again."
    ),
    "internal_error": Explanation("The gateway failed.", "Look for the trace id in the gateway's log and report it."),
    # What test messages end with.
    "invalid_credential": Explanation("The provider refused the key.", "Rotate it: paste a key that works."),
    "no_permission": Explanation("The key may not do this.", "Change its permissions at the provider."),
    "model_not_available": Explanation(
        "The provider does not offer this model to the key.", "Choose another model, or have it enabled there."
    ),
    "no_credit": Explanation("The provider's account has no credit left.", "Add credit there."),
    "rate_limited": Explanation("The provider's rate limit was reached.", "Try again in a minute."),
    "overloaded": Explanation("The provider was overloaded.", "Try again in a moment."),
    "unreachable": Explanation("The provider could not be reached.", "Check the address and this host's network."),
    "timeout": Explanation("The provider did not answer in time.", "Try again."),
    "misconfigured": Explanation("The provider key is not set up right.", "Edit it: its settings do not fit."),
    "invalid_request": Explanation("The provider refused the request.", "Choose another model."),
}


# The same code tells more where it is known how far the attempt got.
_BY_REACH: dict[tuple[str, Reached], Explanation] = {
    ("provider_timeout", Reached.NOT_SENT): Explanation(
        "No connection to the provider came about in time.",
        "Check the key's address under BYOK and this host's network; nothing was sent, so nothing was charged.",
    ),
    ("provider_timeout", Reached.SENT): Explanation(
        "The provider took the request and did not begin its answer in time.",
        "Use streaming, or raise the time-out; the provider may charge for what it did.",
    ),
    ("provider_timeout", Reached.ANSWERED): Explanation(
        "The provider stopped in the middle of its answer, and the time-out ended it.",
        "Try again; what had arrived is counted.",
    ),
    ("provider_error", Reached.NOT_SENT): Explanation(
        "The provider could not be reached.",
        "Check the key's address under BYOK and this host's network; nothing was sent, so nothing was charged.",
    ),
}


def explain(error_code: str, reached: Reached | None = None) -> Explanation | None:
    """Return what ``error_code`` means; None for no error. An unknown code is told as it is.

    ``reached`` is how far an attempt got; None for what was refused before there was one.
    """
    if not error_code:
        return None
    if reached is not None and (error_code, reached) in _BY_REACH:
        return _BY_REACH[error_code, reached]
    unknown = Explanation(f"It failed: {error_code}.", "Look for the trace id in the gateway's log.")
    return _EXPLANATIONS.get(error_code, unknown)
