"""Chat completions by the ``openai`` package: what its objects say is what the ledger says."""

import asyncio
import json

import openai
import pydantic
from openai import OpenAI

from tests.gateway import Gateway, counts_in_chat, counts_in_row
from tests.sdk.conftest import Simulated, counts_told
from tests.simulator.recorder import Recorder

MODEL = "anthropic/claude-sonnet-4-6"
QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


class City(pydantic.BaseModel):
    name: str
    inhabitants: int
    is_capital: bool


def test_create(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    completion = openai_sdk.chat.completions.create(model=model, messages=QUESTION)

    answer = json.loads(provider.one().answer)
    assert completion.choices[0].message.content == answer["content"][0]["text"]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == model
    counts = counts_in_chat(completion.usage.to_dict())
    assert counts == counts_in_row(gateway.new_row()) == counts_told(provider)
    assert completion.usage.total_tokens == sum(counts.values())


def test_cost_in_the_reply_is_the_cost_in_the_ledger(openai_sdk: OpenAI, gateway: Gateway) -> None:
    completion = openai_sdk.chat.completions.create(model=MODEL, messages=QUESTION)

    row = gateway.new_row()
    assert completion.usage.cost == row.cost_nano / 1e9 > 0


def test_stream(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    stream = openai_sdk.chat.completions.create(
        model=model, messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    row = gateway.new_row()
    assert chunks[-1].choices == []
    assert counts_in_chat(chunks[-1].usage.to_dict()) == counts_in_row(row) == counts_told(provider)
    assert (row.stream, row.certainty) == (True, "exact")
    assert row.ttft_ms is not None


def test_stream_without_usage_asked_for_is_counted_all_the_same(openai_sdk: OpenAI, gateway: Gateway) -> None:
    chunks = list(openai_sdk.chat.completions.create(model=MODEL, messages=QUESTION, stream=True))

    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert gateway.new_row().output_tokens > 0


def test_stream_helper_puts_the_whole_message_together(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    whole = openai_sdk.chat.completions.create(model=model, messages=QUESTION)
    with openai_sdk.chat.completions.stream(
        model=model, messages=QUESTION, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()

    first, second = gateway.new_rows(2)
    assert completion.choices[0].message.content == whole.choices[0].message.content
    assert counts_in_chat(completion.usage.to_dict()) == counts_in_row(second) == counts_in_row(first)


def test_parse(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    completion = openai_sdk.chat.completions.parse(model=model, messages=QUESTION, response_format=City)

    assert isinstance(completion.choices[0].message.parsed, City)
    assert counts_in_chat(completion.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_tools_round_trip(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    first = openai_sdk.chat.completions.create(model=model, messages=QUESTION, tools=[WEATHER], tool_choice="required")
    [call] = first.choices[0].message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "Rain, 12 °C"}
    second = openai_sdk.chat.completions.create(
        model=model, messages=[*QUESTION, first.choices[0].message, result], tools=[WEATHER]
    )

    assert (first.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert "place" in json.loads(call.function.arguments)
    assert second.choices[0].message.content
    sent = provider.exchanges[-1].json["messages"][-1]["content"]
    assert sent == [
        {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "Rain, 12 °C"}]}
    ]
    for completion, row in zip((first, second), gateway.new_rows(2), strict=True):
        assert counts_in_chat(completion.usage.to_dict()) == counts_in_row(row)


def test_streamed_tool_call(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    with openai_sdk.chat.completions.stream(
        model=model, messages=QUESTION, tools=[WEATHER], tool_choice="required"
    ) as stream:
        completion = stream.get_final_completion()

    [call] = completion.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert "place" in json.loads(call.function.arguments)
    assert gateway.new_row().certainty == "exact"


def test_second_call_reads_the_cache(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    text = {"type": "text", "text": f"chat rule {model} " * 3_000, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [text]}, *QUESTION]

    written, read = (openai_sdk.chat.completions.create(model=model, messages=messages).usage for _ in range(2))

    first, second = gateway.new_rows(2)
    assert first.cache_write_5m_input_tokens == second.cache_read_input_tokens > 3_000
    assert (first.cache_read_input_tokens, second.cache_write_5m_input_tokens) == (0, 0)
    assert counts_in_chat(written.to_dict()) == counts_in_row(first)
    assert counts_in_chat(read.to_dict()) == counts_in_row(second)
    assert read.prompt_tokens_details.cached_tokens == second.cache_read_input_tokens


def test_cache_for_an_hour(openai_sdk: OpenAI, gateway: Gateway) -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    messages = [{"role": "user", "content": "hourly rule " * 3_000}]

    completion = openai_sdk.chat.completions.create(
        model=MODEL, messages=messages, stream=True, extra_body={"cache_control": control}
    )
    list(completion)

    row = gateway.new_row()
    assert row.cache_write_1h_input_tokens > 3_000
    assert row.cache_write_5m_input_tokens == 0


def test_thinking_comes_back_with_its_signature(
    openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    options = {"model": model, "max_tokens": 8_000, "extra_body": {"thinking": thinking}}
    first = openai_sdk.chat.completions.create(messages=QUESTION, **options)
    message = first.choices[0].message
    openai_sdk.chat.completions.create(
        messages=[*QUESTION, message, {"role": "user", "content": "Are you sure?"}], **options
    )

    replayed = provider.exchanges[-1].json["messages"][1]["content"][0]
    assert replayed == json.loads(provider.exchanges[0].answer)["content"][0]
    assert replayed["type"] == "thinking"
    row, _ = gateway.new_rows(2)
    assert first.usage.completion_tokens_details.reasoning_tokens == row.reasoning_output_tokens > 0


def test_async_client(simulated: Simulated) -> None:
    async def call_both_ways() -> list[dict[str, int]]:
        async with openai.AsyncOpenAI(**simulated.openai_settings) as client:
            whole = await client.chat.completions.create(model=MODEL, messages=QUESTION)
            stream = await client.chat.completions.create(
                model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
        return [counts_in_chat(usage.to_dict()) for usage in (whole.usage, chunks[-1].usage)]

    counts = asyncio.run(call_both_ways())

    assert counts == [counts_in_row(row) for row in simulated.gateway.new_rows(2)]
