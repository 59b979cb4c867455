"""What keeps a silent stream alive is passed over by the makers' own clients."""

from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI
from orq_ai_sdk import Orq

from tests.gateway import Gateway

# A pause after each event, much longer than the gateway lets a stream be silent.
SLOW = "Hello [[simulate: output_tokens=6 between_ms=200]]"
MESSAGES = [{"role": "user", "content": SLOW}]
ANSWER = "This answer is simulated."


@pytest.fixture(autouse=True)
def often_pinging(settings: Any) -> None:
    settings.PING_AFTER_S = 0.05


def test_chat(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    with openai_sdk.chat.completions.stream(model=model, messages=MESSAGES) as stream:
        text = stream.get_final_completion().choices[0].message.content

    assert text.startswith(ANSWER)
    assert gateway.new_row().certainty == "exact"


def test_responses(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    with openai_sdk.responses.stream(model=model, input=SLOW) as stream:
        text = stream.get_final_response().output_text

    assert text.startswith(ANSWER)
    assert gateway.new_row().certainty == "exact"


def test_messages(anthropic_sdk: Anthropic, gateway: Gateway, model: str) -> None:
    with anthropic_sdk.messages.stream(model=model, max_tokens=64, messages=MESSAGES) as stream:
        text = stream.get_final_text()

    assert text.startswith(ANSWER)
    assert gateway.new_row().certainty == "exact"


def test_orq(orq_sdk: Orq, gateway: Gateway, model: str) -> None:
    with orq_sdk.router.chat.completions.create(model=model, messages=MESSAGES, stream=True) as stream:
        chunks = [event.data for event in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).startswith(ANSWER)
    assert gateway.new_row().certainty == "exact"
