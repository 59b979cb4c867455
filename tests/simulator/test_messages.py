"""What an answer looks like: text, tools, thinking, pictures, limits, whole and streamed."""

import base64
import json
import random
from typing import Any

import pytest

from simulator.models import CATALOG_FILE
from simulator.stream import NetworkChunks
from simulator.tokens import count_block, count_text, split_text
from tests.simulator.conftest import Client, request_of, words

WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
CLOCK = {"name": "get_time", "input_schema": {"type": "object", "properties": {"zone": {"enum": ["UTC"]}}}}
THINK = {"type": "enabled", "budget_tokens": 1_024}


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


def assembled(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a stream together as a client does: whole JSON from its parts, usage overwritten by what comes later."""
    message = events[0]["message"]
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                message["content"].append({**event["content_block"], "parts": ""})
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "input_json_delta":
                        block["parts"] += delta["partial_json"]
            case "message_delta":
                message.update(event["delta"])
                message["usage"].update(event["usage"])
    for block in message["content"]:
        parts = block.pop("parts")
        if parts:
            block["input"] = json.loads(parts)
    return message


async def test_output_tokens_are_those_of_the_content(client: Client) -> None:
    message = await client.message("Tell me a story")

    assert message["usage"]["output_tokens"] == count_text(message["content"][0]["text"])
    assert message["stop_reason"] == "end_turn"


async def test_an_answer_says_that_it_is_simulated(client: Client) -> None:
    assert (await client.message())["content"][0]["text"].startswith("This answer is simulated.")


async def test_a_directive_sets_the_length(client: Client) -> None:
    assert (await client.usage("Go on [[simulate: output_tokens=321]]"))["output_tokens"] == 321


async def test_max_tokens_ends_the_text(client: Client) -> None:
    message = await client.message("Go on [[simulate: output_tokens=321]]", max_tokens=16)

    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == 16


async def test_a_stop_sequence_ends_the_text(client: Client) -> None:
    message = await client.message(stop_sequences=["simulated"])

    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "simulated")
    assert message["content"][0]["text"] == "This answer is "


async def test_a_mentioned_tool_is_called(client: Client) -> None:
    message = await client.message("What's the weather in Tokyo?", tools=[CLOCK, WEATHER])

    call = message["content"][-1]
    assert message["stop_reason"] == "tool_use"
    assert (call["name"], call["input"]) == ("get_weather", {"location": "Tokyo"})


async def test_tools_nobody_asked_for_are_not_called(client: Client) -> None:
    assert kinds(await client.message("Tell me a joke", tools=[WEATHER])) == ["text"]


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}], ids=["any", "tool"])
async def test_a_forced_tool_is_called(client: Client, choice: dict[str, str]) -> None:
    assert kinds(await client.message("Tell me a joke", tools=[WEATHER], tool_choice=choice)) == ["text", "tool_use"]


async def test_tool_choice_none_calls_nothing(client: Client) -> None:
    message = await client.message("The weather?", tools=[WEATHER], tool_choice={"type": "none"})

    assert kinds(message) == ["text"]


async def test_parallel_calls_on_demand(client: Client) -> None:
    message = await client.message("The weather [[simulate: parallel=3]]", tools=[WEATHER])

    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    assert len({call["id"] for call in calls}) == 3


async def test_two_mentioned_tools_are_both_called(client: Client) -> None:
    message = await client.message("The weather and the time?", tools=[WEATHER, CLOCK])

    assert [block["name"] for block in message["content"][1:]] == ["get_weather", "get_time"]


async def test_parallel_calls_can_be_switched_off(client: Client) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    message = await client.message("The weather and the time?", tools=[WEATHER, CLOCK], tool_choice=choice)

    assert kinds(message) == ["text", "tool_use"]


async def test_calls_can_be_spelt_out(client: Client) -> None:
    asked = (
        'Look. [[call: get_time {"zone": "Europe/Paris", "more": [[1]]}]] [[call: get_weather {"location": "Rome"}]]'
    )

    message = await client.message(asked, tools=[WEATHER, CLOCK])

    calls = [(block["name"], block["input"]) for block in message["content"][1:]]
    assert calls == [("get_time", {"zone": "Europe/Paris", "more": [[1]]}), ("get_weather", {"location": "Rome"})]


@pytest.mark.parametrize(
    "asked", ['[[call: get_joke {"about": "x"}]]', "[[call: get_weather {broken}]]"], ids=["not offered", "not JSON"]
)
async def test_calls_that_make_no_sense_are_passed_over(client: Client, asked: str) -> None:
    assert kinds(await client.message(f"Go on. {asked}", tools=[WEATHER])) == ["text"]


async def test_tool_results_are_answered_with_text(client: Client) -> None:
    asked = {"role": "user", "content": "What's the weather in Tokyo?"}
    called = await client.message(asked["content"], tools=[WEATHER])
    result = {"type": "tool_result", "tool_use_id": called["content"][-1]["id"], "content": "18 degrees"}
    reminder = {"type": "text", "text": "Remember that there is get_weather."}
    turns = [
        asked,
        {"role": "assistant", "content": called["content"]},
        {"role": "user", "content": [result, reminder]},
    ]

    message = await client.message(messages=turns, tools=[WEATHER])

    assert kinds(message) == ["text"]


async def test_thinking_comes_first_signed_and_counted(client: Client) -> None:
    message = await client.message(thinking=THINK, max_tokens=2_000)

    thought = message["content"][0]
    assert kinds(message) == ["thinking", "text"]
    assert thought["signature"]
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] == count_text(thought["thinking"])
    assert message["usage"]["output_tokens"] == sum(map(count_block, message["content"]))


async def test_thinking_can_be_redacted(client: Client) -> None:
    message = await client.message("Hi [[simulate: redacted]]", thinking=THINK, max_tokens=2_000)

    assert kinds(message) == ["redacted_thinking", "text"]


@pytest.mark.parametrize(("prompt", "thinks"), [("Hi", False), (words(40), True)], ids=["short", "long"])
async def test_adaptive_thinking_thinks_when_it_is_worth_it(client: Client, prompt: str, thinks: bool) -> None:
    message = await client.message(prompt, thinking={"type": "adaptive"})

    assert ("thinking" in kinds(message)) is thinks


async def test_newest_models_leave_the_thought_out(client: Client) -> None:
    message = await client.message(words(40), thinking={"type": "adaptive"}, model="claude-opus-4-8")

    assert message["content"][0]["thinking"] == ""
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] > 0


async def test_own_thinking_may_be_replayed_but_not_changed(client: Client) -> None:
    asked = {"role": "user", "content": "Hi"}
    thought, said = (await client.message(thinking=THINK, max_tokens=2_000, messages=[asked]))["content"]
    forged = {**thought, "thinking": "Something else."}
    onward = {"role": "user", "content": "Go on"}

    kept = await client.post(
        "/v1/messages", request_of(messages=[asked, {"role": "assistant", "content": [thought, said]}, onward])
    )
    changed = await client.error(request_of(messages=[asked, {"role": "assistant", "content": [forged, said]}, onward]))

    assert kept.status_code == 200
    assert changed == (400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block")


async def test_a_schema_gets_json_that_fits(client: Client) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "count": {"type": "integer"}}}

    message = await client.message(
        "I saw 7 birds in Oslo", output_config={"format": {"type": "json_schema", "schema": schema}}
    )

    assert json.loads(message["content"][0]["text"]) == {"city": "Oslo", "count": 7}


async def test_a_picture_costs_by_its_size(client: Client) -> None:
    def picture(side: int) -> dict[str, Any]:
        header = b"\x89PNG\r\n\x1a\n" + bytes(8) + side.to_bytes(4, "big") * 2
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(header).decode()}
        return {"type": "image", "source": source}

    small, large = [(await client.usage([picture(side)]))["input_tokens"] for side in (150, 750)]

    assert large - small == 750 - 30


async def test_a_document_costs_by_its_pages(client: Client) -> None:
    def document(pages: int) -> dict[str, Any]:
        data = base64.b64encode(b"%PDF /Type /Pages " + b"/Type /Page " * pages).decode()
        return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}

    one, three = [(await client.usage([document(pages)]))["input_tokens"] for pages in (1, 3)]

    assert three - one == 4_000


async def test_pictures_and_documents_by_url_are_taken(client: Client) -> None:
    content = [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/image.jpg"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/document.pdf"}},
    ]

    assert (await client.usage(content))["input_tokens"] > 3_500


STREAMED = {
    "text": {"content": "Tell me a story"},
    "tools": {"content": "The weather in Tokyo [[simulate: parallel=2]]", "tools": [WEATHER]},
    "thinking": {"content": "Hi", "thinking": THINK, "max_tokens": 2_000},
    "redacted": {"content": "Hi [[simulate: redacted]]", "thinking": THINK, "max_tokens": 2_000},
    "nothing left": {"content": "Hi", "stop_sequences": ["This"]},
}


@pytest.mark.parametrize("fields", STREAMED.values(), ids=STREAMED.keys())
async def test_a_stream_adds_up_to_the_whole_answer(client: Client, fields: dict[str, Any]) -> None:
    whole = await client.message(**fields)

    streamed = assembled(await client.events(**fields))

    assert {**streamed, "id": ""} == {**whole, "id": ""}


async def test_a_stream_has_the_documented_order(client: Client) -> None:
    types = [event["type"] for event in await client.events()]

    assert types[:3] == ["message_start", "content_block_start", "ping"]
    assert set(types[3:-3]) == {"content_block_delta"}
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


async def test_message_start_holds_a_placeholder_output_count(client: Client) -> None:
    events = await client.events("Go on [[simulate: output_tokens=200]]")

    assert events[0]["message"]["usage"]["output_tokens"] == 1
    assert events[-2]["usage"]["output_tokens"] == 200


def test_network_chunks_do_not_follow_events() -> None:
    frames = [f"event: x\ndata: {number}\n\n".encode() for number in range(200)]
    network = NetworkChunks(random.Random(7))
    chunks = [chunk for frame in frames for chunk in network.push(frame)] + [network.flush()]

    assert b"".join(chunks) == b"".join(frames)
    assert len([chunk for chunk in chunks if not chunk.endswith(b"\n\n")]) > 20


@pytest.mark.parametrize("text", ["", "Hello, wörld 12345!", " lead and trail ", "extraordinarily"])
def test_split_text_joins_to_itself(text: str) -> None:
    assert "".join(split_text(text)) == text
    assert len(split_text(text)) == count_text(text)


async def test_counting_needs_no_max_tokens_and_agrees_with_usage(client: Client) -> None:
    body = request_of("Tell me a story", tools=[WEATHER], system="Be brief")
    del body["max_tokens"]

    counted = await client.post("/v1/messages/count_tokens", body)

    usage = await client.usage("Tell me a story", tools=[WEATHER], system="Be brief")
    assert counted.json() == {"input_tokens": usage["input_tokens"]}


async def test_models_are_listed_newest_first(client: Client) -> None:
    page = (await client.get("/v1/models?limit=1000")).json()

    created = [model["created_at"] for model in page["data"]]
    assert created == sorted(created, reverse=True)
    assert page["first_id"] == page["data"][0]["id"]


async def test_a_model_is_found_by_its_alias(client: Client) -> None:
    assert (await client.get("/v1/models/claude-haiku-4-5")).json()["id"] == "claude-haiku-4-5-20251001"


async def test_every_simulated_offering_of_the_catalog_is_served(client: Client) -> None:
    listed = json.loads(CATALOG_FILE.read_text())["models"]
    ids = {offering["upstream_id"] for entry in listed for offering in entry["offerings"][:1]}

    served = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}

    assert ids == served
