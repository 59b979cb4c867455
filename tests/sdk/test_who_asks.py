"""What a request is said to be for stands on its ledger row, however the client says it."""

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.gateway import Gateway
from tests.simulator.recorder import Recorder

MODEL = "anthropic/claude-sonnet-4-6"
MESSAGES = [{"role": "user", "content": "Hello"}]


def test_headers(openai_sdk: OpenAI, gateway: Gateway) -> None:
    headers = {"X-ORQ-IDENTITY-ID": "u-17", "X-ORQ-METADATA-Team": "blue"}
    openai_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, extra_headers=headers)

    row = gateway.new_row()
    assert (row.identity, row.tags) == ("u-17", ["team=blue"])


def test_body_wins_over_headers(openai_sdk: OpenAI, gateway: Gateway) -> None:
    headers = {"X-ORQ-IDENTITY-ID": "u-17", "X-ORQ-METADATA-TEAM": "blue"}
    said = {"identity": {"id": "u-18"}, "thread": {"id": "t-1"}, "tags": ["nightly"], "metadata": {"team": "red"}}
    openai_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, extra_headers=headers, extra_body=said)

    row = gateway.new_row()
    assert (row.identity, row.session, row.tags) == ("u-18", "t-1", ["nightly", "team=red"])


def test_deprecated_orq_object(openai_sdk: OpenAI, gateway: Gateway) -> None:
    orq = {"identity": {"id": "u-19"}, "thread": {"id": "t-2"}}
    openai_sdk.responses.create(model=MODEL, input="Hello", extra_body={"orq": orq})

    row = gateway.new_row()
    assert (row.identity, row.session) == ("u-19", "t-2")


def test_metadata_of_a_response_comes_back(openai_sdk: OpenAI, gateway: Gateway) -> None:
    response = openai_sdk.responses.create(model=MODEL, input="Hello", metadata={"run": "7"})

    assert response.metadata == {"run": "7"}
    assert gateway.new_row().tags == ["run=7"]


def test_native_session_and_identity(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    headers = {"X-Claude-Code-Session-Id": "s-1", "X-ORQ-IDENTITY-ID": "u-20"}
    anthropic_sdk.messages.create(model=MODEL, max_tokens=16, messages=MESSAGES, extra_headers=headers)

    row = gateway.new_row()
    assert (row.session, row.identity) == ("s-1", "u-20")


def test_user_goes_to_the_provider(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder) -> None:
    openai_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, user="u-21")

    assert provider.one().json["metadata"] == {"user_id": "u-21"}


@pytest.mark.parametrize("text", ["\0", "a\0b", "é" * 300, "🦊" * 300, "'; --"], ids=ascii)
def test_odd_texts_do_not_cost_the_counts(openai_sdk: OpenAI, gateway: Gateway, text: str) -> None:
    said = {"identity": {"id": text}, "thread": {"id": text}, "tags": [text], "metadata": {text: text}}
    openai_sdk.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=said)

    row = gateway.new_row()
    assert (row.certainty, row.output_tokens > 0) == ("exact", True)


def test_odd_model_is_refused_and_kept(gateway: Gateway) -> None:
    response = gateway.post("/v3/router/chat/completions", {"model": "anthropic/\0", "messages": MESSAGES})

    assert response.status_code == 404
    assert len(gateway.refusals(response.headers["x-orq-trace-id"])) == 1


def test_odd_native_model_is_counted(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    response = gateway.post(
        "/v3/anthropic/v1/messages", {"model": "claude-\0" + "x" * 300, "max_tokens": 1, "messages": MESSAGES}
    )

    assert response.status_code == 404
    assert gateway.new_row().error_code == "model_not_found"
