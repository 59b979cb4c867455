"""What is refused, in the provider's envelope; and failures on demand."""

from typing import Any

import anthropic
import httpx
import pytest

from keys.credentials import make_simulated_secret
from simulator.app import Simulator
from simulator.limits import Limits
from tests.simulator.conftest import KEY, MODEL, Client, Clock, events_in, request_of
from tests.simulator.running import Running

HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
USER = {"role": "user", "content": "Hi"}
THINK = {"type": "enabled", "budget_tokens": 2_000}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_2", "content": "x"}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in request_of().items() if name not in names}


REFUSED = {
    "no model": (without("model"), "model: Field required"),
    "no max_tokens": (without("max_tokens"), "max_tokens: Field required"),
    "no messages": (without("messages"), "messages: Field required"),
    "empty messages": (request_of(messages=[]), "messages: at least one message is required"),
    "wrong type": (request_of(max_tokens="many"), "max_tokens: Input should be a valid integer"),
    "zero max_tokens": (request_of(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
    "too many max_tokens": (request_of(max_tokens=200_000), "max_tokens: 200000 > 128000, which is the maximum"),
    "system role": (request_of(messages=[{"role": "system", "content": "x"}]), 'messages: Unexpected role "system"'),
    "empty text": (request_of([{"type": "text", "text": ""}]), "messages: text content blocks must be non-empty"),
    "marked thinking": (
        request_of([{"type": "thinking", "thinking": "x", "signature": "y", "cache_control": {"type": "ephemeral"}}]),
        "messages.0.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "wrong ttl": (
        request_of(cache_control={"type": "ephemeral", "ttl": "2h"}),
        "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
    "budget over max_tokens": (
        request_of(thinking=THINK),
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "budget too small": (
        request_of(thinking={"type": "enabled", "budget_tokens": 1_000}),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "no adaptive thinking": (
        request_of(model="claude-haiku-4-5", thinking={"type": "adaptive"}),
        "adaptive thinking is not supported on this model",
    ),
    "no manual thinking": (
        request_of(model="claude-opus-4-8", thinking=THINK, max_tokens=4_000),
        '"thinking.type.enabled" is not supported for this model',
    ),
    "no thinking where there is always some": (
        request_of(model="claude-opus-5-5", thinking={"type": "disabled"}),
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive"',
    ),
    "disabled where it is between_tools": (
        request_of(model="claude-sonnet-5-5", thinking={"type": "disabled"}),
        'To turn thinking off on this model, send "thinking": {"type": "between_tools"}',
    ),
    "between_tools where it is disabled": (
        request_of(model="claude-opus-5", thinking={"type": "between_tools"}),
        '"thinking.type.between_tools" is not supported for this model.',
    ),
    "thinking off at a high effort": (
        request_of(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "xhigh"}),
        "\"thinking.type.disabled\" is not supported at effort 'xhigh'",
    ),
    "thinking and a forced tool": (
        request_of(
            thinking=THINK,
            max_tokens=4_000,
            tools=[{"name": "f", "input_schema": {}}],
            tool_choice={"type": "any"},
        ),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "thinking and temperature": (
        request_of(thinking=THINK, max_tokens=4_000, temperature=0.5),
        "`temperature` may only be set to 1 when thinking is enabled",
    ),
    "temperature and top_p": (
        request_of(temperature=0.5, top_p=0.5),
        "`temperature` and `top_p` cannot both be specified for this model.",
    ),
    **{
        f"{name} where no sampling is": (
            request_of(model="claude-opus-4-8", **{name: value}),
            f"`{name}` is deprecated for this model.",
        )
        for name, value in {"temperature": 0.5, "top_p": 0.5, "top_k": 5}.items()
    },
    "temperature above one": (request_of(temperature=1.5), "temperature: range: 0..1"),
    "unanswered call": (
        request_of(messages=[USER, {"role": "assistant", "content": [CALL]}, USER]),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.",
    ),
    "answer without a call": (
        request_of([RESULT]),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_2.",
    ),
    "two tools of one name": (
        request_of(tools=[{"name": "f", "input_schema": {}}] * 2),
        "tools: Tool names must be unique.",
    ),
    **{
        f"{choice['type']} where no tool is forced": (
            request_of(model="claude-sonnet-5-5", tools=[{"name": "f", "input_schema": {}}], tool_choice=choice),
            'tool_choice: type "tool" and "any" are not supported for this model.',
        )
        for choice in ({"type": "any"}, {"type": "tool", "name": "f"})
    },
    "unknown forced tool": (
        request_of(tools=[{"name": "f", "input_schema": {}}], tool_choice={"type": "tool", "name": "g"}),
        "tool_choice.tool.name: Tool 'g' not found in provided tools",
    ),
    "a tool's schema that is none": (
        request_of(tools=[{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "thing"}}}}]),
        "tools.0.custom.input_schema: JSON schema is invalid.",
    ),
    "an answer's schema that is none": (
        request_of(output_config={"format": {"type": "json_schema", "schema": {"anyOf": "any"}}}),
        "output_config.format.schema: JSON schema is invalid.",
    ),
    "unknown effort": (request_of(output_config={"effort": "heroic"}), "output_config.effort: Input should be one of"),
    "a stop that is no text": (
        request_of(stop_sequences=[5]),
        "stop_sequences.0: Input should be a valid string",
    ),
    "a stop of nothing but space": (
        request_of(stop_sequences=["\n"]),
        "stop_sequences.0: each stop sequence must contain non-whitespace",
    ),
    "prompt too long": (
        request_of("a " * 200_001, model="claude-haiku-4-5"),
        "prompt is too long: 200008 tokens > 200000 maximum",
    ),
    "not an object": ([1], "Input should be a valid dictionary"),
}


@pytest.mark.parametrize(("body", "beginning"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_wrong_request_is_refused_in_words(client: Client, body: object, beginning: str) -> None:
    status, kind, message = await client.error(body)

    assert (status, kind) == (400, "invalid_request_error")
    assert message.startswith(beginning)


async def test_sampling_as_it_is_by_default_is_let_pass(client: Client) -> None:
    answer = await client.post("/v1/messages", request_of(model="claude-opus-4-8", temperature=1, top_p=1))

    assert answer.status_code == 200


async def test_an_unknown_model_is_not_found(client: Client) -> None:
    assert await client.error(request_of(model="claude-x")) == (404, "not_found_error", "model: claude-x")


async def test_a_body_that_is_not_json_is_refused(client: Client) -> None:
    answer = await client.http.post("/v1/messages", content=b"{", headers=HEADERS)

    assert answer.json()["error"]["message"] == "The request body is not valid JSON."


@pytest.mark.parametrize(
    ("headers", "message"),
    [({}, "x-api-key header is required"), ({"x-api-key": "sk-ant-api03-real"}, "invalid x-api-key")],
    ids=["missing", "not simulated"],
)
async def test_a_key_is_required(client: Client, headers: dict[str, str], message: str) -> None:
    answer = await client.http.get("/v1/models", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["error"] == {"type": "authentication_error", "message": message}
    assert answer.json()["request_id"] == answer.headers["request-id"]


FAILURES = {
    "auth": (401, "authentication_error"),
    "credit": (400, "invalid_request_error"),
    "billing": (402, "billing_error"),
    "permission": (403, "permission_error"),
    "not_found": (404, "not_found_error"),
    "rate_limit": (429, "rate_limit_error"),
    "overloaded": (529, "overloaded_error"),
    "error": (500, "api_error"),
    "timeout": (504, "timeout_error"),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_header_makes_a_call_fail(client: Client, name: str) -> None:
    client.headers["x-simulate"] = name

    assert (await client.error(request_of()))[:2] == FAILURES[name]


@pytest.mark.parametrize("name", FAILURES)
async def test_a_directive_makes_a_call_fail(client: Client, name: str) -> None:
    assert (await client.error(request_of(f"Hi [[simulate: {name}]]")))[:2] == FAILURES[name]


KEYS = {
    "sk-ant-sim-bad1": (401, "authentication_error"),
    "sk-ant-sim-acme-nocredit": (400, "invalid_request_error"),
    "sk-ant-sim-acme-nobilling": (402, "billing_error"),
    "sk-ant-sim-acme-noaccess": (403, "permission_error"),
    "sk-ant-sim-acme-nomodel": (404, "not_found_error"),
    "sk-ant-sim-acme-ratelimited": (429, "rate_limit_error"),
    "sk-ant-sim-acme-overloaded": (529, "overloaded_error"),
}


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_makes_a_call_fail(client: Client, key: str) -> None:
    client.key = key

    assert (await client.error(request_of()))[:2] == KEYS[key]


async def test_no_credit_leaves_the_free_check_alone(client: Client) -> None:
    client.key = "sk-ant-sim-acme-nocredit"

    assert (await client.get("/v1/models")).status_code == 200
    assert "Your credit balance is too low" in (await client.error(request_of()))[2]


async def test_a_rate_limit_says_when_to_come_back(client: Client) -> None:
    client.key = "sk-ant-sim-acme-ratelimited"

    answer = await client.get("/v1/models")

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "anthropic-ratelimit-requests-limit" in answer.headers


async def test_a_flaky_key_fails_every_other_time(client: Client) -> None:
    client.key = "sk-ant-sim-acme-flaky"

    statuses = [(await client.post("/v1/messages", request_of())).status_code for _ in range(4)]

    assert statuses == [529, 200, 529, 200]


async def test_used_up_limits_refuse_until_the_minute_ends(clock: Clock) -> None:
    transport = httpx.ASGITransport(app=Simulator(clock=clock, limits=Limits(requests=2)))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as http:
        client = Client(http)
        first = await client.post("/v1/messages", request_of())
        statuses = [(await client.post("/v1/messages", request_of())).status_code for _ in range(2)]
        clock.now += 60
        later = await client.post("/v1/messages", request_of())

    assert first.headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert [*statuses, later.status_code] == [200, 429, 200]


async def test_an_unknown_path_is_not_found(client: Client) -> None:
    assert (await client.post("/v1/other", {})).status_code == 404
    assert (await client.get("/v1/messages")).status_code == 405


async def test_an_error_can_come_in_mid_stream(client: Client) -> None:
    client.headers["x-simulate"] = "error_mid_stream"

    events = await client.events()

    assert events[0]["type"] == "message_start"
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "overloaded_error")


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_a_cut_breaks_the_connection(running: Running, is_stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(
            f"{running.origin}/v1/messages",
            json=request_of(stream=is_stream),
            headers={**HEADERS, "x-simulate": "cut"},
        )


@pytest.mark.parametrize("name", ["stall", "stall_mid_stream"])
def test_a_stall_sends_nothing_more(running: Running, name: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{running.origin}/v1/messages",
            json=request_of(stream=True),
            headers={**HEADERS, "x-simulate": name},
            timeout=0.3,
        )


def test_a_real_socket_carries_a_whole_stream(running: Running) -> None:
    answer = httpx.post(f"{running.origin}/v1/messages", json=request_of(stream=True), headers=HEADERS)

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert events_in(answer.text)[-1]["type"] == "message_stop"


def test_the_anthropic_sdk_reads_answers_and_streams(running: Running) -> None:
    # Recent versions of the SDK send the key as a bearer token; the provider's own header is set beside it.
    with anthropic.Anthropic(base_url=running.origin, api_key=KEY, default_headers={"x-api-key": KEY}) as sdk:
        message = sdk.messages.create(model=MODEL, max_tokens=64, messages=[USER])
        with sdk.messages.stream(model=MODEL, max_tokens=64, messages=[USER]) as stream:
            streamed = stream.get_final_message()

    assert message.content[0].text == streamed.content[0].text
    assert message.usage.output_tokens == streamed.usage.output_tokens


async def test_a_secret_made_for_the_simulator_is_taken(client: Client) -> None:
    client.key = make_simulated_secret().reveal()

    assert (await client.get("/v1/models")).status_code == 200
