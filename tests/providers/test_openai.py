"""The OpenAI provider: where calls go, what they carry, and what passes unchanged."""

import json

import pytest

from providers import openai
from providers.base import ModelCall, NotTranslatable, Shape, Target, UnreadableAnswer
from providers.registry import PROVIDER_APIS
from providers.secret import Secret
from tests.providers.openai_samples import ELSEWHERE, OPENAI, chat_body, make_call, make_messages

# Spaces, escapes, a large number and a field that nobody knows: none of it may be rewritten.
ODD = b'{ "model":"gpt-5", "messages":[ {"role":"user","content":"\\u00e9"} ], "x":1.0e2, "seed":12345678901234567 }'


def odd_call(shape: Shape, *, stream: bool = False, body: bytes = ODD) -> ModelCall:
    return ModelCall("gpt-5", body, stream, shape)


def test_the_provider_is_registered() -> None:
    assert PROVIDER_APIS["openai"] is openai


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("", "https://api.openai.com/v1/chat/completions"),
        ("https://llm.example.com", "https://llm.example.com/v1/chat/completions"),
        ("https://llm.example.com/v1", "https://llm.example.com/v1/chat/completions"),
        ("https://openrouter.example/api/v1", "https://openrouter.example/api/v1/chat/completions"),
        ("https://google.example/v1beta/openai", "https://google.example/v1beta/openai/chat/completions"),
        ("https://llm.example.com/vllm", "https://llm.example.com/vllm/v1/chat/completions"),
    ],
)
def test_a_base_url_gets_its_version_once(origin: str, url: str) -> None:
    assert openai.build_request(make_call({}, Shape.CHAT), Target(origin)).url == url


def test_responses_go_to_their_own_path() -> None:
    outbound = openai.build_request(odd_call(Shape.RESPONSES), OPENAI)

    assert outbound.url == "https://api.openai.com/v1/responses"


def test_messages_go_to_chat_completions() -> None:
    assert openai.build_request(make_messages(), ELSEWHERE).url == "https://llm.example.com/v1/chat/completions"


@pytest.mark.parametrize(
    ("target", "has_responses"),
    [
        (OPENAI, True),
        (Target("https://api.openai.com/v1"), True),
        (Target("https://eu.api.openai.com"), True),
        (Target(settings={"responses": "no"}), False),
        (ELSEWHERE, False),
        (Target("https://api.openai.com.example.com"), False),
        (Target("https://llm.example.com", {"responses": "yes"}), True),
        (Target("https://llm.example.com", {"responses": ""}), False),
    ],
)
def test_responses_are_taken_where_they_are(target: Target, has_responses: bool) -> None:
    taken = openai.shapes_at(target)

    assert (Shape.RESPONSES in taken) is has_responses
    assert {Shape.CHAT, Shape.MESSAGES} <= taken
    assert Shape.COUNT_TOKENS not in taken


def test_only_messages_are_translated() -> None:
    assert openai.translated_shapes == {Shape.MESSAGES}


@pytest.mark.parametrize(("shape", "stream"), [(Shape.CHAT, False), (Shape.RESPONSES, False), (Shape.RESPONSES, True)])
def test_a_body_in_the_providers_own_shape_passes_byte_for_byte(shape: Shape, stream: bool) -> None:
    assert openai.build_request(odd_call(shape, stream=stream), OPENAI).body == ODD


def test_a_streamed_chat_completion_is_asked_for_its_usage() -> None:
    body = openai.build_request(odd_call(Shape.CHAT, stream=True), OPENAI).body

    assert json.loads(body) == {**json.loads(ODD), "stream_options": {"include_usage": True}}
    assert b'"\\u00e9"' in body
    assert b'"x":1.0e2' in body


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ("null", {"include_usage": True}),
        ("{}", {"include_usage": True}),
        ('{"include_usage":false,"include_obfuscation":false}', {"include_usage": True, "include_obfuscation": False}),
    ],
)
def test_other_stream_options_stay(options: str, sent: dict[str, bool]) -> None:
    body = b'{"model":"gpt-5","stream_options":%b}' % options.encode()

    outbound = openai.build_request(odd_call(Shape.CHAT, stream=True, body=body), OPENAI)

    assert json.loads(outbound.body) == {"model": "gpt-5", "stream_options": sent}


def test_a_client_that_asks_for_usage_itself_has_its_body_passed_byte_for_byte() -> None:
    body = b'{ "model" : "gpt-5", "stream_options" : { "include_usage" : true } }'

    assert openai.build_request(odd_call(Shape.CHAT, stream=True, body=body), OPENAI).body == body


def test_stream_options_that_are_no_object_are_refused() -> None:
    with pytest.raises(NotTranslatable) as refusal:
        openai.build_request(odd_call(Shape.CHAT, stream=True, body=b'{"stream_options":[]}'), OPENAI)

    assert refusal.value.param == "stream_options"


def test_headers_written_for_anthropic_stay_here() -> None:
    headers = {"anthropic-beta": "x-1", "anthropic-version": "2023-06-01", "openai-organization": "org"}
    call = ModelCall("gpt-5", ODD, shape=Shape.CHAT, headers=headers)

    assert openai.build_request(call, OPENAI).headers == {"content-type": "application/json"}


def test_the_key_is_sent_as_a_bearer_token() -> None:
    secret = Secret("sk-secret")
    outbound = openai.build_request(odd_call(Shape.CHAT), OPENAI)

    headers = openai.authorize(outbound, secret)

    assert headers == {"content-type": "application/json", "authorization": "Bearer sk-secret"}
    assert openai.sensitive_parts(secret) == ("sk-secret",)


def test_the_check_asks_for_the_models() -> None:
    outbound = openai.build_check(ELSEWHERE)

    assert (outbound.method, outbound.url, outbound.body) == ("GET", "https://llm.example.com/v1/models", b"")


@pytest.mark.parametrize("body", [b'{"object":"list","data":[{"id":"a"},{"id":"b"}]}', b'[{"id":"a"},{"id":"b"}]'])
def test_the_check_counts_the_models(body: bytes) -> None:
    assert openai.read_check(body) == "2 models available"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":{}}', b'{"data":[{"name":"a"}]}'])
def test_a_check_that_answers_with_anything_else_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        openai.read_check(body)


@pytest.mark.parametrize(("target", "limit"), [(OPENAI, "max_completion_tokens"), (ELSEWHERE, "max_tokens")])
def test_the_test_message_is_a_chat_completion_of_at_most_16_tokens(target: Target, limit: str) -> None:
    call = openai.build_test_message("gpt-5-nano", target)

    assert call.shape is Shape.CHAT
    assert chat_body(call, target) == {
        "model": "gpt-5-nano",
        limit: 16,
        "messages": [{"role": "user", "content": "Reply with the word OK."}],
    }


def test_no_region_is_claimed() -> None:
    assert openai.region_of("gpt-5", OPENAI) == ""
