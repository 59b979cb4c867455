"""The simulated Vertex AI: tokens for service accounts, and Claude behind them."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anthropic
import httpx
import pytest
from google.auth.transport import requests
from google.oauth2 import service_account

from simulator.__main__ import main
from simulator.app import Simulator
from simulator.google_keys import SCOPE, make_service_account
from tests.simulator.conftest import Clock, events_in
from tests.simulator.running import Running
from tests.simulator.signing import ORIGIN, assertion_of
from tests.simulator.test_messages import WEATHER, assembled

PROJECT = "simulated-project"
MODEL = "claude-sonnet-4-5@20250929"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TERSE = "Go on [[simulate: output_tokens=20]]"


@pytest.fixture(scope="session")
def account() -> dict[str, str]:
    """One service account for all tests: its key takes a while to make."""
    return make_service_account("acme", project_id=PROJECT)


class Vertex:
    """Calls the simulator in this process with a token that it gave."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock, account: dict[str, str]) -> None:
        self.http = http
        self.clock = clock
        self.account = account
        self.token = ""

    async def ask_for_token(self, assertion: str, grant: str = GRANT) -> httpx.Response:
        return await self.http.post("/token", data={"grant_type": grant, "assertion": assertion})

    async def sign_in(self, **claims: Any) -> None:
        answer = await self.ask_for_token(assertion_of(self.account, self.clock.now, **claims))
        self.token = answer.json()["access_token"]

    async def predict(
        self,
        content: Any = "Hello there",
        *,
        method: str = "rawPredict",
        model: str = MODEL,
        project: str = PROJECT,
        location: str = "us-east5",
        **fields: Any,
    ) -> httpx.Response:
        path = f"/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:{method}"
        body = {
            "anthropic_version": "vertex-2023-10-16",
            "max_tokens": 1_024,
            "messages": [{"role": "user", "content": content}],
            **fields,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return await self.http.post(path, json=body, headers={b"authorization": f"Bearer {self.token}".encode()})


@pytest.fixture
async def vertex(simulator: Simulator, clock: Clock, account: dict[str, str]) -> AsyncIterator[Vertex]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator), base_url=ORIGIN) as http:
        vertex = Vertex(http, clock, account)
        await vertex.sign_in()
        yield vertex


def error_in(answer: httpx.Response) -> tuple[int, str, str]:
    """Return code, status and message of an error of Google's."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return error["code"], error["status"], error["message"]


async def test_an_assertion_gets_a_token_for_an_hour(vertex: Vertex) -> None:
    answer = await vertex.ask_for_token(assertion_of(vertex.account, vertex.clock.now))

    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3_599)


ASSERTIONS: dict[str, tuple[Callable[[float], dict[str, Any]], str]] = {
    "expired": (lambda now: {"iat": now - 4_000, "exp": now - 400}, "Invalid JWT: Token must be a short-lived token"),
    "too long": (lambda now: {"exp": now + 3_700}, "Invalid JWT: Token must be a short-lived token"),
    "too early": (lambda now: {"iat": now + 400}, "Invalid JWT: Token must be a short-lived token"),
    "no times": (lambda now: {"iat": None}, "Invalid JWT: iat and exp are required."),
    "another audience": (lambda now: {"aud": "https://example.com/token"}, "Invalid JWT: Failed audience check."),
    "no account": (lambda now: {"iss": "nobody@example.com"}, "Invalid grant: account not found"),
    "a bad account": (
        lambda now: {"iss": f"bad-1@{PROJECT}.iam.gserviceaccount.com"},
        "Invalid grant: account not found",
    ),
    "another scope": (lambda now: {"scope": f"{SCOPE}.read-only"}, "Invalid OAuth scope"),
}


@pytest.mark.parametrize(("claims", "beginning"), ASSERTIONS.values(), ids=ASSERTIONS.keys())
async def test_an_assertion_that_is_wrong_gets_no_token(
    vertex: Vertex, claims: Callable[[float], dict[str, Any]], beginning: str
) -> None:
    now = vertex.clock.now

    answer = await vertex.ask_for_token(assertion_of(vertex.account, now, **claims(now)))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.json()["error_description"].startswith(beginning)


async def test_an_assertion_of_another_key_gets_no_token(vertex: Vertex) -> None:
    other = make_service_account()
    forged = assertion_of({**other, "private_key_id": vertex.account["private_key_id"]}, vertex.clock.now)

    for assertion in (forged, "nonsense", "a.b.c", ""):
        answer = await vertex.ask_for_token(assertion)
        assert answer.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


async def test_another_grant_gets_no_token(vertex: Vertex) -> None:
    answer = await vertex.ask_for_token("", grant="password")

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_an_answer_is_a_message(vertex: Vertex) -> None:
    answer = await vertex.predict(TERSE)

    message = answer.json()
    assert message["model"] == "claude-sonnet-4-5-20250929"
    assert message["id"].startswith("msg_vrtx_")
    assert message["usage"]["output_tokens"] == 20
    assert answer.headers["request-id"].startswith("req_vrtx_")


async def test_a_beta_that_google_refuses_is_named(vertex: Vertex) -> None:
    vertex.http.headers["anthropic-beta"] = "context-1m-2025-08-07, effort-2025-11-24,new-2099-01-01"

    answer = await vertex.predict(TERSE)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(
        "Unexpected value(s) `effort-2025-11-24` for the `anthropic-beta`"
    )


async def test_a_stream_adds_up_to_the_whole_answer(vertex: Vertex) -> None:
    asked = {"content": "The weather in Tokyo", "tools": [WEATHER]}
    whole = (await vertex.predict(**asked)).json()

    answer = await vertex.predict(method="streamRawPredict", stream=True, **asked)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {**assembled(events_in(answer.text)), "id": ""} == {**whole, "id": ""}


async def test_tokens_are_counted_as_they_are_charged(vertex: Vertex) -> None:
    charged = (await vertex.predict("How many?")).json()["usage"]["input_tokens"]

    path = f"/v1/projects/{PROJECT}/locations/global/publishers/anthropic/models/count-tokens:rawPredict"
    body = {"model": MODEL, "messages": [{"role": "user", "content": "How many?"}]}
    answer = await vertex.http.post(path, json=body, headers={"authorization": f"Bearer {vertex.token}"})
    unknown = await vertex.predict("How many?", model="count-tokens")
    assert answer.json() == {"input_tokens": charged}
    assert error_in(unknown)[:2] == (404, "NOT_FOUND")


async def test_a_token_expires(vertex: Vertex) -> None:
    vertex.clock.now += 3_600

    assert error_in(await vertex.predict())[:2] == (401, "UNAUTHENTICATED")


async def test_a_token_lasts_as_long_as_it_is_told(clock: Clock, account: dict[str, str]) -> None:
    transport = httpx.ASGITransport(app=Simulator(clock=clock, token_lifetime_s=60))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        vertex = Vertex(http, clock, account)
        await vertex.sign_in()
        before = (await vertex.predict()).status_code
        clock.now += 60
        after = (await vertex.predict()).status_code

    assert (before, after) == (200, 401)


async def test_a_token_outlives_a_restart(vertex: Vertex, clock: Clock) -> None:
    transport = httpx.ASGITransport(app=Simulator(clock=clock))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        vertex.http = http

        assert (await vertex.predict()).status_code == 200


@pytest.mark.parametrize(
    "token", ["", "ya29.real", "ya29.sim-x.y", "ya29.sim-x.é"], ids=["none", "real", "forged", "no ASCII"]
)
async def test_a_token_that_is_not_ours_is_refused(vertex: Vertex, token: str) -> None:
    vertex.token = token

    assert error_in(await vertex.predict())[:2] == (401, "UNAUTHENTICATED")


PLACES = {
    "another project": ({"project": "other"}, (403, "PERMISSION_DENIED")),
    "no location": ({"location": "somewhere"}, (400, "INVALID_ARGUMENT")),
    "an unknown model": ({"model": "claude-9"}, (404, "NOT_FOUND")),
    "Anthropic's own id": ({"model": "claude-sonnet-4-5-20250929"}, (404, "NOT_FOUND")),
    "another method": ({"method": "predict"}, (404, "NOT_FOUND")),
}


@pytest.mark.parametrize(("where", "expected"), PLACES.values(), ids=PLACES.keys())
async def test_what_is_not_there_is_refused_by_google(
    vertex: Vertex, where: dict[str, str], expected: tuple[int, str]
) -> None:
    assert error_in(await vertex.predict(**where))[:2] == expected


async def test_an_error_of_a_stream_comes_in_an_array(vertex: Vertex) -> None:
    answer = await vertex.predict(method="streamRawPredict", model="claude-9")

    assert answer.json()[0]["error"]["status"] == "NOT_FOUND"


BODIES = {
    "a model": ({"body_model": "claude"}, "model: Extra inputs are not permitted"),
    "no version": ({"anthropic_version": None}, "anthropic_version: Field required"),
    "another version": (
        {"anthropic_version": "bedrock-2023-05-31"},
        "anthropic_version: Input should be 'vertex-2023-10-16'",
    ),
    "an automatic breakpoint": (
        {"cache_control": {"type": "ephemeral"}},
        "cache_control: Extra inputs are not permitted",
    ),
    "no messages": ({"messages": []}, "messages: at least one message is required"),
    "a picture by its address": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a/b"}}]}
            ]
        },
        "messages.0.content.0.image.source: Input tag 'url'",
    ),
}


@pytest.mark.parametrize(("fields", "beginning"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_the_model_does_not_take_is_refused_by_anthropic(
    vertex: Vertex, fields: dict[str, Any], beginning: str
) -> None:
    path = f"/v1/projects/{PROJECT}/locations/global/publishers/anthropic/models/{MODEL}:rawPredict"
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    body |= {name.removeprefix("body_"): value for name, value in fields.items()}
    body = {name: value for name, value in body.items() if value is not None}

    answer = await vertex.http.post(path, json=body, headers={"authorization": f"Bearer {vertex.token}"})

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json()["error"]["message"].startswith(beginning)


FAILURES = {
    "noaccess": (403, "PERMISSION_DENIED"),
    "nocredit": (403, "PERMISSION_DENIED"),
    "nomodel": (404, "NOT_FOUND"),
    "ratelimited": (429, "RESOURCE_EXHAUSTED"),
    "error": (500, "INTERNAL"),
    "timeout": (504, "DEADLINE_EXCEEDED"),
}


@pytest.mark.parametrize("ending", FAILURES)
async def test_an_account_makes_a_call_fail_in_the_words_of_google(vertex: Vertex, ending: str) -> None:
    await vertex.sign_in(iss=f"acme-{ending}@{PROJECT}.iam.gserviceaccount.com")

    assert error_in(await vertex.predict())[:2] == FAILURES[ending]


async def test_an_overload_comes_from_anthropic(vertex: Vertex) -> None:
    await vertex.sign_in(iss=f"acme-overloaded@{PROJECT}.iam.gserviceaccount.com")

    answer = await vertex.predict()

    assert (answer.status_code, answer.json()["error"]["type"]) == (529, "overloaded_error")


async def test_models_are_listed_and_found(vertex: Vertex) -> None:
    headers = {"authorization": f"Bearer {vertex.token}"}

    page = (await vertex.http.get("/v1beta1/publishers/anthropic/models", headers=headers)).json()
    one = await vertex.http.get("/v1/publishers/anthropic/models/claude-sonnet-4-6", headers=headers)
    none = await vertex.http.get("/v1/publishers/anthropic/models/claude-9", headers=headers)

    names = [model["name"] for model in page["publisherModels"]]
    assert "publishers/anthropic/models/claude-sonnet-4-5" in names
    assert (one.status_code, none.status_code) == (200, 404)


def test_google_auth_and_the_anthropic_sdk_work_with_a_key_file(running: Running, account: dict[str, str]) -> None:
    informed = {**account, "token_uri": f"{running.origin}/token"}
    credentials = service_account.Credentials.from_service_account_info(informed, scopes=[SCOPE])
    with requests.requests.Session() as session:
        credentials.refresh(requests.Request(session))

    asked = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
    with anthropic.AnthropicVertex(
        region="global", project_id=PROJECT, access_token=credentials.token, base_url=f"{running.origin}/v1"
    ) as sdk:
        message = sdk.messages.create(**asked)
        with sdk.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()

    assert message.content[0].text == streamed.content[0].text


def test_credentials_are_made_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> dict[str, str]:
        monkeypatch.setattr("sys.argv", ["simulator", *arguments])
        main()
        return dict(json.loads(capsys.readouterr().out))

    google = printed("google-key", "acme", "--fails", "overloaded", "--project", "mine")
    aws = printed("aws-key", "acme")

    assert google["client_email"] == "acme-overloaded@mine.iam.gserviceaccount.com"
    assert google["type"] == "service_account"
    assert aws["access_key_id"] == "AKIASIMACME000000000"
