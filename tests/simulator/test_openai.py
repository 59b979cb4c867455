"""The simulated OpenAI: chat completions and responses, read by OpenAI's own client, and what they refuse."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from simulator.app import Simulator
from tests.simulator.conftest import words

KEY = "sk-sim-acme"
USER = {"role": "user", "content": "Hello there"}
RAIN = {"role": "user", "content": "What's the weather in Tokyo?"}
PARAMETERS = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
FLAT_WEATHER = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TERSE = "Go on [[simulate: output_tokens=20]]"
LONG = f"Think about {words(40)}"


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=simulator)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator", headers=headers) as client:
        yield client


async def chat(http: httpx.AsyncClient, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"model": "gpt-4o", "messages": list(messages) or [USER], **fields}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def chunks(http: httpx.AsyncClient, *messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    body = {"model": "gpt-4o", "messages": list(messages) or [USER], "stream": True, **fields}
    answer = await http.post("/v1/chat/completions", json=body)
    *parts, done = answer.text.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(part.removeprefix("data: ")) for part in parts]


async def respond(http: httpx.AsyncClient, given: Any, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/v1/responses", json={"model": "gpt-4o", "input": given, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def response_events(http: httpx.AsyncClient, given: Any, **fields: Any) -> list[dict[str, Any]]:
    answer = await http.post("/v1/responses", json={"model": "gpt-4o", "input": given, "stream": True, **fields})
    events = []
    for part in answer.text.strip().split("\n\n"):
        name, data = part.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


async def test_a_chat_completion_counts_its_tokens(http: httpx.AsyncClient) -> None:
    answer = await chat(http, {"role": "user", "content": TERSE})

    usage = answer["usage"]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert usage["completion_tokens"] == 20
    assert usage["total_tokens"] == usage["prompt_tokens"] + 20


async def test_cached_tokens_are_a_part_of_the_prompt(http: httpx.AsyncClient) -> None:
    asked = {"role": "user", "content": words(2_000)}

    first, second = [(await chat(http, asked))["usage"] for _ in range(2)]

    assert first["prompt_tokens"] == second["prompt_tokens"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    # 2,004 tokens, of which the cache reads in steps of 128.
    assert second["prompt_tokens_details"]["cached_tokens"] == 1_920


STREAMED = {
    "text": ([{"role": "user", "content": TERSE}], {}),
    "calls": (
        [{"role": "user", "content": "The weather in Tokyo [[simulate: parallel=2]]"}],
        {"tools": [WEATHER]},
    ),
    "refusal": ([{"role": "user", "content": "Go on [[simulate: stop=refusal]]"}], {}),
    "limit": ([USER], {"max_tokens": 5}),
}


@pytest.mark.parametrize(("messages", "fields"), STREAMED.values(), ids=STREAMED.keys())
async def test_chunks_add_up_to_the_whole_completion(
    http: httpx.AsyncClient, messages: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    whole = (await chat(http, *messages, **fields))["choices"][0]
    text, calls, refusal, finish = None, {}, None, None

    for chunk in await chunks(http, *messages, **fields):
        [choice] = chunk["choices"]
        finish = choice["finish_reason"] or finish
        delta = choice["delta"]
        if delta.get("content") is not None:
            text = (text or "") + delta["content"]
        refusal = delta.get("refusal") or refusal
        for call in delta.get("tool_calls", ()):
            calls.setdefault(call["index"], call)["function"]["arguments"] += (
                "" if "id" in call else call["function"]["arguments"]
            )

    assert finish == whole["finish_reason"]
    assert refusal == whole["message"]["refusal"]
    assert (text or None) == (whole["message"]["content"] or None)
    assert [json.loads(call["function"]["arguments"]) for call in calls.values()] == [
        json.loads(call["function"]["arguments"]) for call in whole["message"].get("tool_calls", ())
    ]


async def test_usage_is_streamed_when_asked_for(http: httpx.AsyncClient) -> None:
    without = await chunks(http)
    *others, last = await chunks(http, stream_options={"include_usage": True})

    assert not any("usage" in chunk for chunk in without)
    assert {chunk["usage"] for chunk in others} == {None}
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] > 0


async def test_a_tool_is_called_and_its_result_answered(http: httpx.AsyncClient) -> None:
    called = (await chat(http, RAIN, tools=[WEATHER]))["choices"][0]
    call = called["message"]["tool_calls"][0]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "18 degrees"}

    told = (await chat(http, RAIN, called["message"], result, tools=[WEATHER]))["choices"][0]

    assert (called["finish_reason"], called["message"]["content"]) == ("tool_calls", None)
    assert json.loads(call["function"]["arguments"]) == {"location": "Tokyo"}
    assert told["finish_reason"] == "stop"


CHOICES = {
    "none": ("none", []),
    "required": ("required", ["get_weather"]),
    "named": ({"type": "function", "function": {"name": "get_weather"}}, ["get_weather"]),
}


@pytest.mark.parametrize(("choice", "expected"), CHOICES.values(), ids=CHOICES.keys())
async def test_tools_are_called_as_chosen(http: httpx.AsyncClient, choice: object, expected: list[str]) -> None:
    asked = RAIN if choice == "none" else USER

    message = (await chat(http, asked, tools=[WEATHER], tool_choice=choice))["choices"][0]["message"]

    assert [call["function"]["name"] for call in message.get("tool_calls", ())] == expected


async def test_calls_come_one_at_a_time_where_that_is_asked(http: httpx.AsyncClient) -> None:
    asked = {"role": "user", "content": "The weather, in parallel"}

    both = await chat(http, asked, tools=[WEATHER])
    one = await chat(http, asked, tools=[WEATHER], parallel_tool_calls=False)

    assert [len(answer["choices"][0]["message"]["tool_calls"]) for answer in (both, one)] == [2, 1]


async def test_a_schema_gets_json_that_fits(http: httpx.AsyncClient) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}

    answer = await chat(http, {"role": "user", "content": "I was in Oslo"}, response_format=schema)

    assert json.loads(answer["choices"][0]["message"]["content"]) == {"city": "Oslo"}


async def test_reasoning_is_counted_and_not_shown(http: httpx.AsyncClient) -> None:
    message = {"role": "user", "content": LONG}

    answer = await chat(http, message, model="gpt-5")

    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    assert answer["choices"][0]["message"]["content"].startswith("This answer is simulated.")


async def test_a_model_may_be_told_not_to_reason(http: httpx.AsyncClient) -> None:
    message = {"role": "user", "content": LONG}

    answer = await chat(http, message, model="gpt-5.1", reasoning_effort="none")

    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


@pytest.mark.parametrize(("model", "effort"), [("gpt-5.4", "none"), ("gpt-5.4", None), ("gpt-5", "low"), ("o3", "low")])
async def test_tools_are_taken_without_an_effort_or_by_an_older_model(
    http: httpx.AsyncClient, model: str, effort: str | None
) -> None:
    answer = await chat(http, RAIN, model=model, tools=[WEATHER], reasoning_effort=effort)

    assert answer["choices"][0]["finish_reason"] == "tool_calls"


REFUSED = {
    "unknown parameter": ({"fallbacks": []}, "unknown_parameter", "fallbacks"),
    "no messages": ({"messages": []}, "empty_array", "messages"),
    "messages that are none": ({"messages": "hi"}, "invalid_type", "messages"),
    "unknown role": ({"messages": [{"role": "bot", "content": "x"}]}, "invalid_value", "messages[0].role"),
    "no content": ({"messages": [{"role": "user"}]}, "invalid_type", "messages[0].content"),
    "unknown part": (
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        "invalid_value",
        "messages[0].content[0].type",
    ),
    "cache mark": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
        "unknown_parameter",
        "messages[0].content[0].cache_control",
    ),
    "temperature": ({"temperature": 2.5}, "decimal_above_max_value", "temperature"),
    "zero tokens": ({"max_tokens": 0}, "integer_below_min_value", "max_tokens"),
    "stop on reasoning": ({"model": "gpt-5", "stop": ["x"]}, "unsupported_parameter", "stop"),
    "effort": ({"model": "gpt-5", "reasoning_effort": "max"}, "unsupported_value", "reasoning_effort"),
    "effort beside tools": (
        {"model": "gpt-5.4", "reasoning_effort": "low", "tools": [WEATHER]},
        None,
        "reasoning_effort",
    ),
    "no reasoning": ({"reasoning_effort": "low"}, None, None),
    "many tokens": ({"max_completion_tokens": 16_385}, None, "max_completion_tokens"),
    "JSON without the word": ({"response_format": {"type": "json_object"}}, None, "messages"),
    "tool": ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
}


@pytest.mark.parametrize(("fields", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_wrong_request_is_refused_by_its_parameter(
    http: httpx.AsyncClient, fields: dict[str, Any], code: str | None, param: str | None
) -> None:
    body = {"model": "gpt-4o", "messages": [USER], **fields}

    answer = await http.post("/v1/chat/completions", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == (code, param)


async def test_an_unknown_model_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json={"model": "gpt-9", "messages": [USER]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


ITEMS = {
    "text": ("Hello there", {}),
    "call": (RAIN["content"], {"tools": [FLAT_WEATHER]}),
    "thought": (LONG, {"model": "gpt-5", "reasoning": {"effort": "high", "summary": "auto"}}),
    "limit": (LONG, {"max_output_tokens": 16}),
    "refusal": ("Go on [[simulate: stop=refusal]]", {}),
}


@pytest.mark.parametrize(("given", "fields"), ITEMS.values(), ids=ITEMS.keys())
async def test_the_events_of_a_response_end_with_the_whole(
    http: httpx.AsyncClient, given: str, fields: dict[str, Any]
) -> None:
    whole = await respond(http, given, **fields)

    *events, last = await response_events(http, given, **fields)

    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    said = [{**item, "id": ""} for item in last["response"]["output"]]
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert done == last["response"]["output"]
    assert said == [{**item, "id": ""} for item in whole["output"]]
    assert last["type"] == f"response.{whole['status']}"


async def test_the_events_of_a_text_come_in_order(http: httpx.AsyncClient) -> None:
    types = [event["type"].removeprefix("response.") for event in await response_events(http, TERSE)]

    assert list(dict.fromkeys(types)) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.done", "content_part.done", "output_item.done", "completed"),
    ]


async def test_a_response_that_was_cut_off_says_why(http: httpx.AsyncClient) -> None:
    response = await respond(http, LONG, max_output_tokens=16)

    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 16


async def test_a_summary_and_encrypted_thoughts_come_when_asked_for(http: httpx.AsyncClient) -> None:
    include = ["reasoning.encrypted_content"]

    plain = await respond(http, LONG, model="gpt-5")
    asked = await respond(http, LONG, model="gpt-5", reasoning={"summary": "auto"}, include=include)

    assert plain["output"][0]["summary"] == []
    assert "encrypted_content" not in plain["output"][0]
    assert asked["output"][0]["summary"][0]["text"].startswith("This thinking is simulated.")
    assert asked["output"][0]["encrypted_content"]


async def test_items_of_a_turn_with_a_call_are_taken_back(http: httpx.AsyncClient) -> None:
    called = await respond(http, RAIN["content"], tools=[FLAT_WEATHER])
    [call] = called["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "18 degrees"}

    told = await respond(http, [RAIN, call, result], tools=[FLAT_WEATHER])

    assert [item["type"] for item in told["output"]] == ["message"]


RESPONSES_REFUSED = {
    "no input": ({"input": None}, 400, "invalid_type"),
    "earlier response": ({"previous_response_id": "resp_1"}, 400, "previous_response_not_found"),
    "no reasoning": ({"reasoning": {"effort": "low"}}, 400, "unsupported_parameter"),
    "few tokens": ({"max_output_tokens": 15}, 400, "integer_below_min_value"),
    "a chat's parameter": ({"messages": []}, 400, "unknown_parameter"),
    "unknown item": ({"input": [{"type": "computer"}]}, 400, "invalid_value"),
    "reference": ({"input": [{"type": "item_reference", "id": "x"}]}, 404, None),
}


@pytest.mark.parametrize(("fields", "status", "code"), RESPONSES_REFUSED.values(), ids=RESPONSES_REFUSED.keys())
async def test_a_wrong_response_is_refused(
    http: httpx.AsyncClient, fields: dict[str, Any], status: int, code: str | None
) -> None:
    answer = await http.post("/v1/responses", json={"model": "gpt-4o", "input": "Hi", **fields})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_responses_are_not_kept(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/responses/resp_1")).status_code == 404


async def test_models_are_listed_by_the_api_whose_headers_ask(http: httpx.AsyncClient) -> None:
    native = {"x-api-key": "sk-ant-sim-acme", "anthropic-version": "2023-06-01"}
    newer = {"authorization": "Bearer sk-ant-sim-acme", "anthropic-version": "2026-10-21"}

    models = (await http.get("/v1/models")).json()
    one = await http.get("/v1/models/gpt-4o")
    others = [(await http.get("/v1/models", headers=headers)).json() for headers in (native, newer)]

    assert models["object"] == "list"
    assert "gpt-4o" in [model["id"] for model in models["data"]]
    assert one.json()["object"] == "model"
    assert all(other["data"][0]["type"] == "model" for other in others)


FAILURES = {
    "noaccess": (403, None),
    "nocredit": (429, "insufficient_quota"),
    "nobilling": (402, "billing_not_active"),
    "nomodel": (404, "model_not_found"),
    "ratelimited": (429, "rate_limit_exceeded"),
    "overloaded": (503, "server_overloaded"),
    "error": (500, None),
    "timeout": (504, "timeout"),
}


@pytest.mark.parametrize("ending", FAILURES)
async def test_a_key_makes_a_call_fail_in_the_words_of_openai(http: httpx.AsyncClient, ending: str) -> None:
    headers = {"authorization": f"Bearer {KEY}-{ending}"}

    answer = await http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": [USER]}, headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == FAILURES[ending]


@pytest.mark.parametrize(
    ("key", "code"), [("", None), ("sk-proj-real", "invalid_api_key"), ("sk-sim-bad", "invalid_api_key")]
)
async def test_a_key_is_required(http: httpx.AsyncClient, key: str, code: str | None) -> None:
    answer = await http.get("/v1/chat/completions", headers={"authorization": f"Bearer {key}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


async def test_a_stream_can_end_with_an_error(http: httpx.AsyncClient) -> None:
    broken = {"model": "gpt-4o", "stream": True}
    asked = "Go on [[simulate: error_mid_stream]]"

    chunked = await http.post("/v1/chat/completions", json={**broken, "messages": [{"role": "user", "content": asked}]})
    events = await response_events(http, asked)

    last = json.loads(chunked.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "server_overloaded"
    assert (events[-1]["type"], events[-1]["response"]["status"]) == ("response.failed", "failed")
    assert events[-1]["response"]["error"]["code"] == "server_overloaded"


async def test_the_openai_sdk_reads_answers_streams_and_errors(http: httpx.AsyncClient) -> None:
    async with openai.AsyncOpenAI(
        base_url="http://simulator/v1", api_key=KEY, max_retries=0, http_client=http
    ) as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=[RAIN], tools=[WEATHER])
        async with client.chat.completions.stream(model="gpt-4o", messages=[RAIN], tools=[WEATHER]) as stream:
            streamed = await stream.get_final_completion()
        async with client.responses.stream(model="gpt-5", input=LONG) as events:
            response = await events.get_final_response()
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="gpt-9", messages=[USER])

    whole, parts = completion.choices[0].message.tool_calls, streamed.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in whole] == [
        json.loads(call.function.arguments) for call in parts
    ]
    assert response.output_text.startswith("This answer is simulated.")
