"""What goes wrong comes to the makers' own clients as the exceptions they have for it, streaming or not."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from teams.services import KeyScope, create_gateway_key
from tests.clouds import PREFIXES
from tests.gateway import Gateway
from tests.router.conftest import wait_for
from tests.sdk.conftest import Simulated
from tests.simulator.recorder import Recorder

MODEL = "anthropic/claude-sonnet-4-6"
MESSAGES = [{"role": "user", "content": "Hello"}]
TOO_MANY_BREAKPOINTS = [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}] * 5


@pytest.fixture(scope="module")
def opus_only(module_simulated: Simulated) -> str:
    """A gateway key that may call one model, and no Sonnet."""
    gateway = module_simulated.gateway
    scope = KeyScope(models_allowed=["anthropic/claude-opus-4-6"])
    token = create_gateway_key(gateway.workspace, name="opus only", actor=None, scope=scope).token.text
    headers = {"authorization": f"Bearer {token}"}
    wait_for(lambda: gateway.request("GET", "/v3/router/models", headers=headers).is_success or None)
    return token


def chat(client: OpenAI, text: str = "Hello", **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": MODEL, "messages": [{"role": "user", "content": text}], **fields})


def respond(client: OpenAI, text: str = "Hello", **fields: Any) -> Any:
    return client.responses.create(**{"model": MODEL, "input": text, **fields})


def message(client: Anthropic, text: str = "Hello", **fields: Any) -> Any:
    defaults = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    return client.messages.create(**{**defaults, **fields})


BOTH_ENDPOINTS = pytest.mark.parametrize("call", [chat, respond], ids=["chat", "responses"])
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
Call = Callable[..., Any]


@BOTH_ENDPOINTS
@STREAM_OR_NOT
@pytest.mark.parametrize(
    ("failure", "error", "status", "code"),
    [
        ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("overloaded", openai.InternalServerError, 503, "provider_overloaded"),
        ("error", openai.InternalServerError, 502, "provider_error"),
        ("timeout", openai.InternalServerError, 504, "provider_timeout"),
        ("auth", openai.UnprocessableEntityError, 422, "provider_credential_invalid"),
        ("credit", openai.UnprocessableEntityError, 422, "provider_credential_invalid"),
    ],
)
def test_failure_of_the_provider(
    openai_sdk: OpenAI,
    gateway: Gateway,
    model: str,
    call: Call,
    stream: bool,
    failure: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
) -> None:
    with pytest.raises(error) as caught:
        call(openai_sdk, f"Hello [[simulate: {failure}]]", stream=stream, model=model)

    row = gateway.new_row()
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert (row.error_code, row.certainty, row.output_tokens) == (code, "exact", None)
    assert caught.value.response.headers["x-orq-trace-id"] == row.request_id


@BOTH_ENDPOINTS
@pytest.mark.parametrize(
    ("cloud", "error", "code"),
    [
        ("anthropic", openai.UnprocessableEntityError, "provider_credential_invalid"),
        # It says so of a model, not of the key.
        ("aws", openai.NotFoundError, "model_not_found"),
        ("google", openai.UnprocessableEntityError, "provider_credential_invalid"),
    ],
)
def test_provider_does_not_allow_it(
    openai_sdk: OpenAI, gateway: Gateway, call: Call, cloud: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        call(openai_sdk, "Hello [[simulate: permission]]", model=f"{PREFIXES[cloud]}claude-sonnet-4-6")

    assert caught.value.code == gateway.new_row().error_code == code


@BOTH_ENDPOINTS
def test_rate_limit_of_the_provider_says_when_to_come_back(openai_sdk: OpenAI, call: Call) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        call(openai_sdk, "Hello [[simulate: rate_limit]]")

    assert caught.value.response.headers["retry-after"] == "12"


@STREAM_OR_NOT
@pytest.mark.parametrize(
    ("failure", "error", "status", "kind"),
    [
        ("rate_limit", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("overloaded", anthropic.InternalServerError, 529, "overloaded_error"),
        ("error", anthropic.InternalServerError, 500, "api_error"),
        ("timeout", anthropic.InternalServerError, 504, "timeout_error"),
        ("auth", anthropic.AuthenticationError, 401, "authentication_error"),
        ("credit", anthropic.BadRequestError, 400, "invalid_request_error"),
        ("permission", anthropic.PermissionDeniedError, 403, "permission_error"),
    ],
)
def test_failure_of_the_provider_passes_to_native_clients(
    anthropic_sdk: Anthropic,
    simulated: Simulated,
    stream: bool,
    failure: str,
    error: type[anthropic.APIStatusError],
    status: int,
    kind: str,
) -> None:
    with pytest.raises(error) as caught:
        message(anthropic_sdk, f"Hello [[simulate: {failure}]]", stream=stream)

    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (status, kind)
    assert caught.value.response.content == simulated.provider.one().answer
    assert simulated.gateway.new_row().status == status


@STREAM_OR_NOT
@pytest.mark.parametrize("cloud", ["aws", "google"])
@pytest.mark.parametrize("failure", ["rate_limit", "overloaded", "error", "auth"])
def test_failure_of_a_cloud_passes_to_native_clients(
    anthropic_sdk: Anthropic, simulated: Simulated, stream: bool, failure: str, cloud: str
) -> None:
    model = f"{PREFIXES[cloud]}claude-sonnet-4-6"
    with pytest.raises(anthropic.APIStatusError) as caught:
        message(anthropic_sdk, f"Hello [[simulate: {failure}]]", stream=stream, model=model)

    exchange = simulated.provider.one()
    assert (caught.value.status_code, caught.value.response.content) == (exchange.status, exchange.answer)
    assert isinstance(caught.value, anthropic.RateLimitError) is (failure == "rate_limit")
    assert simulated.gateway.new_row().status == exchange.status


@pytest.mark.parametrize(("failure", "code"), [("error_mid_stream", "provider_overloaded"), ("cut", "provider_error")])
def test_chat_stream_that_breaks_off(openai_sdk: OpenAI, gateway: Gateway, failure: str, code: str) -> None:
    stream = chat(openai_sdk, f"Hello [[simulate: {failure} output_tokens=200]]", stream=True)

    with pytest.raises(openai.APIError) as caught:
        list(stream)

    row = gateway.new_row()
    assert (row.certainty, row.uncached_input_tokens > 0) == ("partial", True)
    assert row.error_code == caught.value.code == code


@pytest.mark.parametrize("failure", ["error_mid_stream", "cut"])
def test_response_stream_that_breaks_off(openai_sdk: OpenAI, gateway: Gateway, failure: str) -> None:
    # The package has no exception for it: what went wrong comes as events.
    events = list(respond(openai_sdk, f"Hello [[simulate: {failure} output_tokens=200]]", stream=True))

    row = gateway.new_row()
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert (row.certainty, row.error_code) == ("partial", events[-2].code)


def test_message_stream_that_breaks_off(anthropic_sdk: Anthropic, gateway: Gateway) -> None:
    stream = message(anthropic_sdk, "Hello [[simulate: error_mid_stream output_tokens=200]]", stream=True)

    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(stream)

    row = gateway.new_row()
    assert (row.certainty, row.error_code) == ("partial", "provider_overloaded")


@BOTH_ENDPOINTS
def test_no_such_key(simulated: Simulated, call: Call) -> None:
    settings = {**simulated.openai_settings, "api_key": "sk-orq-nothing"}
    with OpenAI(**settings) as client, pytest.raises(openai.AuthenticationError) as caught:
        call(client)

    assert caught.value.type == "authentication_error"
    assert not simulated.provider.exchanges


def test_no_such_key_native(simulated: Simulated) -> None:
    settings = {**simulated.anthropic_settings, "auth_token": "sk-orq-nothing"}
    with Anthropic(**settings) as client, pytest.raises(anthropic.AuthenticationError) as caught:
        message(client)

    assert caught.value.body["error"]["type"] == "authentication_error"
    assert not simulated.provider.exchanges


@BOTH_ENDPOINTS
def test_model_the_key_may_not_call(simulated: Simulated, opus_only: str, call: Call) -> None:
    settings = {**simulated.openai_settings, "api_key": opus_only}
    with OpenAI(**settings) as client, pytest.raises(openai.PermissionDeniedError) as caught:
        call(client)

    assert (caught.value.code, caught.value.param) == ("insufficient_scope", "model")
    assert not simulated.provider.exchanges


def test_model_the_key_may_not_call_native(simulated: Simulated, opus_only: str) -> None:
    settings = {**simulated.anthropic_settings, "auth_token": opus_only}
    with Anthropic(**settings) as client, pytest.raises(anthropic.PermissionDeniedError) as caught:
        message(client)

    assert caught.value.body["error"]["type"] == "permission_error"
    assert not simulated.provider.exchanges


@BOTH_ENDPOINTS
@STREAM_OR_NOT
def test_no_such_model(openai_sdk: OpenAI, provider: Recorder, call: Call, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        call(openai_sdk, model="anthropic/claude-nothing-9", stream=stream)

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert not provider.exchanges


def test_no_such_model_native(anthropic_sdk: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        message(anthropic_sdk, model="claude-nothing-9")

    assert caught.value.body["error"]["message"] == "model: claude-nothing-9"


@BOTH_ENDPOINTS
def test_wrong_field(openai_sdk: OpenAI, provider: Recorder, call: Call) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        call(openai_sdk, temperature=1.5)

    assert (caught.value.code, caught.value.param) == ("invalid_request_body", "temperature")
    assert not provider.exchanges


def test_too_many_breakpoints(openai_sdk: OpenAI, provider: Recorder) -> None:
    with pytest.raises(openai.BadRequestError, match="at most 4"):
        chat(openai_sdk, messages=[{"role": "user", "content": TOO_MANY_BREAKPOINTS}])

    assert not provider.exchanges


def test_wrong_field_native(anthropic_sdk: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        message(anthropic_sdk, max_tokens=0)


@BOTH_ENDPOINTS
def test_provider_without_a_key(openai_sdk: OpenAI, call: Call) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        call(openai_sdk, model="openai/gpt-5.4")

    assert caught.value.code == "model_configuration_missing"


def test_clients_own_time_out_cuts_the_call(simulated: Simulated) -> None:
    with OpenAI(**simulated.openai_settings, timeout=1) as client, pytest.raises(openai.APITimeoutError):
        chat(client, "Hello [[simulate: stall]]")

    row = simulated.gateway.new_row()
    assert (row.certainty, row.error_code) == ("unknown", "client_closed_request")


def test_time_out_asked_of_the_gateway(openai_sdk: OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(openai_sdk, "Hello [[simulate: stall]]", extra_body={"timeout": {"call_timeout": 200}})

    assert (caught.value.status_code, caught.value.code) == (504, "provider_timeout")
    assert gateway.new_row().error_code == "provider_timeout"
