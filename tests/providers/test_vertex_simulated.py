"""From a service account's key to an answer, against a Vertex AI that verifies what it is sent."""

import json
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from keys.access import get_access
from providers import vertex
from providers.base import ModelCall, Outbound, Outcome, Shape, Target
from providers.secret import Secret
from providers.tokens import TokenRefused
from providers.vertex_account import parse_service_account
from simulator.google_keys import make_service_account
from tests.simulator.running import Running

PROJECT = "simulated-project"
MODEL = "claude-haiku-4-5@20251001"


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with Running() as running:
        yield running.origin


@pytest.fixture(scope="module")
def secret() -> Secret:
    text = json.dumps(make_service_account())
    parse_service_account(text)
    return Secret(text)


@pytest.fixture
def token(origin: str, secret: Secret) -> Secret:
    return get_access(vertex, secret, token_uri=f"{origin}/token")


def target(origin: str, *, project_id: str = PROJECT, location: str = "europe-west1") -> Target:
    return Target(origin, {"project_id": project_id, "location": location})


def send(outbound: Outbound, token: Secret) -> httpx.Response:
    headers = vertex.authorize(outbound, token)
    return httpx.request(outbound.method, outbound.url, headers=headers, content=outbound.body, trust_env=False)


def call(**fields: object) -> ModelCall:
    body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello there"}], **fields}
    return ModelCall(MODEL, msgspec.json.encode(body), bool(fields.get("stream")))


def test_check_proves_the_account(origin: str, token: Secret) -> None:
    response = send(vertex.build_check(target(origin)), token)

    assert response.status_code == 200
    assert vertex.read_check(response.content)


def test_message_is_answered_and_counted(origin: str, token: Secret) -> None:
    response = send(vertex.build_request(call(), target(origin)), token)

    answer = vertex.read_answer(call(), response.content)
    assert response.status_code == 200
    assert answer.counts.is_known
    assert response.headers[vertex.request_id_headers[0]].startswith("req_vrtx_")


def test_stream_is_read_to_its_end(origin: str, token: Secret) -> None:
    response = send(vertex.build_request(call(stream=True), target(origin)), token)

    stream = vertex.answer_stream(call(stream=True))
    assert stream.feed(response.content) == response.content
    assert stream.is_complete
    assert stream.counts.is_known


def test_tokens_of_a_request_are_counted(origin: str, token: Secret) -> None:
    fields = json.loads(call().body)
    del fields["max_tokens"]
    counting = ModelCall(MODEL, msgspec.json.encode(fields), shape=Shape.COUNT_TOKENS)

    response = send(vertex.build_request(counting, target(origin)), token)

    assert response.json()["input_tokens"] > 0


def test_project_of_others_is_forbidden(origin: str, token: Secret) -> None:
    response = send(vertex.build_check(target(origin, project_id="someone-elses")), token)

    assert vertex.classify_error(response.status_code, response.content)[0] == Outcome.NO_PERMISSION


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model_is_not_available(origin: str, token: Secret, stream: bool) -> None:
    unknown = ModelCall("claude-none@20990101", call(stream=stream).body, stream)

    response = send(vertex.build_request(unknown, target(origin)), token)

    outcome, message = vertex.classify_error(response.status_code, response.content)
    assert outcome == Outcome.MODEL_NOT_AVAILABLE
    assert "claude-none@20990101" in message


def test_token_that_is_none_is_not_accepted(origin: str) -> None:
    response = send(vertex.build_check(target(origin)), Secret("ya29.wrong"))

    assert vertex.classify_error(response.status_code, response.content)[0] == Outcome.INVALID_CREDENTIAL


def test_account_that_is_unknown_gets_no_token(origin: str) -> None:
    account = {**make_service_account(), "client_email": "bad@simulated-project.iam.gserviceaccount.com"}

    with pytest.raises(TokenRefused, match="deleted"):
        get_access(vertex, Secret(json.dumps(account)), token_uri=f"{origin}/token")


def test_key_that_was_replaced_gets_no_token(origin: str) -> None:
    account = {**make_service_account(), "private_key": make_service_account()["private_key"]}

    with pytest.raises(TokenRefused, match="Make a new key"):
        get_access(vertex, Secret(json.dumps(account)), token_uri=f"{origin}/token")
