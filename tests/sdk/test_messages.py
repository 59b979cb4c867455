"""Messages by the ``anthropic`` package: what its objects say is what the ledger says."""

import asyncio

import anthropic
import pydantic
from anthropic import Anthropic

from tests.gateway import Gateway, counts_in_answer, counts_in_message, counts_in_row
from tests.sdk.conftest import Simulated
from tests.simulator.recorder import Recorder

MODEL = "claude-sonnet-4-6"
QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
CALL = {"model": MODEL, "max_tokens": 1_024, "messages": QUESTION}
WEATHER = {
    "name": "get_weather",
    "description": "Current weather at a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


class City(pydantic.BaseModel):
    name: str
    inhabitants: int
    is_capital: bool


def test_create(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder) -> None:
    message = anthropic_sdk.messages.create(**CALL)

    row, exchange = gateway.new_row(), provider.one()
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(row) == counts_in_answer(exchange.answer)
    assert message.stop_reason == "end_turn"
    assert message._request_id == row.upstream_request_id != ""


def test_provider_gets_the_clients_own_version(anthropic_sdk: Anthropic, provider: Recorder) -> None:
    message = anthropic_sdk.messages.with_raw_response.create(**CALL)

    assert provider.one().headers["anthropic-version"] == message.http_request.headers["anthropic-version"]


def test_model_with_its_provider(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder) -> None:
    message = anthropic_sdk.messages.create(**{**CALL, "model": f"anthropic/{MODEL}"})

    assert (provider.one().json["model"], message.model) == (MODEL, MODEL)
    assert gateway.new_row().model_asked == f"anthropic/{MODEL}"


def test_raw_stream(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder) -> None:
    events = list(anthropic_sdk.messages.create(**CALL, stream=True))

    row = gateway.new_row()
    assert events[-1].type == "message_stop"
    assert counts_in_row(row) == counts_in_answer(provider.one().answer)
    [delta] = [event for event in events if event.type == "message_delta"]
    assert delta.usage.output_tokens == row.output_tokens
    assert (row.stream, row.certainty) == (True, "exact")


def test_stream_helper(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    whole = anthropic_sdk.messages.create(**CALL)
    with anthropic_sdk.messages.stream(**CALL) as stream:
        message = stream.get_final_message()

    first, second = gateway.new_rows(2)
    assert message.content[0].text == whole.content[0].text
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(second) == counts_in_row(first)


def test_parse(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    message = anthropic_sdk.messages.parse(**CALL, output_format=City)

    assert isinstance(message.parsed_output, City)
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_count_tokens_counts_what_a_message_then_has_and_costs_nothing(
    anthropic_sdk: Anthropic, gateway: Gateway
) -> None:
    counted = anthropic_sdk.messages.count_tokens(model=MODEL, messages=QUESTION)
    message = anthropic_sdk.messages.create(**CALL)

    assert counted.input_tokens == message.usage.input_tokens
    row, _ = gateway.new_rows(2)
    assert (row.dialect, row.certainty, row.cost_nano) == ("count_tokens", "exact", 0)
    assert set(counts_in_row(row).values()) == {0}


def test_count_of_a_streaming_request_is_a_count(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    counted = anthropic_sdk.messages.count_tokens(model=MODEL, messages=QUESTION, extra_body={"stream": True})

    row = gateway.new_row()
    assert counted.input_tokens > 0
    assert (row.certainty, row.error_code, row.stream) == ("exact", "", False)


def test_tools_round_trip(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    first = anthropic_sdk.messages.create(**CALL, tools=[WEATHER], tool_choice={"type": "any"})
    [call] = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain, 12 °C"}
    turns = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = anthropic_sdk.messages.create(**{**CALL, "messages": [*QUESTION, *turns]}, tools=[WEATHER])

    assert (first.stop_reason, call.name, list(call.input)) == ("tool_use", "get_weather", ["place"])
    assert second.stop_reason == "end_turn"
    for message, row in zip((first, second), gateway.new_rows(2), strict=True):
        assert counts_in_message(message.usage.to_dict()) == counts_in_row(row)


def test_streamed_tool_call(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    with anthropic_sdk.messages.stream(**CALL, tools=[WEATHER], tool_choice={"type": "any"}) as stream:
        message = stream.get_final_message()

    assert [block.name for block in message.content if block.type == "tool_use"] == ["get_weather"]
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_second_call_reads_the_cache(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    system = [
        {"type": "text", "text": "lasting rule " * 3_000, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "passing rule " * 3_000, "cache_control": {"type": "ephemeral"}},
    ]

    written, read = (anthropic_sdk.messages.create(**CALL, system=system).usage for _ in range(2))

    first, second = gateway.new_rows(2)
    assert min(first.cache_write_5m_input_tokens, first.cache_write_1h_input_tokens) > 3_000
    assert second.cache_read_input_tokens == first.cache_write_5m_input_tokens + first.cache_write_1h_input_tokens
    assert counts_in_message(written.to_dict()) == counts_in_row(first)
    assert counts_in_message(read.to_dict()) == counts_in_row(second)


def test_streamed_thinking_with_its_signature(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    with anthropic_sdk.messages.stream(**{**CALL, "max_tokens": 8_000}, thinking=thinking) as stream:
        message = stream.get_final_message()

    assert message.content[0].type == "thinking"
    assert message.content[0].signature
    assert gateway.new_row().reasoning_output_tokens > 0


def test_key_as_x_api_key(gateway: Gateway) -> None:
    headers = {"x-api-key": gateway.token, "authorization": anthropic.omit}
    with Anthropic(api_key=gateway.token, base_url=f"{gateway.url}/v3/anthropic", max_retries=0) as client:
        sent = client.messages.with_raw_response.create(**CALL, extra_headers=headers)

    assert "authorization" not in sent.http_request.headers
    assert counts_in_message(sent.parse().usage.to_dict()) == counts_in_row(gateway.new_row())


def test_beta_messages_match_by_path(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder) -> None:
    message = anthropic_sdk.beta.messages.create(**CALL, betas=["context-1m-2025-08-07"])

    assert provider.one().headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_async_client(simulated: Simulated) -> None:
    async def call_both_ways() -> list[dict[str, int | None]]:
        async with anthropic.AsyncAnthropic(**simulated.anthropic_settings) as client:
            whole = await client.messages.create(**CALL)
            async with client.messages.stream(**CALL) as stream:
                streamed = await stream.get_final_message()
        return [counts_in_message(message.usage.to_dict()) for message in (whole, streamed)]

    counts = asyncio.run(call_both_ways())

    assert counts == [counts_in_row(row) for row in simulated.gateway.new_rows(2)]
