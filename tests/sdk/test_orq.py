"""Orq's own package: chat completions on the older path, responses on ours, and the fields that only it has.

It validates whole answers and every event of a stream, and raises for a key it misses.
"""

import json
from typing import Any

import pytest
from orq_ai_sdk import Orq
from orq_ai_sdk import models as orq

from tests.gateway import Gateway, counts_in_response, counts_in_row
from tests.sdk.conftest import Simulated, counts_told
from tests.simulator.recorder import Recorder

SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
QUESTION = "Why is the sky blue?"
MESSAGES = [{"role": "user", "content": QUESTION}]
EPHEMERAL = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
WEATHER = {"name": "get_weather", "description": "Current weather at a place", "parameters": SCHEMA}


def chat(client: Orq, **fields: Any) -> Any:
    return client.router.chat.completions.create(**{"model": SONNET, "messages": MESSAGES, **fields})


def respond(client: Orq, **fields: Any) -> Any:
    return client.responses.create(**{"model": SONNET, "input": QUESTION, **fields})


def test_chat(orq_sdk: Orq, gateway: Gateway, provider: Recorder, model: str) -> None:
    completion = chat(orq_sdk, model=model)

    assert completion.choices[0].message.content == json.loads(provider.one().answer)["content"][0]["text"]
    assert (completion.choices[0].finish_reason, completion.model) == ("stop", model)
    assert usage_of(completion) == told_as_chat(gateway, provider)


def test_streamed_chat(orq_sdk: Orq, gateway: Gateway, provider: Recorder, model: str) -> None:
    with chat(orq_sdk, model=model, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = [event.data for event in stream]

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("This answer is simulated.")
    assert usage_of(chunks[-1]) == told_as_chat(gateway, provider)


def test_response(orq_sdk: Orq, gateway: Gateway, provider: Recorder, model: str) -> None:
    response = respond(orq_sdk, model=model, instructions="Be brief.")

    [item] = response.output
    assert item["content"][0]["text"] == json.loads(provider.one().answer)["content"][0]["text"]
    assert (response.status, response.store, response.model) == ("completed", False, model)
    counts = counts_in_response(response.usage.model_dump())
    assert counts == counts_in_row(gateway.new_row()) == counts_told(provider)


def test_streamed_response(orq_sdk: Orq, gateway: Gateway, provider: Recorder, model: str) -> None:
    with respond(orq_sdk, model=model, stream=True) as stream:
        events = [event.data for event in stream]

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    counts = counts_in_response(events[-1].response.usage.model_dump())
    assert counts == counts_in_row(gateway.new_row()) == counts_told(provider)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", **WEATHER}], "tool_choice": "required"},
        {"reasoning": {"effort": "high", "summary": "auto"}, "model": "anthropic/claude-haiku-4-5"},
        {"text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}},
        {"max_output_tokens": 20, "input": "Tell me all. [[simulate: output_tokens=500]]"},
        {"input": "Hello [[simulate: stop=refusal]]"},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]},
    ],
    ids=["tools", "reasoning", "schema", "incomplete", "refusal", "items"],
)
def test_every_kind_of_response_is_valid_to_it(
    orq_sdk: Orq, gateway: Gateway, fields: dict[str, Any], stream: bool
) -> None:
    answer = respond(orq_sdk, stream=stream, **fields)

    response = [event.data for event in answer][-1].response if stream else answer
    assert counts_in_response(response.usage.model_dump()) == counts_in_row(gateway.new_row())


def test_chat_tools_round_trip(orq_sdk: Orq, gateway: Gateway, provider: Recorder) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    first = chat(orq_sdk, tools=tools, tool_choice="required").choices[0].message
    [call] = first.tool_calls
    said = {"role": "assistant", "content": first.content, "tool_calls": [call.model_dump(exclude_none=True)]}
    result = {"role": "tool", "tool_call_id": call.id, "content": "Rain"}

    second = chat(orq_sdk, tools=tools, messages=[*MESSAGES, said, result])

    assert (call.function.name, list(json.loads(call.function.arguments))) == ("get_weather", ["place"])
    assert second.choices[0].finish_reason == "stop"
    sent = provider.exchanges[-1].json["messages"][-1]["content"]
    assert [(block["type"], block["tool_use_id"]) for block in sent] == [("tool_result", call.id)]
    gateway.new_rows(2)


def test_fallbacks_and_retries(orq_sdk: Orq, gateway: Gateway, provider: Recorder) -> None:
    provider.failing_models.add("claude-sonnet-4-6")
    try:
        completion = chat(orq_sdk, fallbacks=[{"model": OPUS}], retry={"count": 1, "on_codes": [529]})
    finally:
        provider.failing_models.clear()

    rows = gateway.new_rows(3)
    assert completion.model == OPUS
    assert [(row.model, row.status) for row in rows] == [
        ("claude-sonnet-4-6", 529),
        ("claude-sonnet-4-6", 529),
        ("claude-opus-4-6", 200),
    ]


@pytest.mark.parametrize("call", [chat, respond], ids=["chat", "responses"])
def test_load_balancer(orq_sdk: Orq, gateway: Gateway, call: Any) -> None:
    balancer = {"type": "weight_based", "models": [{"model": OPUS, "weight": 1}]}

    assert call(orq_sdk, load_balancer=balancer).model == OPUS
    assert gateway.new_row().model == "claude-opus-4-6"


@pytest.mark.parametrize("call", [chat, respond], ids=["chat", "responses"])
def test_automatic_breakpoint(orq_sdk: Orq, gateway: Gateway, call: Any) -> None:
    text = f"{call.__name__} rule " * 3_000
    given = {"messages": [{"role": "user", "content": text}]} if call is chat else {"input": text}

    usage = call(orq_sdk, cache_control=EPHEMERAL, **given).usage.model_dump()

    row = gateway.new_row()
    details = usage.get("prompt_tokens_details") or usage["input_tokens_details"]
    assert row.cache_write_1h_input_tokens == details["cache_creation_tokens"] > 3_000


def test_cache_control_on_a_part(orq_sdk: Orq, gateway: Gateway) -> None:
    part = {"type": "text", "text": "part rule " * 3_000, "cache_control": EPHEMERAL}
    messages = [{"role": "system", "content": [part]}, *MESSAGES]

    written, read = (chat(orq_sdk, messages=messages).usage.prompt_tokens_details for _ in range(2))

    first, second = gateway.new_rows(2)
    assert written.cache_creation_tokens == first.cache_write_1h_input_tokens > 3_000
    assert read.cached_tokens == second.cache_read_input_tokens == first.cache_write_1h_input_tokens


def test_thinking(orq_sdk: Orq, gateway: Gateway, provider: Recorder) -> None:
    completion = chat(orq_sdk, thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=8_000)

    thought = json.loads(provider.one().answer)["content"][0]
    message = completion.choices[0].message
    assert (message.reasoning, message.reasoning_signature) == (thought["thinking"], thought["signature"])
    details = completion.usage.completion_tokens_details
    assert details.reasoning_tokens == gateway.new_row().reasoning_output_tokens > 0


@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
def test_who_asks(orq_sdk: Orq, gateway: Gateway) -> None:
    respond(orq_sdk, identity={"id": "u-1"}, thread={"id": "t-1"}, metadata={"run": "7"})
    chat(orq_sdk, orq={"identity": {"id": "u-2"}, "thread": {"id": "t-2"}}, metadata={"run": "8"})

    assert [(row.identity, row.session, row.tags) for row in gateway.new_rows(2)] == [
        ("u-1", "t-1", ["run=7"]),
        ("u-2", "t-2", ["run=8"]),
    ]


def test_provider_key_by_its_name(orq_sdk: Orq, gateway: Gateway) -> None:
    respond(orq_sdk, integration_id="Anthropic Production")

    assert gateway.new_row().provider_key_id == gateway.provider_key.pk


def test_time_out(orq_sdk: Orq, gateway: Gateway) -> None:
    with pytest.raises(orq.APIDefaultError) as caught:
        chat(
            orq_sdk,
            messages=[{"role": "user", "content": "Hello [[simulate: stall]]"}],
            timeout={"call_timeout": 200},
        )

    assert caught.value.status_code == 504
    assert gateway.new_row().error_code == "provider_timeout"


@pytest.mark.parametrize("call", [chat, respond], ids=["chat", "responses"])
def test_refusal(orq_sdk: Orq, provider: Recorder, call: Any) -> None:
    with pytest.raises(orq.OrqError) as caught:
        call(orq_sdk, model="anthropic/claude-nothing-9")

    assert caught.value.status_code == 404
    assert json.loads(caught.value.body)["error"]["code"] == "model_not_found"
    assert not provider.exchanges


@pytest.mark.parametrize("call", [chat, respond], ids=["chat", "responses"])
def test_no_such_key(simulated: Simulated, call: Any) -> None:
    with (
        Orq(server_url=simulated.gateway.url, api_key="sk-orq-nothing") as client,
        pytest.raises(orq.OrqError) as caught,
    ):
        call(client)

    assert caught.value.status_code == 401


def usage_of(completion: Any) -> dict[str, Any]:
    usage = completion.usage
    return {
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "cached": usage.prompt_tokens_details.cached_tokens,
        "written": usage.prompt_tokens_details.cache_creation_tokens,
    }


def told_as_chat(gateway: Gateway, provider: Recorder) -> dict[str, Any]:
    """Return what the package's usage must say, for it drops the fields it does not know."""
    counts = counts_told(provider)
    assert counts == counts_in_row(gateway.new_row())
    written = counts["cache_write_5m_input_tokens"] + counts["cache_write_1h_input_tokens"]
    return {
        "prompt": counts["uncached_input_tokens"] + counts["cache_read_input_tokens"] + written,
        "completion": counts["output_tokens"],
        "cached": counts["cache_read_input_tokens"],
        "written": written,
    }
