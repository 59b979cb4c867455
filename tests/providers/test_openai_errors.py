"""Errors of OpenAI and of servers like it are told apart by status, code and type."""

import json

import pytest

from providers import openai
from providers.base import Outcome, StreamError
from providers.openai_errors import messages_error, stream_error


def error(message: str = "No.", **fields: object) -> bytes:
    return json.dumps({"error": {"message": message, "type": None, "param": None, "code": None, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, error(code="invalid_api_key"), Outcome.INVALID_CREDENTIAL),
        (401, error("You have insufficient permissions for this operation."), Outcome.NO_PERMISSION),
        (402, error("Payment required"), Outcome.NO_CREDIT),
        (429, error(type="insufficient_quota", code="insufficient_quota"), Outcome.NO_CREDIT),
        (429, error(type="tokens", code="rate_limit_exceeded"), Outcome.RATE_LIMITED),
        (429, b"", Outcome.RATE_LIMITED),
        (403, error(code="unsupported_country_region_territory"), Outcome.NO_PERMISSION),
        (403, error(code="model_not_found"), Outcome.MODEL_NOT_AVAILABLE),
        (404, error(code="model_not_found"), Outcome.MODEL_NOT_AVAILABLE),
        (404, error("The model `x` does not exist.", type="NotFoundError", param="model"), Outcome.MODEL_NOT_AVAILABLE),
        (404, b'{"detail":"Not Found"}', Outcome.MODEL_NOT_AVAILABLE),
        (404, error(type="invalid_request_error"), Outcome.MODEL_NOT_AVAILABLE),
        # What a client names in its request may be missing, while the model is there.
        (404, error("Nothing there.", type="invalid_request_error", param="input"), Outcome.INVALID_REQUEST),
        (404, error("Item with id 'rs_1' not found.", type="invalid_request_error"), Outcome.INVALID_REQUEST),
        (400, error(type="invalid_request_error", code="unsupported_parameter"), Outcome.INVALID_REQUEST),
        (400, b'{"object":"error","message":"Too long","type":"BadRequestError","code":400}', Outcome.INVALID_REQUEST),
        (408, b"", Outcome.TIMEOUT),
        (500, error(type="server_error"), Outcome.PROVIDER_ERROR),
        (502, b"<html>Bad gateway</html>", Outcome.PROVIDER_ERROR),
        (503, error("Slow down", type="server_error"), Outcome.OVERLOADED),
        (504, b"", Outcome.TIMEOUT),
        # Inside an answer that began well, the error itself has to say it.
        (200, error(type="server_error"), Outcome.PROVIDER_ERROR),
        (200, error(type="rate_limit_exceeded"), Outcome.RATE_LIMITED),
        (200, error(code=429), Outcome.RATE_LIMITED),
        (200, error(code=502), Outcome.PROVIDER_ERROR),
        (200, error(type="429"), Outcome.RATE_LIMITED),
        (200, error(type="502"), Outcome.PROVIDER_ERROR),
        (200, error(type="billing_error"), Outcome.NO_CREDIT),
    ],
)
def test_an_error_is_classified(status: int, body: bytes, outcome: Outcome) -> None:
    assert openai.classify_error(status, body)[0] is outcome


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"No."}}',
        b'{"error":"No."}',
        b'{"message":"No.","code":400}',
        b'{"detail":"No."}',
    ],
)
def test_the_message_is_found_in_each_form_of_error(body: bytes) -> None:
    assert openai.classify_error(400, body)[1] == "No."


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"error":7}', b'{"error":{"message":7}}', b"[" * 5000])
def test_an_error_of_no_known_form_has_no_message(body: bytes) -> None:
    assert openai.classify_error(400, body) == (Outcome.INVALID_REQUEST, "")


def test_an_error_in_a_stream_goes_by_its_code_before_its_type() -> None:
    found = stream_error({"message": "Wait.", "type": "requests", "code": "rate_limit_exceeded"})

    assert found == StreamError("rate_limit_exceeded", "Wait.")


@pytest.mark.parametrize(
    ("kind", "translated"),
    [
        ("rate_limit_exceeded", "rate_limit_error"),
        ("429", "rate_limit_error"),
        ("503", "overloaded_error"),
        ("insufficient_quota", "billing_error"),
        ("server_error", "api_error"),
        ("", "api_error"),
    ],
)
def test_an_error_in_a_translated_stream_has_the_type_of_messages(kind: str, translated: str) -> None:
    event = messages_error(StreamError(kind, "No."))

    assert event == {"type": "error", "error": {"type": translated, "message": "No."}}
