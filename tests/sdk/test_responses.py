"""Responses by the ``openai`` package: what its objects say is what the ledger says."""

import asyncio
import json

import openai
import pydantic
from openai import OpenAI

from tests.gateway import Gateway, counts_in_response, counts_in_row
from tests.sdk.conftest import Simulated, counts_told
from tests.simulator.recorder import Recorder

MODEL = "anthropic/claude-sonnet-4-6"
QUESTION = "Why is the sky blue?"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather at a place",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    "strict": False,
}


def thinking(model: str) -> str:
    """Return a model that always thinks when it is asked to; newer ones decide for themselves."""
    return model.replace("sonnet-4-6", "haiku-4-5")


class City(pydantic.BaseModel):
    name: str
    inhabitants: int
    is_capital: bool


def test_create(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    response = openai_sdk.responses.create(model=model, input=QUESTION, instructions="Be brief.")

    exchange = provider.one()
    assert response.output_text == json.loads(exchange.answer)["content"][0]["text"]
    assert (response.status, response.store, response.model) == ("completed", False, model)
    assert exchange.json["system"] == [{"type": "text", "text": "Be brief."}]
    counts = counts_in_response(response.usage.to_dict())
    assert counts == counts_in_row(gateway.new_row()) == counts_told(provider)
    assert response.usage.total_tokens == sum(counts.values())


def test_costs_in_the_reply_are_those_in_the_ledger(openai_sdk: OpenAI, gateway: Gateway) -> None:
    usage = openai_sdk.responses.create(model=MODEL, input=QUESTION).usage

    row = gateway.new_row()
    assert usage.total_cost == row.cost_nano / 1e9 > 0
    assert usage.output_cost == row.output_cost_nano / 1e9 > 0
    assert usage.input_cost == (row.cost_nano - row.output_cost_nano) / 1e9


def test_stream(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    events = list(openai_sdk.responses.create(model=model, input=QUESTION, stream=True))

    row, last = gateway.new_row(), events[-1]
    assert last.type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == (
        last.response.output_text
    )
    usage = last.response.usage.to_dict()
    assert counts_in_response(usage) == counts_in_row(row) == counts_told(provider)
    assert (row.stream, row.certainty) == (True, "exact")


def test_stream_helper_puts_the_whole_response_together(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    whole = openai_sdk.responses.create(model=model, input=QUESTION)
    with openai_sdk.responses.stream(model=model, input=QUESTION) as stream:
        response = stream.get_final_response()

    first, second = gateway.new_rows(2)
    assert response.output_text == whole.output_text
    assert counts_in_response(response.usage.to_dict()) == counts_in_row(second) == counts_in_row(first)


def test_parse(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    response = openai_sdk.responses.parse(model=model, input=QUESTION, text_format=City)

    assert isinstance(response.output_parsed, City)
    assert counts_in_response(response.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_streamed_parse(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    with openai_sdk.responses.stream(model=model, input=QUESTION, text_format=City) as stream:
        response = stream.get_final_response()

    assert isinstance(response.output_parsed, City)
    assert counts_in_response(response.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_incomplete_answer_says_why(openai_sdk: OpenAI, gateway: Gateway) -> None:
    text = "Tell me everything. [[simulate: output_tokens=500]]"
    response = openai_sdk.responses.create(model=MODEL, input=text, max_output_tokens=20)

    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.output_tokens == gateway.new_row().output_tokens == 20


def test_tools_round_trip(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    first = openai_sdk.responses.create(model=model, input=QUESTION, tools=[WEATHER], tool_choice="required")
    [call] = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain, 12 °C"}
    second = openai_sdk.responses.create(
        model=model, input=[{"role": "user", "content": QUESTION}, *first.output, result], tools=[WEATHER]
    )

    assert (call.name, list(json.loads(call.arguments))) == ("get_weather", ["place"])
    assert second.output_text
    sent = provider.exchanges[-1].json["messages"][-1]["content"]
    assert [(block["type"], block["tool_use_id"]) for block in sent] == [("tool_result", call.call_id)]
    for response, row in zip((first, second), gateway.new_rows(2), strict=True):
        assert counts_in_response(response.usage.to_dict()) == counts_in_row(row)


def test_streamed_tool_calls(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    text = f"{QUESTION} [[simulate: parallel=2]]"
    with openai_sdk.responses.stream(model=model, input=text, tools=[WEATHER], tool_choice="required") as stream:
        response = stream.get_final_response()

    calls = [item for item in response.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather", "get_weather"]
    assert all("place" in json.loads(call.arguments) for call in calls)
    assert counts_in_response(response.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_second_call_reads_the_cache(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    part = {"type": "input_text", "text": f"responses rule {model} " * 3_000, "cache_control": control}
    question = {"type": "input_text", "text": QUESTION}
    given = [{"role": "user", "content": [part, question]}]

    written, read = (openai_sdk.responses.create(model=model, input=given).usage for _ in range(2))

    first, second = gateway.new_rows(2)
    assert first.cache_write_1h_input_tokens == second.cache_read_input_tokens > 3_000
    assert (first.cache_read_input_tokens, second.cache_write_1h_input_tokens) == (0, 0)
    assert counts_in_response(written.to_dict()) == counts_in_row(first)
    assert counts_in_response(read.to_dict()) == counts_in_row(second)


def test_reasoning_goes_back_as_it_came(openai_sdk: OpenAI, gateway: Gateway, provider: Recorder, model: str) -> None:
    options = {"model": thinking(model), "max_output_tokens": 8_000, "reasoning": {"effort": "medium"}}
    first = openai_sdk.responses.create(input=QUESTION, **options)
    again = {"role": "user", "content": "Are you sure?"}
    openai_sdk.responses.create(input=[{"role": "user", "content": QUESTION}, *first.output, again], **options)

    thought = json.loads(provider.exchanges[0].answer)["content"][0]
    assert first.output[0].type == "reasoning"
    assert provider.exchanges[-1].json["messages"][1]["content"][0] == thought
    row, _ = gateway.new_rows(2)
    assert first.usage.output_tokens_details.reasoning_tokens == row.reasoning_output_tokens > 0


def test_streamed_reasoning(openai_sdk: OpenAI, gateway: Gateway, model: str) -> None:
    reasoning = {"effort": "medium", "summary": "auto"}
    with openai_sdk.responses.stream(
        model=thinking(model), input=QUESTION, max_output_tokens=8_000, reasoning=reasoning
    ) as stream:
        kinds = {event.type for event in stream}
        response = stream.get_final_response()

    assert "response.reasoning_summary_text.delta" in kinds
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert counts_in_response(response.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_async_client(simulated: Simulated) -> None:
    async def call_both_ways() -> list[dict[str, int]]:
        async with openai.AsyncOpenAI(**simulated.openai_settings) as client:
            whole = await client.responses.create(model=MODEL, input=QUESTION)
            stream = await client.responses.create(model=MODEL, input=QUESTION, stream=True)
            events = [event async for event in stream]
        return [counts_in_response(usage.to_dict()) for usage in (whole.usage, events[-1].response.usage)]

    counts = asyncio.run(call_both_ways())

    assert counts == [counts_in_row(row) for row in simulated.gateway.new_rows(2)]
