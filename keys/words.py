"""What went wrong with a test call and what to do about it, in a sentence for people. Pure."""

from collections.abc import Mapping
from typing import Final

from keys.models import TestCall
from providers import vertex
from providers.base import Outcome

_ADVICE: Final[Mapping[Outcome, str]] = {
    Outcome.INVALID_CREDENTIAL: "The provider does not know this key. Paste it again, or make a new one.",
    Outcome.NO_PERMISSION: "The provider knows this key but forbids the call. Check its permissions there.",
    Outcome.MODEL_NOT_AVAILABLE: "The provider does not offer this model to this key. Choose another model.",
    Outcome.NO_CREDIT: "The account has no credit left. Add credit on the provider's billing page.",
    Outcome.RATE_LIMITED: "The key works, but its rate limit is used up. Try again in a minute.",
    Outcome.OVERLOADED: "The provider is overloaded. The key may be fine; try again in a few minutes.",
    Outcome.TIMEOUT: "The provider did not answer in time. Try again; if it stays so, check your network.",
    Outcome.PROVIDER_ERROR: "The provider failed on its side. Try again in a few minutes.",
    Outcome.INVALID_REQUEST: "The provider refused the request itself. Check the base URL.",
    Outcome.MISCONFIGURED: "This address answers with a redirect, which is never followed. Check it.",
}

_AWS_CHECK_FORBIDDEN: Final = (
    "AWS knows this credential but does not let it list models (bedrock:ListFoundationModels), which the free check "
    "does. It may call them all the same: send a test message."
)
_AWS_RETENTION: Final = (
    "Bedrock serves this model only to accounts with another data retention mode: provider_data_share, or for some "
    "models aws_review. Choose one for the account as AWS's page on data retention says, or choose another model."
)
# Counting, which is what the check does, is offered in few places and answers these where it is not.
_GOOGLE_CHECK_IMPOSSIBLE: Final = (
    "This account cannot be checked here for free: Vertex AI did not count tokens for it. It may call models all the "
    "same: send a test message."
)
_OPENAI_CHECK_FORBIDDEN: Final = (
    "The key is known but may not list models (Read on Models), which the free check does. It may call them all the "
    "same (Write on Model capabilities): send a test message."
)
_OF_PROVIDER: Final[Mapping[str, Mapping[Outcome, str]]] = {
    "anthropic": {
        Outcome.INVALID_CREDENTIAL: "Anthropic does not accept this key: it is mistyped or deleted, or its "
        "organization is disabled. Paste it again, or make a new one.",
        Outcome.NO_CREDIT: "The account has no credit left or has reached its own spend limit. Add credit under "
        "Billing or raise the limit under Limits in the Claude Console.",
    },
    "aws": {
        Outcome.INVALID_CREDENTIAL: "AWS does not accept this credential: it was deleted, deactivated or mistyped, has "
        "expired, or this server's clock is wrong. Rotate: paste it again, or make a new one.",
        Outcome.NO_PERMISSION: "AWS knows this credential but forbids the call. Its policy needs bedrock:InvokeModel "
        "for the model and for its inference profile.",
        Outcome.MODEL_NOT_AVAILABLE: "Bedrock does not offer this model to this account in this region. Ask for access "
        "in the Bedrock console under Model catalog, or choose another model or inference profile.",
        Outcome.NO_CREDIT: "AWS cannot charge the account. Add a valid payment method in the Billing console.",
        Outcome.RATE_LIMITED: "The credential works, but the account's Bedrock quota is used up. Try again in a "
        "minute; if it stays so, ask AWS for more under Service Quotas.",
        Outcome.INVALID_REQUEST: "Bedrock refused the request itself. Check the region and the inference profile.",
    },
    "google": {
        Outcome.INVALID_CREDENTIAL: "Google does not accept this service account's token. Rotate: make a new key "
        "for it.",
        Outcome.NO_PERMISSION: "The service account may not call Vertex AI in this project. Give it the role "
        f"{vertex.ROLE} there, and see that the Vertex AI API is enabled.",
        Outcome.MODEL_NOT_AVAILABLE: "Vertex AI does not offer this model to this project in this location. Enable it "
        "in Model Garden, or choose another location.",
        Outcome.NO_CREDIT: "The project has no billing. Link a billing account to it in the Google Cloud console.",
        Outcome.RATE_LIMITED: "The account works, but the project's quota for this model and location is used up, or "
        "was never granted. See Quotas in the Google Cloud console.",
        Outcome.INVALID_REQUEST: "Vertex AI refused the request itself. Check the project ID and the location.",
    },
    "openai": {
        Outcome.NO_PERMISSION: "The key is known but may not do this. A restricted key needs Write on Model "
        "capabilities for calls.",
        Outcome.NO_CREDIT: "The account's quota is used up. Add credit on the provider's billing page.",
    },
}
# Checks that tell nothing of calls: the request it makes takes a permission, or a place, that they do not take.
_OF_CHECK: Final[Mapping[tuple[str, Outcome], str]] = {
    ("aws", Outcome.NO_PERMISSION): _AWS_CHECK_FORBIDDEN,
    ("openai", Outcome.NO_PERMISSION): _OPENAI_CHECK_FORBIDDEN,
    ("google", Outcome.MODEL_NOT_AVAILABLE): _GOOGLE_CHECK_IMPOSSIBLE,
    ("google", Outcome.PROVIDER_ERROR): _GOOGLE_CHECK_IMPOSSIBLE,
}


def advise(call: TestCall, outcome: Outcome, told: str = "") -> str:
    """Return what ``outcome`` means for ``call``, and what to do; ``told`` is the provider's own message."""
    provider = call.version.provider_key.provider
    if provider == "aws" and "data retention mode" in told:
        return _AWS_RETENTION
    if is_inconclusive(call, outcome):
        return _OF_CHECK[provider, outcome]
    return _OF_PROVIDER.get(provider, {}).get(outcome) or _ADVICE[outcome]


def is_inconclusive(call: TestCall, outcome: Outcome) -> bool:
    """Whether ``outcome`` of a check tells nothing of calls, which may work all the same."""
    return call.kind == TestCall.Kind.CHECK and (call.version.provider_key.provider, outcome) in _OF_CHECK
