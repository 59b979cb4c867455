"""The simulated Amazon Bedrock: what it answers, what it refuses, and how its streams break."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx
import pytest
from botocore.eventstream import ChecksumMismatch

from simulator.app import Simulator
from tests.simulator.conftest import words
from tests.simulator.running import Running
from tests.simulator.signing import ORIGIN, SONNET, aws_body, events_in_frames, frames_in
from tests.simulator.test_messages import WEATHER, assembled

KEY = "ABSKSIM-acme"
NEWEST = "us.anthropic.claude-opus-4-8"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TERSE = "Go on [[simulate: output_tokens=20]]"


class Bedrock:
    """Calls the simulator in this process with an API key; signatures have tests of their own."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.key = KEY

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"authorization": f"Bearer {self.key}"})

    async def invoke(self, content: Any = "Hello there", *, to: str = SONNET, **fields: Any) -> httpx.Response:
        return await self.post(f"/model/{to}/invoke", aws_body(content, **fields))

    async def stream(self, content: Any = "Hello there", **fields: Any) -> httpx.Response:
        return await self.post(f"/model/{SONNET}/invoke-with-response-stream", aws_body(content, **fields))


@pytest.fixture
async def bedrock(simulator: Simulator) -> AsyncIterator[Bedrock]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator), base_url=ORIGIN) as http:
        yield Bedrock(http)


def refusal_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, exception and message of a refusal."""
    name, _, namespace = answer.headers["x-amzn-errortype"].partition(":")
    assert namespace.startswith("http://internal.amazon.com/coral/")
    return answer.status_code, name, answer.json()["message"]


async def test_an_answer_is_a_message_and_counts_in_its_headers(bedrock: Bedrock) -> None:
    answer = await bedrock.invoke(TERSE)

    message = answer.json()
    assert (message["model"], message["stop_reason"]) == ("claude-sonnet-4-6", "end_turn")
    assert message["id"].startswith("msg_bdrk_")
    assert answer.headers["x-amzn-bedrock-output-token-count"] == "20"
    assert answer.headers["x-amzn-bedrock-input-token-count"] == str(message["usage"]["input_tokens"])


async def test_the_prompt_cache_is_behind_it(bedrock: Bedrock) -> None:
    system = [{"type": "text", "text": words(3_000), "cache_control": {"type": "ephemeral", "ttl": "1h"}}]

    first, second = [await bedrock.invoke(system=system) for _ in range(2)]

    assert first.json()["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 3_000
    assert second.headers["x-amzn-bedrock-cache-read-input-token-count"] == "3000"


STREAMED = {
    "text": {"content": TERSE},
    "tools": {"content": "The weather in Tokyo", "tools": [WEATHER]},
    "thinking": {"content": "Hi", "thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 2_000},
}


@pytest.mark.parametrize("fields", STREAMED.values(), ids=STREAMED.keys())
async def test_a_stream_adds_up_to_the_whole_answer(bedrock: Bedrock, fields: dict[str, Any]) -> None:
    whole = (await bedrock.invoke(**fields)).json()

    streamed = assembled(events_in_frames((await bedrock.stream(**fields)).content))

    assert {**streamed, "id": ""} == {**whole, "id": ""}


async def test_a_stream_ends_with_the_counts_and_has_no_pings(bedrock: Bedrock) -> None:
    answer = await bedrock.stream(TERSE)

    events = events_in_frames(answer.content)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert "ping" not in [event["type"] for event in events]
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 20


async def test_frames_are_padded_to_odd_lengths(bedrock: Bedrock) -> None:
    frames = frames_in((await bedrock.stream("Tell me a story")).content)

    assert len({len(json.loads(frame.payload)["p"]) for frame in frames}) > 3


BODIES = {
    "a model": ({"model": "claude"}, "Malformed input request: #: extraneous key [model] is not permitted"),
    "a stream": ({"stream": False}, "Malformed input request: #: extraneous key [stream] is not permitted"),
    "no version": (
        {"anthropic_version": None},
        "Malformed input request: #: required key [anthropic_version] not found",
    ),
    "another version": (
        {"anthropic_version": "2023-06-01"},
        "Malformed input request: #/anthropic_version: 2023-06-01 is not a valid enum value",
    ),
    "an automatic breakpoint": (
        {"cache_control": {"type": "ephemeral"}},
        "cache_control: Extra inputs are not permitted",
    ),
    "an unknown beta": (
        {"anthropic_beta": ["prompt-caching-scope-2026-01-05"]},
        "The model returned the following errors: invalid beta flag",
    ),
    "betas that are no list": (
        {"anthropic_beta": "context-1m-2025-08-07"},
        "The model returned the following errors: invalid beta flag",
    ),
    "a tool of Anthropic's": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tools.0: Input tag 'web_search_20250305' found using 'type' does not match",
    ),
    "no messages": ({"messages": None}, "messages: Field required"),
}


@pytest.mark.parametrize(("fields", "beginning"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_it_does_not_take_is_refused(bedrock: Bedrock, fields: Any, beginning: str) -> None:
    status, name, message = refusal_of(await bedrock.invoke(**fields))

    assert (status, name) == (400, "ValidationException")
    assert message.startswith(beginning)


SCHEMA = {"format": {"type": "json_schema", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"output_config": SCHEMA}, "output_config.format: Extra inputs are not permitted"),
        ({"tools": [{**WEATHER, "strict": True}]}, "tools.0.custom.strict: Extra inputs are not permitted"),
    ],
    ids=["schema", "strict"],
)
async def test_no_schema_is_enforced_by_the_newest_models(bedrock: Bedrock, fields: Any, message: str) -> None:
    assert refusal_of(await bedrock.invoke(to=NEWEST, **fields)) == (400, "ValidationException", message)
    assert (await bedrock.invoke(to=SONNET, **fields)).status_code == 200


@pytest.mark.parametrize("ttl", ["5m", "1h"])
async def test_no_lifetime_is_named_to_models_before_4_5(bedrock: Bedrock, ttl: str) -> None:
    marked = [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": ttl}}]

    message = refusal_of(await bedrock.invoke(marked, to="us.anthropic.claude-sonnet-4-20250514-v1:0"))[2]

    assert message == "messages.0.content.0.cache_control.ephemeral.ttl: Extra inputs are not permitted"
    assert (await bedrock.invoke(marked)).status_code == 200


@pytest.mark.parametrize("kind", ["image", "document"])
@pytest.mark.parametrize("is_in_result", [False, True], ids=["message", "tool result"])
async def test_sources_by_url_are_refused(bedrock: Bedrock, kind: str, is_in_result: bool) -> None:
    block = {"type": kind, "source": {"type": "url", "url": "https://example.com/x"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}

    _, name, message = refusal_of(await bedrock.invoke([result if is_in_result else block]))

    assert name == "ValidationException"
    assert f"{kind}.source: Input tag 'url'" in message


MODELS = {
    "an unknown model": "us.anthropic.claude-9",
    "Anthropic's own id": "claude-sonnet-4-6",
    "a global profile that is not offered": "global.anthropic.claude-3-5-haiku-20241022-v1:0",
    "an ARN of something else": "arn:aws:bedrock:us-east-1:1:guardrail%2Fx",
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
async def test_a_model_that_is_not_there_is_refused(bedrock: Bedrock, model: str) -> None:
    answer = await bedrock.invoke(to=model)

    assert refusal_of(answer) == (400, "ValidationException", "The provided model identifier is invalid.")


FORMS = {
    "bare": "anthropic.claude-sonnet-4-6",
    "area": "apac.anthropic.claude-sonnet-4-6",
    "global": "global.anthropic.claude-sonnet-4-6",
    "version": HAIKU,
    "encoded": HAIKU.replace(":", "%3A"),
    "profile": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile%2F{SONNET}",
    "own profile": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fclaude-sonnet-4-6",
    "foundation model": "arn:aws:bedrock:us-east-1::foundation-model%2Fanthropic.claude-sonnet-4-6",
}


@pytest.mark.parametrize("model", FORMS.values(), ids=FORMS.keys())
async def test_every_form_of_an_id_reaches_its_model(bedrock: Bedrock, model: str) -> None:
    assert (await bedrock.invoke(to=model)).status_code == 200


async def test_the_newest_version_is_for_the_newest_models(bedrock: Bedrock) -> None:
    newest = await bedrock.invoke(to=NEWEST, anthropic_version="2026-10-21")
    older = await bedrock.invoke(to=HAIKU, anthropic_version="2026-10-21")

    assert (newest.status_code, older.status_code) == (200, 400)


async def test_tokens_are_counted_as_they_are_charged(bedrock: Bedrock) -> None:
    body = base64.b64encode(json.dumps(aws_body("How many?", tools=[WEATHER])).encode()).decode()

    counted = await bedrock.post(f"/model/{SONNET}/count-tokens", {"input": {"invokeModel": {"body": body}}})

    charged = (await bedrock.invoke("How many?", tools=[WEATHER])).json()["usage"]["input_tokens"]
    assert counted.json() == {"inputTokens": charged}


@pytest.mark.parametrize(
    "given", [{}, {"converse": {}}, {"invokeModel": {"body": "{"}}], ids=["nothing", "another form", "not Base64"]
)
async def test_tokens_of_nothing_are_not_counted(bedrock: Bedrock, given: object) -> None:
    answer = await bedrock.post(f"/model/{SONNET}/count-tokens", {"input": given})

    assert refusal_of(answer)[:2] == (400, "ValidationException")


async def test_models_and_profiles_are_listed(bedrock: Bedrock) -> None:
    async def listed(path: str, name: str) -> list[dict[str, Any]]:
        answer = await bedrock.http.get(path, headers={"authorization": f"Bearer {KEY}"})
        return list(answer.json()[name])

    models = await listed("/foundation-models?byProvider=anthropic", "modelSummaries")
    others = await listed("/foundation-models?byProvider=meta", "modelSummaries")
    profiles = await listed("/inference-profiles", "inferenceProfileSummaries")

    assert "anthropic.claude-sonnet-4-6" in [model["modelId"] for model in models]
    assert others == []
    assert SONNET in [profile["inferenceProfileId"] for profile in profiles]


FAILURES = {
    "noaccess": (403, "AccessDeniedException"),
    "nocredit": (403, "AccessDeniedException"),
    "nobilling": (403, "AccessDeniedException"),
    "nomodel": (404, "ResourceNotFoundException"),
    "ratelimited": (429, "ThrottlingException"),
    "overloaded": (503, "ServiceUnavailableException"),
    "error": (500, "InternalServerException"),
    "timeout": (408, "ModelTimeoutException"),
}


@pytest.mark.parametrize("ending", FAILURES)
async def test_a_key_makes_a_call_fail_in_the_words_of_aws(bedrock: Bedrock, ending: str) -> None:
    bedrock.key = f"{KEY}-{ending}"

    assert refusal_of(await bedrock.invoke())[:2] == FAILURES[ending]


@pytest.mark.parametrize("key", ["ABSKSIM-bad", "ABSKQmVkcm9jaw=="], ids=["bad", "not simulated"])
async def test_an_api_key_that_does_not_exist_is_refused(bedrock: Bedrock, key: str) -> None:
    bedrock.key = key

    message = "Authentication failed: Please make sure your API Key is valid."
    assert refusal_of(await bedrock.invoke()) == (403, "AccessDeniedException", message)


async def test_a_stream_can_end_with_an_exception(bedrock: Bedrock) -> None:
    answer = await bedrock.stream("Go on [[simulate: error_mid_stream]]")

    *_, last = frames_in(answer.content)
    assert last.headers[":message-type"] == "exception"
    assert last.headers[":exception-type"] == "serviceUnavailableException"
    assert json.loads(last.payload) == {"message": "Bedrock is unable to process your request."}


async def test_a_broken_stream_fails_its_checksum(bedrock: Bedrock) -> None:
    answer = await bedrock.stream("Go on [[simulate: broken]]")

    with pytest.raises(ChecksumMismatch):
        frames_in(answer.content)


async def test_an_unknown_operation_is_not_found(bedrock: Bedrock) -> None:
    assert refusal_of(await bedrock.post(f"/model/{SONNET}/converse", {}))[:2] == (404, "UnknownOperationException")


def test_the_anthropic_sdk_reads_answers_and_streams(running: Running) -> None:
    asked = {"model": NEWEST, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
    with anthropic.AnthropicBedrock(api_key=KEY, aws_region="us-east-1", base_url=running.origin) as sdk:
        message = sdk.messages.create(**asked)
        with sdk.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()

    assert message.content[0].text == streamed.content[0].text
    assert message.usage.output_tokens == streamed.usage.output_tokens
