"""What an OpenAI-compatible provider gets of a body in its own shape: all of it, but nothing that is the gateway's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects import CHAT, RESPONSES
from router.dialects.base import Dialect, RequestRefused
from router.dialects.fates import GATEWAY_FIELDS
from router.dialects.passthrough import openai_body
from tests.dialects.samples import parse
from tests.dialects.test_robustness import CHAT_BODY, RESPONSES_BODY, changed_bodies

CACHED = {"type": "ephemeral"}
STEERING: dict[str, Any] = {
    "identity": {"id": "i"},
    "thread": {"id": "t"},
    "name": "n",
    "tags": ["a"],
    "fallbacks": [{"model": "m"}],
    "fallback_on_codes": [500],
    "retry": {"count": 1},
    "timeout": {"call_timeout": 1},
    "load_balancer": {"type": "weight_based", "models": [{"model": "m"}]},
    "integration_id": "x",
    "orq": {},
    "cache": {"type": "exact_match"},
    "thinking": {"type": "adaptive"},
}


def sent(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(openai_body(dialect.name, parse(dialect, **fields), "gpt-5"))
    return body


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_the_gateways_own_fields_stay_here(dialect: Dialect) -> None:
    assert STEERING.keys() == GATEWAY_FIELDS
    assert sent(dialect, **STEERING, metadata={"a": "b"}, user="u", new=1) == {
        "model": "gpt-5",
        "metadata": {"a": "b"},
        "user": "u",
        "new": 1,
    }


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_other_values_keep_their_bytes(dialect: Dialect) -> None:
    raw = (
        b'{"temperature" : 1.0e0, "model":"openai/gpt-5","input":[ ],"messages":[{"content":"\\u00e9" }], "tags":["a"]}'
    )

    assert openai_body(dialect.name, dialect.parse(raw), "gpt-5") == (
        b'{"temperature":1.0e0,"model":"gpt-5","input":[ ],"messages":[{"content":"\\u00e9" }]}'
    )


def test_chat_messages_without_what_is_ours() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    reasoning = {"reasoning": "r", "reasoning_signature": "s", "redacted_reasoning": "d", "reasoning_parts": []}
    marked = {"type": "text", "text": "x", "cache_control": CACHED}
    body = sent(
        CHAT,
        messages=[
            {"role": "user", "content": [{**marked, "citations": []}]},
            {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "r", "signature": "s"}]},
            {"role": "assistant", **reasoning, "citations": [], "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "no", "is_error": True},
        ],
    )

    assert body["messages"] == [
        {"role": "user", "content": [marked]},
        {"role": "assistant", "content": None},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "no"},
    ]


def test_reasoning_that_is_not_claudes_goes_back_to_its_server() -> None:
    message = {"role": "assistant", "content": "x", "reasoning": "r", "reasoning_details": [{"type": "reasoning.text"}]}

    assert sent(CHAT, messages=[{**message, "citations": []}])["messages"] == [message]


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
def test_cache_marks_pass_for_servers_that_offer_claude(dialect: Dialect) -> None:
    tool = {"type": "function", "name": "f", "cache_control": CACHED}
    said = {"role": "user", "content": "x", "cache_control": CACHED, "citations": []}

    body = sent(dialect, messages=[said], input=[said], tools=[tool], cache_control=CACHED)

    told = body["messages" if dialect is CHAT else "input"]
    assert (told[0]["cache_control"], body["tools"], body["cache_control"]) == (CACHED, [tool], CACHED)


def test_stop_sequences_become_stop() -> None:
    assert sent(CHAT, stop="a", stop_sequences=["b"]) == {"model": "gpt-5", "stop": ["a", "b"]}


def test_response_items_without_what_is_ours() -> None:
    body = sent(
        RESPONSES,
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "x", "citations": []}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "signature:s"},
            {"type": "reasoning", "summary": [], "encrypted_content": "OpenAI's own"},
            {"type": "function_call_output", "call_id": "c", "output": "no", "is_error": True},
        ],
    )

    assert body["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "OpenAI's own"},
        {"type": "function_call_output", "call_id": "c", "output": "no"},
    ]


def test_stored_responses_are_refused() -> None:
    with pytest.raises(RequestRefused) as refused:
        sent(RESPONSES, input="x", previous_response_id="resp_1")

    assert refused.value.param == "previous_response_id"


@pytest.mark.parametrize(
    ("dialect", "bodies"),
    [(CHAT, changed_bodies(CHAT_BODY)), (RESPONSES, changed_bodies(RESPONSES_BODY))],
    ids=["chat", "responses"],
)
@given(data=st.data())
def test_any_value_in_any_field_passes_or_is_refused(dialect: Dialect, bodies: Any, data: st.DataObject) -> None:
    raw = json.dumps(data.draw(bodies)).encode()
    try:
        body = openai_body(dialect.name, dialect.parse(raw), "gpt-5")
    except RequestRefused:
        return

    assert not GATEWAY_FIELDS & json.loads(body).keys()
