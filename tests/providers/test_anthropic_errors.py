"""Errors of Anthropic are told apart by status and type, and those about the account by their first words."""

import json

import pytest

from providers import anthropic
from providers.base import Outcome

LIMIT = "You have reached your specified {}API usage limits. You will regain access on 2026-10-01 at 00:00 UTC."


def error(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("Your credit balance is too low to access the Anthropic API.", Outcome.NO_CREDIT),
        (LIMIT.format(""), Outcome.NO_CREDIT),
        (LIMIT.format("workspace "), Outcome.NO_CREDIT),
        ("This organization has been disabled.", Outcome.INVALID_CREDENTIAL),
        ("max_tokens: Field required", Outcome.INVALID_REQUEST),
    ],
)
def test_a_400_about_the_account_is_told_from_one_about_the_request(message: str, outcome: Outcome) -> None:
    assert anthropic.classify_error(400, error("invalid_request_error", message)) == (outcome, message)


@pytest.mark.parametrize(
    "words", ["Your credit balance is low", LIMIT.format(""), "This organization has been disabled."]
)
@pytest.mark.parametrize(
    ("status", "kind", "said", "outcome"),
    [
        (404, "not_found_error", "model: {}", Outcome.MODEL_NOT_AVAILABLE),
        (400, "invalid_request_error", "messages.0.content.0: Input tag '{}' is unknown", Outcome.INVALID_REQUEST),
    ],
)
def test_a_clients_own_words_in_an_error_say_nothing_of_the_account(
    status: int, kind: str, said: str, outcome: Outcome, words: str
) -> None:
    assert anthropic.classify_error(status, error(kind, said.format(words)))[0] is outcome
