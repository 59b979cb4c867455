"""Calls in the form that Bedrock takes: path, body, betas, counts; nothing of the rest is touched."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import yarl

from providers import bedrock
from providers.base import ModelCall, NotTranslatable, Shape, Target, TokenCounts, UnreadableAnswer, WrongRegion
from tests.providers import recordings
from tests.providers.recordings import needs_recordings

US = Target(settings={"region": "us-east-1"})
MODEL = "us.anthropic.claude-opus-4-6-v1"
PROFILE_ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
BODY = (
    b'{"model": "m", "max_tokens":16,"stream":true, "odd" : [1.0, 1e5, "\\u00e9/\\/", {"b":1,"a":2}] , "messages":[]}'
)

_MESSAGES_PATHS = [
    path
    for path in recordings.paths("bedrock-invoke-*.json")
    if "messages" in recordings.request_json(recordings.load(path))
]


def _call(body: bytes = BODY, **fields: Any) -> ModelCall:
    return ModelCall(fields.pop("model", MODEL), body, **fields)


def _sent(call: ModelCall, target: Target = US) -> dict[str, Any]:
    return json.loads(bedrock.build_request(call, target).body)


@needs_recordings
@pytest.mark.parametrize("path", _MESSAGES_PATHS, ids=lambda path: path.stem)
def test_recorded_requests_are_built_from_native_ones(path: Path) -> None:
    recording = recordings.load(path)
    recorded, parts = recordings.request_json(recording), urlsplit(recording["request"]["url"])
    model, is_stream = recording["model"], parts.path.endswith("-stream")
    native = {"model": model, **recorded, "stream": is_stream}
    native.pop("anthropic_version", None)

    outbound = bedrock.build_request(_call(json.dumps(native).encode(), model=model, stream=is_stream), US)

    assert outbound.method == recording["request"]["method"]
    assert unquote(outbound.url) == f"https://{parts.netloc}{unquote(parts.path)}"
    assert json.loads(outbound.body) == {"anthropic_version": "bedrock-2023-05-31", **recorded}


def test_model_and_stream_leave_the_body_and_the_rest_keeps_its_bytes() -> None:
    body = bedrock.build_request(_call(), US).body

    assert body == (
        b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":16,'
        b'"odd":[1.0, 1e5, "\\u00e9/\\/", {"b":1,"a":2}],"messages":[]}'
    )


def test_version_that_the_body_names_stays() -> None:
    assert _sent(_call(b'{"anthropic_version":"bedrock-2099-01-01"}'))["anthropic_version"] == "bedrock-2099-01-01"


@pytest.mark.parametrize(
    ("in_body", "in_header", "expected"),
    [
        (None, "", None),
        (None, "b-2, a-1 ,,b-2", ["b-2", "a-1"]),
        (["c-3", "a-1"], "", ["c-3", "a-1"]),
        (["c-3", "a-1"], "b-2,a-1", ["c-3", "a-1", "b-2"]),
        ([], "a-1", ["a-1"]),
        (None, "a-1", ["a-1"]),
        ("not a list", "a-1", "not a list"),
        ([1], "a-1", [1]),
    ],
)
def test_betas_of_the_header_join_those_of_the_body(in_body: object, in_header: str, expected: object) -> None:
    body = {"max_tokens": 1} if in_body is None else {"max_tokens": 1, "anthropic_beta": in_body}

    sent = _sent(_call(json.dumps(body).encode(), headers={"anthropic-beta": in_header}))

    assert sent.get("anthropic_beta") == expected


@pytest.mark.parametrize(
    ("in_body", "in_header", "expected"),
    [
        (None, "oauth-2025-04-20,prompt-caching-scope-2026-01-05", None),
        (None, "claude-code-20250219,a-1", ["a-1"]),
        (None, "advanced-tool-use-2025-11-20", ["tool-search-tool-2025-10-19"]),
        (None, "tool-search-tool-2025-10-19,advanced-tool-use-2025-11-20", ["tool-search-tool-2025-10-19"]),
        (["tool-search-tool-2025-10-19"], "advanced-tool-use-2025-11-20", ["tool-search-tool-2025-10-19"]),
        # What the client put in the body itself is its own to answer for.
        (["oauth-2025-04-20"], "oauth-2025-04-20", ["oauth-2025-04-20"]),
        (["advanced-tool-use-2025-11-20"], "a-1", ["advanced-tool-use-2025-11-20", "a-1"]),
    ],
)
def test_betas_of_the_header_that_bedrock_refuses_stay_behind(
    in_body: object, in_header: str, expected: object
) -> None:
    body = {"max_tokens": 1} if in_body is None else {"max_tokens": 1, "anthropic_beta": in_body}

    sent = _sent(_call(json.dumps(body).encode(), headers={"anthropic-beta": in_header}))

    assert sent.get("anthropic_beta") == expected


def test_body_that_no_beta_joins_keeps_the_bytes_of_its_own() -> None:
    body = b'{"anthropic_beta" : [ "c-3" ], "max_tokens":16}'

    sent = bedrock.build_request(_call(body, headers={"anthropic-beta": "oauth-2025-04-20"}), US).body

    assert b'"anthropic_beta":[ "c-3" ]' in sent.replace(b'" : [', b'":[')


def test_no_header_of_the_client_goes_on() -> None:
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "a-1",
        "x-claude-code-session-id": "s",
        "accept": "text/event-stream",
    }

    assert bedrock.build_request(_call(headers=headers), US).headers == {
        "content-type": "application/json",
        "accept": "application/json",
    }


@pytest.mark.parametrize(
    ("call", "target", "url"),
    [
        (
            _call(model="us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            US,
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
        ),
        (
            _call(model="anthropic.claude-x", stream=True),
            Target(settings={"region": "eu-central-1"}),
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/anthropic.claude-x/invoke-with-response-stream",
        ),
        (
            _call(model=PROFILE_ARN),
            US,
            "https://bedrock-runtime.us-east-1.amazonaws.com"
            "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc123/invoke",
        ),
        (
            _call(model="anthropic.claude-x"),
            Target("http://127.0.0.1:9000", {"region": "us-east-1"}),
            "http://127.0.0.1:9000/model/anthropic.claude-x/invoke",
        ),
    ],
    ids=["profile", "stream", "ARN", "own origin"],
)
def test_url_survives_the_clients_that_send_it(call: ModelCall, target: Target, url: str) -> None:
    outbound = bedrock.build_request(call, target)

    assert outbound.url == url
    assert str(yarl.URL(url)) == url
    assert str(httpx.URL(url)) == url


@pytest.mark.parametrize("model", ["", "..", ".", "a b", "a?b", "a#b", "a%2fb", "/a", "é", "a" * 2049, "a\n"])
def test_ids_that_no_model_has_are_refused(model: str) -> None:
    with pytest.raises(NotTranslatable) as refused:
        bedrock.build_request(_call(model=model), US)

    assert refused.value.param == "model"


@pytest.mark.parametrize("region", ["", "us-east-9", "US-EAST-1", "evil.example/", "us-east-1.evil.example"])
def test_region_that_is_not_listed_reaches_no_host_name(region: str) -> None:
    target = Target(settings={"region": region})

    with pytest.raises(WrongRegion):
        bedrock.build_request(_call(), target)
    with pytest.raises(WrongRegion):
        bedrock.build_check(target)


def test_profile_of_another_area_is_refused_with_a_sentence() -> None:
    with pytest.raises(WrongRegion, match=r"regions of “us” only, and this key's region is eu-west-1\."):
        bedrock.build_request(_call(model="us.anthropic.claude-x"), Target(settings={"region": "eu-west-1"}))


def test_inference_profile_of_the_key_is_used() -> None:
    target = Target(settings={"region": "eu-west-1", "inference_profile": "geographic"})

    assert "/model/eu.anthropic.claude-x/" in bedrock.build_request(_call(model="anthropic.claude-x"), target).url
    assert bedrock.region_of("anthropic.claude-x", target) == "eu"


# Counting


@pytest.mark.parametrize(
    ("model", "counted"),
    [
        ("us.anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
        ("anthropic.claude-x", "anthropic.claude-x"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x", "anthropic.claude-x"),
        (PROFILE_ARN, PROFILE_ARN.replace("/", "%2F")),
    ],
)
def test_counting_asks_for_the_model_itself(model: str, counted: str) -> None:
    outbound = bedrock.build_request(_call(model=model, shape=Shape.COUNT_TOKENS), US)

    assert urlsplit(outbound.url).path == f"/model/{counted}/count-tokens"


@pytest.mark.parametrize(
    ("body", "max_tokens"),
    [
        ({}, 1024),
        ({"max_tokens": 5}, 5),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, 4001),
        ({"thinking": {"type": "adaptive"}}, 1024),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, 1024),
    ],
)
def test_counted_body_is_one_that_could_be_invoked(body: dict[str, object], max_tokens: int) -> None:
    native = json.dumps({"model": "m", **body, "messages": []}).encode()
    call = _call(native, shape=Shape.COUNT_TOKENS, headers={"anthropic-beta": "a-1"})

    counted = json.loads(b64decode(_sent(call)["input"]["invokeModel"]["body"]))

    assert counted == {
        **body,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["a-1"],
        "max_tokens": max_tokens,
        "messages": [],
    }


@needs_recordings
def test_recorded_count_request_is_built_from_a_native_one() -> None:
    [path] = recordings.paths("bedrock-count-tokens-*-rejects-server-tools-*.json")
    recording = recordings.load(path)
    recorded = b64decode(recording["request"]["json"]["input"]["invokeModel"]["body"])
    native = {"model": "m", **json.loads(recorded)}
    del native["anthropic_version"]

    outbound = bedrock.build_request(
        _call(json.dumps(native).encode(), model=recording["model"], shape=Shape.COUNT_TOKENS), US
    )

    assert outbound.url == recording["request"]["url"]
    assert json.loads(b64decode(json.loads(outbound.body)["input"]["invokeModel"]["body"])) == json.loads(recorded)


@needs_recordings
def test_recorded_count_reads_as_anthropic_words_it() -> None:
    [path] = recordings.paths("bedrock-count-tokens-*-usage-limit-exceeded-*.json")

    answer = bedrock.read_answer(_call(shape=Shape.COUNT_TOKENS), recordings.answer_bytes(recordings.load(path)))

    assert (answer.body, answer.counts) == (b'{"input_tokens":23}', TokenCounts())


@pytest.mark.parametrize("body", [b"", b"{}", b'{"inputTokens":"1"}', b"\xff"])
def test_count_that_cannot_be_read_is_told(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        bedrock.read_answer(_call(shape=Shape.COUNT_TOKENS), body)


# Answers


@needs_recordings
@pytest.mark.parametrize("path", recordings.paths("bedrock-invoke-[!w]*.json"), ids=lambda path: path.stem)
def test_recorded_answers_are_read_as_they_came(path: Path) -> None:
    recording = recordings.load(path)
    body = recordings.answer_bytes(recording)
    message = json.loads(body)
    usage = message.get("usage")

    answer = bedrock.read_answer(_call(), body)

    assert answer.body == body
    assert answer.model == message.get("model", "")
    if usage is None:
        assert answer.counts == TokenCounts()
    else:
        cached = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
        assert answer.counts == TokenCounts(usage["input_tokens"], *cached, 0, usage["output_tokens"])
        header = recording["response"]["headers"].get("x-amzn-bedrock-output-token-count")
        assert header in (None, str(answer.counts.output))


# The check and the test message


def test_check_lists_the_models_of_the_region() -> None:
    outbound = bedrock.build_check(Target(settings={"region": "eu-west-1"}))

    assert (outbound.method, outbound.region, outbound.body) == ("GET", "eu-west-1", b"")
    assert outbound.url == "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byProvider=anthropic"


def test_check_at_an_origin_of_ones_own_stays_there() -> None:
    outbound = bedrock.build_check(Target("http://127.0.0.1:9000", {"region": "eu-west-1"}))

    assert outbound.url == "http://127.0.0.1:9000/foundation-models?byProvider=anthropic"


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ([], "0 Anthropic models"),
        (
            [{"modelArn": f"arn:aws:bedrock:eu-west-1::foundation-model/anthropic.{n}", "modelId": n} for n in "ab"],
            "2 Anthropic models in eu-west-1",
        ),
    ],
)
def test_check_tells_how_many_models_there_are(models: list[dict[str, str]], sentence: str) -> None:
    assert bedrock.read_check(json.dumps({"modelSummaries": models}).encode()) == sentence


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[]}', b"<html>"])
def test_check_that_lists_nothing_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        bedrock.read_check(body)


def test_test_message_is_small() -> None:
    call = bedrock.build_test_message(MODEL, US)

    assert (call.model, call.stream) == (MODEL, False)
    assert _sent(call)["max_tokens"] == 16
