"""What Bedrock's refusals mean: by the exception's name, its message, and the status where both are silent."""

import json
from pathlib import Path

import pytest

from providers import bedrock
from providers.base import Outcome
from providers.bedrock_errors import stream_error
from tests.providers import recordings
from tests.providers.recordings import needs_recordings

_NO_ACCESS = "You don't have access to the model with the specified model ID."
_RETENTION = "data retention mode 'default' is not available for this model"
_MARKETPLACE = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace "
    "actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model."
)
_NOT_AUTHORIZED = (
    "User: arn:aws:iam::123456789012:user/u is not authorized to perform: bedrock:InvokeModel on resource: x because "
    "no identity-based policy allows the bedrock:InvokeModel action"
)

# What each recorded refusal is about, by the id at the end of its name.
_RECORDED = {
    "661a216d": Outcome.INVALID_CREDENTIAL,
    "8147f42f": Outcome.RATE_LIMITED,
    "f4f98583": Outcome.RATE_LIMITED,
    "e4968d40": Outcome.MODEL_NOT_AVAILABLE,
    "144d2afe": Outcome.INVALID_REQUEST,
    "1373f031": Outcome.INVALID_REQUEST,
    "38a0afb4": Outcome.INVALID_CREDENTIAL,
    "44213709": Outcome.INVALID_REQUEST,
    "635c3c15": Outcome.MODEL_NOT_AVAILABLE,
    "ba4946d8": Outcome.MODEL_NOT_AVAILABLE,
    "22e24f6f": Outcome.MODEL_NOT_AVAILABLE,
    "c7d08c9a": Outcome.MODEL_NOT_AVAILABLE,
    "cfca083d": Outcome.MODEL_NOT_AVAILABLE,
    "378f1cb1": Outcome.MODEL_NOT_AVAILABLE,
}
_REFUSED = [path for path in recordings.paths("bedrock-*.json") if recordings.load(path)["response"]["status"] >= 400]


def _classify(status: int, message: str, *, header: str = "", **fields: str) -> Outcome:
    headers = {"x-amzn-errortype": f"{header}:http://internal.amazon.com/coral/"} if header else {}
    outcome, told = bedrock.classify_error(status, json.dumps({"message": message, **fields}).encode(), headers)
    assert told == message
    return outcome


@needs_recordings
@pytest.mark.parametrize("path", _REFUSED, ids=lambda path: path.stem)
def test_recorded_refusals_are_understood(path: Path) -> None:
    answer = recordings.load(path)["response"]

    outcome, message = bedrock.classify_error(answer["status"], answer["body"].encode(), answer["headers"])

    assert outcome == _RECORDED[path.stem.rpartition("-")[2]]
    assert message == json.loads(answer["body"])["message"]


@pytest.mark.parametrize(
    ("status", "header", "message", "outcome"),
    [
        (403, "AccessDeniedException", _NOT_AUTHORIZED, Outcome.NO_PERMISSION),
        (403, "AccessDeniedException", _NO_ACCESS, Outcome.MODEL_NOT_AVAILABLE),
        (403, "AccessDeniedException", _MARKETPLACE, Outcome.MODEL_NOT_AVAILABLE),
        (
            403,
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided.",
            Outcome.NO_CREDIT,
        ),
        (403, "UnrecognizedClientException", "Any.", Outcome.INVALID_CREDENTIAL),
        (403, "ExpiredTokenException", "Any.", Outcome.INVALID_CREDENTIAL),
        (403, "InvalidSignatureException", "Any.", Outcome.INVALID_CREDENTIAL),
        (
            404,
            "ResourceNotFoundException",
            "Model use case details have not been submitted.",
            Outcome.MODEL_NOT_AVAILABLE,
        ),
        (429, "ThrottlingException", "Too many tokens per day.", Outcome.RATE_LIMITED),
        (400, "ThrottlingException", "Slow down.", Outcome.RATE_LIMITED),
        (400, "ServiceQuotaExceededException", "Any.", Outcome.RATE_LIMITED),
        (429, "ModelNotReadyException", "Any.", Outcome.OVERLOADED),
        (503, "ServiceUnavailableException", "Any.", Outcome.OVERLOADED),
        (408, "ModelTimeoutException", "Any.", Outcome.TIMEOUT),
        (424, "ModelErrorException", "Any.", Outcome.PROVIDER_ERROR),
        (500, "InternalServerException", "Any.", Outcome.PROVIDER_ERROR),
        (400, "ValidationException", "max_tokens: Field required", Outcome.INVALID_REQUEST),
        (400, "ValidationException", "The provided model doesn't support counting tokens.", Outcome.INVALID_REQUEST),
        (400, "ValidationException", _RETENTION, Outcome.MODEL_NOT_AVAILABLE),
        (
            400,
            "ValidationException",
            f"The model returned the following errors: {_RETENTION}",
            Outcome.MODEL_NOT_AVAILABLE,
        ),
        (400, "ValidationException", f"The model returned following errors: {_RETENTION}", Outcome.MODEL_NOT_AVAILABLE),
        (
            400,
            "ValidationException",
            "The model returned the following errors: invalid beta flag",
            Outcome.INVALID_REQUEST,
        ),
        (400, "SomethingNewException", "Any.", Outcome.INVALID_REQUEST),
    ],
)
def test_exception_in_the_header_decides(status: int, header: str, message: str, outcome: Outcome) -> None:
    assert _classify(status, message, header=header) == outcome


@pytest.mark.parametrize("field", ["__type", "code"])
def test_exception_in_the_body_will_do(field: str) -> None:
    assert _classify(400, "Any.", **{field: "com.amazon.bedrock#ThrottlingException"}) == Outcome.RATE_LIMITED


@pytest.mark.parametrize(
    ("status", "message", "outcome"),
    [
        (403, "The security token included in the request is expired", Outcome.INVALID_CREDENTIAL),
        (403, "Authentication failed: Please make sure your API Key is valid.", Outcome.INVALID_CREDENTIAL),
        (403, "Invalid API Key format: Must start with pre-defined prefix", Outcome.INVALID_CREDENTIAL),
        (403, _MARKETPLACE, Outcome.MODEL_NOT_AVAILABLE),
        (403, _NOT_AUTHORIZED, Outcome.NO_PERMISSION),
        (401, "Any.", Outcome.INVALID_CREDENTIAL),
        (404, "Any.", Outcome.MODEL_NOT_AVAILABLE),
        (408, "Any.", Outcome.TIMEOUT),
        (413, "Any.", Outcome.INVALID_REQUEST),
        (424, "Any.", Outcome.PROVIDER_ERROR),
        (429, "Any.", Outcome.RATE_LIMITED),
        (500, "Any.", Outcome.PROVIDER_ERROR),
        (502, "Any.", Outcome.PROVIDER_ERROR),
        (503, "Any.", Outcome.OVERLOADED),
        (504, "Any.", Outcome.TIMEOUT),
    ],
)
def test_message_and_status_decide_where_no_exception_is_named(status: int, message: str, outcome: Outcome) -> None:
    assert _classify(status, message) == outcome


@pytest.mark.parametrize(
    "quoted",
    [
        "Input tag 'the security token included in the request' found using 'type' does not match",
        "Input tag 'Model access is denied' found using 'type' does not match",
        "Input tag 'The provided model identifier is invalid' found using 'type' does not match",
        f"Input tag '{_RETENTION}' found using 'type' does not match",
        f"tools: 'The model returned the following errors: {_RETENTION}' is not a tool",
    ],
)
def test_client_cannot_condemn_a_key_by_what_a_400_quotes(quoted: str) -> None:
    assert _classify(400, quoted, header="ValidationException") == Outcome.INVALID_REQUEST


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"message": 7}', b'{"__type": 7}'])
def test_bodies_that_say_nothing_leave_the_status(body: bytes) -> None:
    assert bedrock.classify_error(429, body) == (Outcome.RATE_LIMITED, "")


def test_message_of_api_keys_begins_with_a_capital() -> None:
    body = b'{"Message":"Authentication failed: Please make sure your API Key is valid."}'

    outcome, message = bedrock.classify_error(403, body)

    assert outcome == Outcome.INVALID_CREDENTIAL
    assert message.startswith("Authentication failed")


@pytest.mark.parametrize(
    ("exception", "outcome"),
    [
        ("throttlingException", Outcome.RATE_LIMITED),
        ("serviceUnavailableException", Outcome.OVERLOADED),
        ("modelStreamErrorException", Outcome.PROVIDER_ERROR),
        ("internalServerException", Outcome.PROVIDER_ERROR),
        ("modelTimeoutException", Outcome.TIMEOUT),
        ("validationException", Outcome.INVALID_REQUEST),
    ],
)
def test_an_exception_inside_a_stream_keeps_its_meaning(exception: str, outcome: Outcome) -> None:
    error = stream_error({":exception-type": exception}, b'{"message":"No."}')

    told = {"error": {"type": error.type, "message": error.message}}

    assert bedrock.classify_error(200, json.dumps(told).encode()) == (outcome, "No.")
