"""Messages by the ``anthropic`` package: what its objects say is what the ledger says."""

import asyncio
from typing import Any

import anthropic
import pydantic
import pytest
from anthropic import Anthropic

from catalog.models import Route
from tests.clouds import PREFIXES
from tests.gateway import Gateway, counts_in_answer, counts_in_message, counts_in_row
from tests.router.conftest import wait_for
from tests.sdk.conftest import Simulated, counts_told
from tests.simulator.recorder import Recorder

MODEL = "claude-sonnet-4-6"
QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
CALL = {"model": MODEL, "max_tokens": 1_024, "messages": QUESTION}
WEATHER = {
    "name": "get_weather",
    "description": "Current weather at a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


@pytest.fixture(scope="module")
def route(module_simulated: Simulated) -> str:
    """The name of a route, as clients give it."""
    gateway = module_simulated.gateway
    route = Route.objects.create(workspace=gateway.workspace, name="swift", retries=0)
    route.targets.create(model_string="google/anthropic/claude-sonnet-4-6", position=0)
    wait_for(lambda: gateway.request("GET", f"/v3/router/models/{route.model_string}").is_success or None)
    return route.model_string


@pytest.fixture(params=["bare", "route", *PREFIXES])
def call(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A small call under each of the names a model can have here."""
    if request.param == "route":
        return {**CALL, "model": request.getfixturevalue("route")}
    return {**CALL, "model": PREFIXES.get(request.param, "") + MODEL}


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


def test_create_under_each_name(
    anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder, call: dict[str, Any]
) -> None:
    message = anthropic_sdk.messages.create(**call)

    row = gateway.new_row()
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(row) == counts_told(provider)
    assert (row.model_asked, row.certainty, message.stop_reason) == (call["model"], "exact", "end_turn")


def test_provider_gets_the_clients_own_version(anthropic_sdk: Anthropic, provider: Recorder) -> None:
    message = anthropic_sdk.messages.with_raw_response.create(**CALL)

    assert provider.one().headers["anthropic-version"] == message.http_request.headers["anthropic-version"]


def test_model_with_its_provider(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder) -> None:
    message = anthropic_sdk.messages.create(**{**CALL, "model": f"anthropic/{MODEL}"})

    assert (provider.one().json["model"], message.model) == (MODEL, MODEL)
    assert gateway.new_row().model_asked == f"anthropic/{MODEL}"


def test_raw_stream(anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder, call: dict[str, Any]) -> None:
    events = list(anthropic_sdk.messages.create(**call, stream=True))

    row = gateway.new_row()
    assert events[-1].type == "message_stop"
    assert counts_in_row(row) == counts_told(provider)
    [delta] = [event for event in events if event.type == "message_delta"]
    assert delta.usage.output_tokens == row.output_tokens
    assert (row.stream, row.certainty) == (True, "exact")


def test_stream_helper(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    whole = anthropic_sdk.messages.create(**call)
    with anthropic_sdk.messages.stream(**call) as stream:
        message = stream.get_final_message()

    first, second = gateway.new_rows(2)
    assert message.content[0].text == whole.content[0].text
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(second) == counts_in_row(first)


def test_parse(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    message = anthropic_sdk.messages.parse(**call, output_format=City)

    assert isinstance(message.parsed_output, City)
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_count_tokens_counts_what_a_message_then_has_and_costs_nothing(
    anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]
) -> None:
    counted = anthropic_sdk.messages.count_tokens(model=call["model"], messages=QUESTION)
    message = anthropic_sdk.messages.create(**call)

    assert counted.input_tokens == message.usage.input_tokens
    row, _ = gateway.new_rows(2)
    assert (row.dialect, row.certainty, row.cost_nano) == ("count_tokens", "exact", 0)
    assert set(counts_in_row(row).values()) == {0}


def test_count_of_a_streaming_request_is_a_count(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    counted = anthropic_sdk.messages.count_tokens(model=MODEL, messages=QUESTION, extra_body={"stream": True})

    row = gateway.new_row()
    assert counted.input_tokens > 0
    assert (row.certainty, row.error_code, row.stream) == ("exact", "", False)


def test_tools_round_trip(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    first = anthropic_sdk.messages.create(**call, tools=[WEATHER], tool_choice={"type": "any"})
    [used] = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "Rain, 12 °C"}
    turns = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = anthropic_sdk.messages.create(**{**call, "messages": [*QUESTION, *turns]}, tools=[WEATHER])

    assert (first.stop_reason, used.name, list(used.input)) == ("tool_use", "get_weather", ["place"])
    assert second.stop_reason == "end_turn"
    for message, row in zip((first, second), gateway.new_rows(2), strict=True):
        assert counts_in_message(message.usage.to_dict()) == counts_in_row(row)


def test_streamed_tool_call(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    with anthropic_sdk.messages.stream(**call, tools=[WEATHER], tool_choice={"type": "any"}) as stream:
        message = stream.get_final_message()

    assert [block.name for block in message.content if block.type == "tool_use"] == ["get_weather"]
    assert counts_in_message(message.usage.to_dict()) == counts_in_row(gateway.new_row())


def test_second_call_reads_the_cache(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    system = [
        {
            "type": "text",
            "text": f"lasting rule {call['model']} " * 3_000,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {"type": "text", "text": "passing rule " * 3_000, "cache_control": {"type": "ephemeral"}},
    ]

    written, read = (anthropic_sdk.messages.create(**call, system=system).usage for _ in range(2))

    first, second = gateway.new_rows(2)
    assert min(first.cache_write_5m_input_tokens, first.cache_write_1h_input_tokens) > 3_000
    assert second.cache_read_input_tokens == first.cache_write_5m_input_tokens + first.cache_write_1h_input_tokens
    assert counts_in_message(written.to_dict()) == counts_in_row(first)
    assert counts_in_message(read.to_dict()) == counts_in_row(second)


def test_streamed_thinking_with_its_signature(anthropic_sdk: Anthropic, gateway: Gateway, call: dict[str, Any]) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    with anthropic_sdk.messages.stream(**{**call, "max_tokens": 8_000}, thinking=thinking) as stream:
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


def test_beta_messages_match_by_path(
    anthropic_sdk: Anthropic, gateway: Gateway, provider: Recorder, call: dict[str, Any]
) -> None:
    message = anthropic_sdk.beta.messages.create(**call, betas=["interleaved-thinking-2025-05-14"])

    exchange = provider.one()
    in_body = exchange.json.get("anthropic_beta")
    assert (in_body or [exchange.headers["anthropic-beta"]]) == ["interleaved-thinking-2025-05-14"]
    assert bool(in_body) is call["model"].startswith("aws/")
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
