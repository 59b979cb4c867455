"""Requests go to Vertex AI as Google and Anthropic's own client write them; refusals are named by what they mean."""

import json
from typing import Any

import anthropic
import httpx
import httpx2
import msgspec
import pytest

from providers import vertex
from providers.base import ModelCall, Outcome, Shape, Target, UnreadableAnswer
from providers.registry import PROVIDER_APIS
from providers.secret import Secret
from providers.vertex_locations import LOCATIONS, origin_of

HAIKU = "claude-haiku-4-5@20251001"
TARGET = Target(settings={"project_id": "example-project", "location": "us-east5"})
MESSAGE = b'{"model":"claude-haiku-4-5@20251001","max_tokens":16,"messages":[{"role":"user","content":"Hi"}]}'


def target(**settings: str) -> Target:
    return Target(settings={**TARGET.settings, **settings})


def call(body: bytes = MESSAGE, **fields: Any) -> ModelCall:
    return ModelCall(fields.pop("model", HAIKU), body, **fields)


def google_error(code: int, status: str, message: str, **more: Any) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status, **more}}).encode()


def test_google_is_spoken_to_by_this_module() -> None:
    assert PROVIDER_APIS["google"] is vertex


def test_model_moves_into_the_address_and_the_version_into_the_body() -> None:
    outbound = vertex.build_request(call(), TARGET)

    assert outbound.method == "POST"
    assert outbound.url == (
        "https://us-east5-aiplatform.googleapis.com/v1/projects/example-project/locations/us-east5"
        "/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict"
    )
    assert outbound.body == (
        b'{"anthropic_version":"vertex-2023-10-16","max_tokens":16,"messages":[{"role":"user","content":"Hi"}]}'
    )


def test_stream_goes_to_the_streaming_method() -> None:
    outbound = vertex.build_request(call(MESSAGE[:-1] + b',"stream":true}', stream=True), TARGET)

    assert outbound.url.endswith(f"/models/{HAIKU}:streamRawPredict")
    assert json.loads(outbound.body)["stream"] is True


def test_other_values_keep_their_bytes() -> None:
    odd = b'{"max_tokens" : 1e1, "model":"m", "new_field":{"b":1.50, "a":"\\u00e9"} ,"messages":[ {"role":"user"} ]}'

    outbound = vertex.build_request(call(odd), TARGET)

    kept = msgspec.json.decode(outbound.body, type=dict[str, msgspec.Raw])
    assert {name: bytes(value) for name, value in kept.items() if name != "anthropic_version"} == {
        "max_tokens": b"1e1",
        "new_field": b'{"b":1.50, "a":"\\u00e9"}',
        "messages": b'[ {"role":"user"} ]',
    }


def test_version_that_the_client_names_stays() -> None:
    body = b'{"anthropic_version":"vertex-2099-01-01","model":"m","messages":[]}'

    assert b"vertex-2099-01-01" in vertex.build_request(call(body), TARGET).body


def test_version_only_spoken_of_enters_still() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"What is \\"anthropic_version\\"?"}]}'

    outbound = vertex.build_request(call(body), TARGET)

    assert json.loads(outbound.body)["anthropic_version"] == "vertex-2023-10-16"


def test_betas_and_unknown_headers_pass_while_those_that_choose_who_pays_stop() -> None:
    headers = {
        "anthropic-beta": "context-1m-2025-08-07,web-search-2025-03-05",
        "anthropic-version": "2023-06-01",
        "x-goog-user-project": "someone-else",
        "x-goog-api-key": "AIza",
        "x-http-method-override": "DELETE",
        "x-vertex-ai-llm-request-type": "shared",
    }

    outbound = vertex.build_request(call(headers=headers), TARGET)

    assert outbound.headers == {
        "content-type": "application/json",
        "anthropic-beta": "context-1m-2025-08-07,web-search-2025-03-05",
        "x-vertex-ai-llm-request-type": "shared",
    }


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ("effort-2025-11-24,prompt-caching-scope-2026-01-05", None),
        ("oauth-2025-04-20, claude-code-20250219", "claude-code-20250219"),
        ("advanced-tool-use-2025-11-20,new-2099-01-01", "tool-search-tool-2025-10-19,new-2099-01-01"),
        ("tool-search-tool-2025-10-19,advanced-tool-use-2025-11-20", "tool-search-tool-2025-10-19"),
    ],
)
def test_betas_that_vertex_refuses_stay_behind(sent: str, passed: str | None) -> None:
    outbound = vertex.build_request(call(headers={"anthropic-beta": sent}), TARGET)

    assert outbound.headers.get("anthropic-beta") == passed


def test_counting_names_the_model_in_the_body() -> None:
    outbound = vertex.build_request(call(shape=Shape.COUNT_TOKENS), TARGET)

    assert outbound.url.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert json.loads(outbound.body) == {**json.loads(MESSAGE), "anthropic_version": "vertex-2023-10-16"}


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ("interleaved-thinking-2025-05-14, web-search-2025-03-05", "interleaved-thinking-2025-05-14"),
        ("token-counting-2024-11-01,claude-code-20250219", "token-counting-2024-11-01,claude-code-20250219"),
        ("tool-search-tool-2025-10-19", None),
    ],
)
def test_counting_gets_only_the_betas_it_takes(sent: str, passed: str | None) -> None:
    outbound = vertex.build_request(call(shape=Shape.COUNT_TOKENS, headers={"anthropic-beta": sent}), TARGET)

    assert outbound.headers.get("anthropic-beta") == passed


@pytest.mark.parametrize("location", ["global", "us", "eu", "us-east5", "europe-west1"])
@pytest.mark.parametrize("stream", [False, True])
def test_request_is_the_one_that_anthropics_client_sends(location: str, stream: bool) -> None:
    fields: dict[str, Any] = {"max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    seen: list[httpx2.Request] = []
    client = sdk(location, seen)

    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(model=HAIKU, **fields)

    body = msgspec.json.encode({"model": HAIKU, **fields})
    outbound = vertex.build_request(call(body, stream=stream), target(location=location))
    assert outbound.url == str(seen[0].url)
    assert unversioned(outbound.body) == unversioned(seen[0].content)
    assert vertex.authorize(outbound, Secret("ya29.x"))["authorization"] == seen[0].headers["authorization"]


def test_count_is_the_one_that_anthropics_client_asks_for() -> None:
    fields: dict[str, Any] = {"model": HAIKU, "messages": [{"role": "user", "content": "Hi"}]}
    seen: list[httpx2.Request] = []

    with pytest.raises(anthropic.APIStatusError):
        sdk("global", seen).beta.messages.count_tokens(**fields, betas=["context-management-2025-06-27"])

    headers = {"anthropic-beta": seen[0].headers["anthropic-beta"]}
    counted = call(msgspec.json.encode(fields), shape=Shape.COUNT_TOKENS, headers=headers)
    outbound = vertex.build_request(counted, target(location="global"))
    assert outbound.url == str(seen[0].url).partition("?")[0]
    assert unversioned(outbound.body) == unversioned(seen[0].content)
    assert outbound.headers["anthropic-beta"] == seen[0].headers["anthropic-beta"].replace(" ", "")


def unversioned(body: bytes) -> dict[str, Any]:
    """The fields of a body that has a version; the client's own moves with its releases, Google documents one."""
    fields: dict[str, Any] = json.loads(body)
    del fields["anthropic_version"]
    return fields


def sdk(location: str, seen: list[httpx2.Request]) -> anthropic.AnthropicVertex:
    """Anthropic's Vertex client, whose requests are noted and refused."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(400, json={})

    return anthropic.AnthropicVertex(
        region=location,
        project_id="example-project",
        access_token="ya29.x",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(refuse)),
    )


def test_own_base_url_replaces_the_origin_alone() -> None:
    outbound = vertex.build_request(call(), Target("http://127.0.0.1:8009", TARGET.settings))

    assert outbound.url.startswith("http://127.0.0.1:8009/v1/projects/example-project/locations/us-east5/publishers/")


def test_every_location_has_an_address_of_google() -> None:
    hosts = {httpx.URL(origin_of(location)).host for location in LOCATIONS}

    assert len(hosts) == len(LOCATIONS)
    assert all(host.endswith(".googleapis.com") for host in hosts)
    assert {origin_of("global"), origin_of("eu")} == {
        "https://aiplatform.googleapis.com",
        "https://aiplatform.eu.rep.googleapis.com",
    }


@pytest.mark.parametrize(
    "location",
    ["", "evil.example/#", "evil.example:443/us-east5", "us-east5@evil.example", "us-east5.evil", "US-EAST5", "us-é5"],
)
def test_text_that_is_no_location_never_becomes_a_host(location: str) -> None:
    with pytest.raises(vertex.SettingsInvalid):
        vertex.build_request(call(), target(location=location))


@pytest.mark.parametrize("project", ["", "..", "a/../b", "a?b", "a#b", "a b", "Ä"])
def test_text_that_is_no_project_is_not_sent(project: str) -> None:
    with pytest.raises(vertex.SettingsInvalid):
        vertex.build_request(call(), target(project_id=project))


@pytest.mark.parametrize("project", ["example-project", "123456789012", "example.com:old-project"])
def test_projects_are_named_in_each_way_google_knows(project: str) -> None:
    assert f"/projects/{project}/" in vertex.build_request(call(), target(project_id=project)).url


def test_odd_model_name_stays_one_part_of_the_address() -> None:
    outbound = vertex.build_request(call(model="../../x?y#z;a:predict"), TARGET)

    assert outbound.url.endswith("/publishers/anthropic/models/..%2F..%2Fx%3Fy%23z%3Ba%3Apredict:rawPredict")


def test_region_is_the_location() -> None:
    assert vertex.region_of(HAIKU, TARGET) == "us-east5"
    assert vertex.region_of(HAIKU, Target()) == ""


def test_credential_is_only_in_the_headers_of_sending() -> None:
    outbound = vertex.build_request(call(), TARGET)

    headers = vertex.authorize(outbound, Secret("ya29.secret"))

    assert headers == {**outbound.headers, "authorization": "Bearer ya29.secret"}
    assert "ya29" not in repr(outbound)


@pytest.mark.parametrize(
    ("location", "counts_in"),
    [
        ("global", "global"),
        ("us", "us"),
        ("eu", "eu"),
        ("asia-southeast1", "asia-southeast1"),
        ("us-east5", "us"),
        ("northamerica-northeast1", "us"),
        ("europe-west2", "eu"),
        ("me-central1", "eu"),
        ("asia-northeast1", "asia-southeast1"),
        ("australia-southeast1", "asia-southeast1"),
        ("mars-north1", "global"),
    ],
)
def test_check_counts_at_the_nearest_place_that_counts(location: str, counts_in: str) -> None:
    outbound = vertex.build_check(target(location=location))

    path = f"/v1/projects/example-project/locations/{counts_in}/publishers/anthropic/models/count-tokens:rawPredict"
    assert outbound.url == origin_of(counts_in) + path
    assert json.loads(outbound.body)["messages"]


def test_check_at_an_origin_of_ones_own_stays_in_its_location() -> None:
    outbound = vertex.build_check(Target("https://vertex.example.com", target(location="europe-west3").settings))

    assert outbound.url.startswith("https://vertex.example.com/v1/projects/example-project/locations/europe-west3/")


@pytest.mark.parametrize("location", ["", "../x", "evil.example.com/"])
def test_check_in_what_is_no_location_is_refused(location: str) -> None:
    with pytest.raises(vertex.SettingsInvalid):
        vertex.build_check(target(location=location))


def test_check_is_passed_by_a_count_alone() -> None:
    assert vertex.read_check(b'{"input_tokens": 8}') == "the account may call Claude there"

    for body in (b"", b"{}", b'{"input_tokens": 0}', b'{"input_tokens": "8"}', b"<html>", b"\xff"):
        with pytest.raises(UnreadableAnswer):
            vertex.read_check(body)


def test_test_message_is_a_short_message() -> None:
    made = vertex.build_test_message(HAIKU, TARGET)

    assert made.model == HAIKU
    assert json.loads(made.body)["max_tokens"] == 16
    assert vertex.build_request(made, TARGET).url.endswith(f"{HAIKU}:rawPredict")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, google_error(401, "UNAUTHENTICATED", "Request had invalid credentials."), Outcome.INVALID_CREDENTIAL),
        (
            403,
            google_error(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource"),
            Outcome.NO_PERMISSION,
        ),
        (
            403,
            google_error(403, "PERMISSION_DENIED", "off", details=["?", {"reason": "BILLING_DISABLED"}]),
            Outcome.NO_CREDIT,
        ),
        (
            403,
            google_error(403, "PERMISSION_DENIED", "This API method requires billing to be enabled. Please enable"),
            Outcome.NO_CREDIT,
        ),
        (
            404,
            google_error(
                *(404, "NOT_FOUND"),
                "Publisher Model `projects/p/locations/l/publishers/anthropic/models/m` was not found or your project "
                "does not have access to it.",
            ),
            Outcome.MODEL_NOT_AVAILABLE,
        ),
        (
            400,
            google_error(400, "FAILED_PRECONDITION", "Project `1` is not allowed to use Publisher Model `m`"),
            Outcome.MODEL_NOT_AVAILABLE,
        ),
        (429, google_error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for requests"), Outcome.RATE_LIMITED),
        (503, google_error(503, "UNAVAILABLE", "The service is currently unavailable."), Outcome.OVERLOADED),
        (504, google_error(504, "DEADLINE_EXCEEDED", "Deadline expired"), Outcome.TIMEOUT),
        (500, google_error(500, "INTERNAL", "Internal error encountered."), Outcome.PROVIDER_ERROR),
        (400, google_error(400, "INVALID_ARGUMENT", "Invalid value"), Outcome.INVALID_REQUEST),
        (400, google_error(400, "FAILED_PRECONDITION", "Precondition"), Outcome.INVALID_REQUEST),
        (403, google_error(403, "", "no status"), Outcome.NO_PERMISSION),
    ],
)
def test_googles_refusals_are_named(status: int, body: bytes, outcome: Outcome) -> None:
    message = json.loads(body)["error"]["message"]

    assert vertex.classify_error(status, body) == (outcome, message)
    # So it looks where a stream was asked for.
    assert vertex.classify_error(status, b"[" + body + b"]") == (outcome, message)


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (400, "invalid_request_error", Outcome.INVALID_REQUEST),
        (429, "rate_limit_error", Outcome.RATE_LIMITED),
        (529, "overloaded_error", Outcome.OVERLOADED),
        (500, "api_error", Outcome.PROVIDER_ERROR),
    ],
)
def test_the_models_own_refusals_are_named_as_anthropic_does(status: int, kind: str, outcome: Outcome) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "Why."}, "request_id": "req_vrtx_1"}

    assert vertex.classify_error(status, json.dumps(body).encode()) == (outcome, "Why.")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[1]", b'{"error": "no"}', b"\xff", b"[" * 100_000])
def test_refusals_in_another_form_are_named_by_their_status(body: bytes) -> None:
    assert vertex.classify_error(503, body) == (Outcome.OVERLOADED, "")
    assert vertex.classify_error(401, body) == (Outcome.INVALID_CREDENTIAL, "")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"model":"\xff"}', b'{"a":' + b"[" * 100_000])
def test_answers_that_are_no_message_count_nothing_and_pass(body: bytes) -> None:
    answer = vertex.read_answer(call(), body)

    assert (answer.body, answer.counts.is_known) == (body, False)
