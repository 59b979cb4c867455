"""What is refused, and how: before anything is sent, naming the field, in the endpoint's own envelope."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import override_settings

from tests.gateway import Gateway, connected_gateway, transactional_db
from tests.router.conftest import message_body, wait_for
from tests.stub import Reply, Stub

__all__ = ["transactional_db"]

CHAT = "/v3/router/chat/completions"
RESPONSES = "/v3/router/responses"
MESSAGES = "/v3/anthropic/v1/messages"
ENDPOINTS = [CHAT, RESPONSES, MESSAGES]
ROUTER = [CHAT, RESPONSES]
MODEL = "anthropic/claude-sonnet-4-6"
LARGEST = 20_000
EPHEMERAL = {"type": "ephemeral"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture(scope="module")
def module_gateway(transactional_db: None, upstream: Stub, tmp_path_factory: Any) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        override_settings(MAX_BODY_BYTES=LARGEST),
        connected_gateway(upstream.origin, "sk-ant-api03-only-for-tests-0123456789", folder) as running,
    ):
        yield running


@pytest.fixture
def gateway(module_gateway: Gateway, upstream: Stub) -> Gateway:
    module_gateway.forget_rows()
    upstream.requests.clear()
    upstream.replies.clear()
    return module_gateway


def body_for(path: str, **fields: Any) -> dict[str, Any]:
    """A small good request in the shape of ``path``."""
    if path == RESPONSES:
        return {"model": MODEL, "input": "Hello", **fields}
    if path == CHAT:
        return {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return message_body(**fields)


def send(gateway: Gateway, path: str, content: bytes) -> httpx.Response:
    return gateway.request("POST", path, content=content, headers={"content-type": "application/json"})


def error_in(response: httpx.Response, path: str) -> dict[str, Any]:
    """Return the error of a refusal, whose envelope must be the endpoint's own and whole."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    if path.startswith("/v3/anthropic"):
        assert set(body) == {"type", "error", "request_id"}
        assert (body["type"], body["request_id"]) == ("error", response.headers["x-orq-trace-id"])
        assert set(body["error"]) >= {"type", "message"}
    else:
        assert set(body) == {"error"}
        assert set(body["error"]) >= {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    assert error["message"]
    return error


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}{}",
        b"{'model': 1}",
        b'{"model": "a",}',
        b'{"model": NaN}',
        b'{"model": "\xff"}',
        b'\xef\xbb\xbf{"model": "a"}',
        b'{"model": "a" /* why */}',
        b"model=anthropic/claude-sonnet-4-6&input=Hello",
        b'{"a":' * 3_000,
        b"[" * 15_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_not_a_json_object(gateway: Gateway, upstream: Stub, path: str, content: bytes) -> None:
    response = send(gateway, path, content)

    assert response.status_code == 400
    assert error_in(response, path)["type"] == "invalid_request_error"
    assert upstream.requests == []


@pytest.mark.parametrize("path", ROUTER)
@pytest.mark.parametrize(
    "extra",
    [
        '"seed": NaN',
        '"seed": 1e999',
        '"seed": 123456789012345678901234567890',
        '"metadata": {"a": "1", "a": "2"}',
        '"user": "\\ud800"',
        f'"metadata": {"[" * 200}{"]" * 200}',
    ],
    ids=["NaN", "beyond a double", "30 digits", "twice", "lone surrogate", "deep"],
)
def test_json_that_two_readers_might_read_differently(gateway: Gateway, upstream: Stub, path: str, extra: str) -> None:
    content = json.dumps(body_for(path))[:-1] + f", {extra}}}"

    response = send(gateway, path, content.encode())

    assert (response.status_code, error_in(response, path)["code"]) == (400, "invalid_request_body")
    assert upstream.requests == []


def test_second_model_is_refused_where_the_provider_might_obey_it(gateway: Gateway, upstream: Stub) -> None:
    content = json.dumps(message_body())[:-1] + ', "model": "claude-opus-4-6"}'

    assert send(gateway, MESSAGES, content.encode()).status_code == 400
    assert upstream.requests == []


@pytest.mark.parametrize("path", ENDPOINTS)
def test_body_over_the_limit(gateway: Gateway, upstream: Stub, path: str) -> None:
    response = gateway.post(path, body_for(path, user="x" * LARGEST))

    assert response.status_code == 413
    assert error_in(response, path)["type"] == "request_too_large"
    assert upstream.requests == []


def test_body_over_the_limit_has_its_code(gateway: Gateway) -> None:
    assert error_in(gateway.post(CHAT, body_for(CHAT, user="x" * LARGEST)), CHAT)["code"] == "request_too_large"


@pytest.mark.parametrize("path", ENDPOINTS)
def test_body_over_the_limit_of_unsaid_length(gateway: Gateway, upstream: Stub, path: str) -> None:
    content = json.dumps(body_for(path, user="x" * LARGEST)).encode()
    pieces = iter([content[at : at + 1_000] for at in range(0, len(content), 1_000)])

    response = gateway.request("POST", path, content=pieces)

    assert response.status_code == 413
    assert upstream.requests == []


def test_body_at_the_limit_passes(gateway: Gateway) -> None:
    body = json.dumps(message_body())

    assert send(gateway, MESSAGES, body.ljust(LARGEST).encode()).status_code == 200
    assert send(gateway, MESSAGES, body.ljust(LARGEST + 1).encode()).status_code == 413


USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look"}}
WRONG_IN_CHAT: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 5}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": ["Hello"]}, "messages.0"),
    ({"messages": [{"role": "wizard", "content": "Hello"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.image_url"),
    ({"messages": [USER, {"role": "tool", "content": "12"}]}, "messages.1.tool_call_id"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 1.1}, "temperature"),
    ({"temperature": 0.5, "top_p": 0.5}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"stream": "yes"}, "stream"),
    ({"stop": [1]}, "stop"),
    ({"n": 2}, "n"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "web"}]}, "tools.0.type"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
    ({"tools": [TOOL], "tool_choice": "perhaps"}, "tool_choice"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"reasoning_effort": "heroic"}, "reasoning_effort"),
    ({"thinking": {"type": "hard"}}, "thinking.type"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1_023}, "max_tokens": 4_096}, "thinking.budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 4_096}, "max_tokens": 4_096}, "thinking.budget_tokens"),
    ({"cache_control": {"type": "eternal"}}, "cache_control.type"),
    ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl"),
    ({"metadata": {"count": 5}}, "metadata.count"),
    ({"fallbacks": [{}]}, "fallbacks.0.model"),
    ({"retry": {"count": 6}}, "retry.count"),
    ({"timeout": {"call_timeout": "soon"}}, "timeout.call_timeout"),
]
WRONG_IN_RESPONSES: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"input": None}, "input"),
    ({"input": ""}, "input"),
    ({"input": []}, "input"),
    ({"input": 5}, "input"),
    ({"input": ["Hello"]}, "input.0"),
    ({"input": [{"type": "spell"}]}, "input.0.type"),
    ({"input": [{"role": "user", "content": [{"type": "smell"}]}]}, "input.0.content.0.type"),
    ({"input": [{"type": "function_call_output", "output": "12"}]}, "input.0.call_id"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
    ({"instructions": 5}, "instructions"),
    ({"max_output_tokens": -1}, "max_output_tokens"),
    ({"temperature": 2}, "temperature"),
    ({"reasoning": "hard"}, "reasoning"),
    ({"reasoning": {"effort": "heroic"}}, "reasoning.effort"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ({"tools": [{"type": "function"}]}, "tools.0.name"),
    ({"metadata": []}, "metadata"),
    ({"cache_control": {"type": "ephemeral", "ttl": 5}}, "cache_control.ttl"),
    ({"background": True}, "background"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [(CHAT, *case) for case in WRONG_IN_CHAT] + [(RESPONSES, *case) for case in WRONG_IN_RESPONSES],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_wrong_field_is_named(gateway: Gateway, upstream: Stub, path: str, fields: dict[str, Any], param: str) -> None:
    response = gateway.post(path, body_for(path, **fields))

    error = error_in(response, path)
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request_body", param)
    assert error["type"] == "invalid_request_error"
    assert upstream.requests == []
    assert gateway.refusals(response.headers["x-orq-trace-id"])[0].status == 400


@pytest.mark.parametrize(
    "fields", [{"model": None}, {"model": 5}, {"model": ""}, {"model": ["a"]}, {"stream": "yes"}], ids=json.dumps
)
def test_wrong_field_is_named_by_the_native_endpoint_too(
    gateway: Gateway, upstream: Stub, fields: dict[str, Any]
) -> None:
    response = gateway.post(MESSAGES, message_body(**fields))

    assert response.status_code == 400
    assert next(iter(fields)) in error_in(response, MESSAGES)["message"]
    assert upstream.requests == []


def test_message_says_that_nothing_is_stored(gateway: Gateway) -> None:
    response = gateway.post(RESPONSES, body_for(RESPONSES, previous_response_id="resp_1"))

    assert "not stored" in error_in(response, RESPONSES)["message"]


def test_message_names_the_kind_of_thinking_the_model_has(gateway: Gateway) -> None:
    body = body_for(CHAT, model="anthropic/claude-haiku-4-5", thinking={"type": "adaptive"})

    error = error_in(gateway.post(CHAT, body), CHAT)

    assert error["param"] == "thinking.type"
    assert '"enabled"' in error["message"]


def five_marked(kind: str) -> list[dict[str, Any]]:
    return [{"type": kind, "text": f"Part {number}", "cache_control": EPHEMERAL} for number in range(5)]


FOUR_AND_ONE = [{"role": "system", "content": five_marked("text")[:4]}, USER]
FIVE_TOOLS = [{"type": "function", "function": {"name": f"t{n}"}, "cache_control": EPHEMERAL} for n in range(5)]
FIVE_FLAT_TOOLS = [{"type": "function", "name": f"t{n}", "cache_control": EPHEMERAL} for n in range(5)]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"messages": [{"role": "user", "content": five_marked("text")}]}),
        (CHAT, {"messages": [{"role": "system", "content": five_marked("text")}, USER]}),
        (CHAT, {"tools": FIVE_TOOLS}),
        (CHAT, {"messages": FOUR_AND_ONE, "cache_control": EPHEMERAL}),
        (RESPONSES, {"input": [{"role": "user", "content": five_marked("input_text")}]}),
        (RESPONSES, {"tools": FIVE_FLAT_TOOLS}),
    ],
    ids=["user", "system", "tools", "top level is one more", "input", "flat tools"],
)
def test_fifth_breakpoint_is_refused(gateway: Gateway, upstream: Stub, path: str, fields: dict[str, Any]) -> None:
    response = gateway.post(path, body_for(path, **fields))

    error = error_in(response, path)
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request_body", "cache_control")
    assert "at most 4" in error["message"]
    assert upstream.requests == []


def test_four_breakpoints_pass(gateway: Gateway, upstream: Stub) -> None:
    response = gateway.post(CHAT, body_for(CHAT, messages=[{"role": "user", "content": five_marked("text")[:4]}]))

    assert response.status_code == 200
    sent = upstream.requests[0].json["messages"][0]["content"]
    assert [block["cache_control"] for block in sent] == [EPHEMERAL] * 4


@pytest.mark.parametrize("path", ROUTER)
@pytest.mark.parametrize(
    ("model", "status", "code", "told"),
    [
        ("claude-sonnet-4-6", 400, "invalid_request_body", "anthropic/claude-sonnet-4-6"),
        ("claude-haiku-4-5-20251001", 400, "invalid_request_body", "anthropic/claude-haiku-4-5"),
        ("bedrock/anthropic.claude-3", 400, "invalid_request_body", "aws/"),
        ("vertex_ai/claude-opus-4-6", 400, "invalid_request_body", "google/"),
        ("anthropic/claude-nothing-9", 404, "model_not_found", "claude-nothing-9"),
        ("openai/gpt-9", 422, "model_configuration_missing", "OpenAI"),
        ("anthropic/", 404, "model_not_found", ""),
        ("aws/anthropic/claude-sonnet-4-6", 422, "model_configuration_missing", "AWS"),
        ("google/anthropic/claude-opus-4-6", 422, "model_configuration_missing", "Google"),
    ],
)
def test_model_that_cannot_be_called(
    gateway: Gateway, upstream: Stub, path: str, model: str, status: int, code: str, told: str
) -> None:
    response = gateway.post(path, body_for(path, model=model))

    error = error_in(response, path)
    assert (response.status_code, error["code"], error["param"]) == (status, code, "model")
    assert told in error["message"]
    assert upstream.requests == []


def test_key_that_is_asked_for_and_not_there(gateway: Gateway, upstream: Stub) -> None:
    response = gateway.post(CHAT, body_for(CHAT, integration_id="Staging"))

    error = error_in(response, CHAT)
    assert (response.status_code, error["code"]) == (422, "model_configuration_missing")
    assert "Staging" in error["message"]
    assert upstream.requests == []


def test_key_that_is_asked_for_by_name(gateway: Gateway) -> None:
    assert gateway.post(CHAT, body_for(CHAT, integration_id="Anthropic Production")).status_code == 200


@pytest.mark.parametrize("path", ["/v3/router/responses/resp_1", "/v2/router/responses/resp_1"])
def test_stored_response_is_not_there(gateway: Gateway, path: str) -> None:
    response = gateway.request("GET", path)

    assert response.status_code == 404
    assert "not stored" in error_in(response, path)["message"]


@pytest.mark.parametrize("path", ["/v3/anthropic", "/v3/anthropic/"])
def test_native_base_address_is_there(gateway: Gateway, path: str) -> None:
    response = httpx.head(gateway.url + path, trust_env=False)

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v3/router/models", "/v3/anthropic/v1/models", "/healthz", "/readyz"])
def test_head_says_what_get_would(gateway: Gateway, path: str) -> None:
    got, headed = gateway.request("GET", path), gateway.request("HEAD", path)

    assert (headed.status_code, headed.content) == (got.status_code, b"") == (200, b"")
    assert headed.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    "path",
    ["/v3/", "/v3/router", "/v3/router/chat", "/v3/router/chat/completions/", "/v3/anthropic/v1/nothing"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_path(gateway: Gateway, method: str, path: str) -> None:
    response = gateway.request(method, path)

    assert response.status_code == 404
    assert path in error_in(response, path)["message"]


@pytest.mark.parametrize("path", [*ENDPOINTS, f"{MESSAGES}/count_tokens"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_method_that_is_not_allowed(gateway: Gateway, method: str, path: str) -> None:
    response = gateway.request(method, path)

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "POST" in error_in(response, path)["message"]


@pytest.mark.parametrize("path", ["/v3/router/models", "/v3/anthropic/v1/models", f"/v3/router/models/{MODEL}"])
def test_list_takes_no_post(gateway: Gateway, path: str) -> None:
    response = gateway.post(path, {})

    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_v2_is_the_same(gateway: Gateway, path: str) -> None:
    response = gateway.post(f"/v2/router/{path}", body_for(f"/v3/router/{path}"))

    assert response.status_code == 200
    assert gateway.new_row().dialect == path.partition("/")[0]


def test_v2_lists_the_same_models(gateway: Gateway) -> None:
    assert gateway.request("GET", "/v2/router/models").json() == gateway.request("GET", "/v3/router/models").json()


def test_v2_refuses_in_the_same_envelope(gateway: Gateway) -> None:
    response = gateway.post("/v2/router/chat/completions", {"model": "claude-sonnet-4-6"})

    assert (response.status_code, error_in(response, "/v2/router/chat/completions")["param"]) == (400, "model")


def test_every_reply_has_its_own_trace_id(gateway: Gateway, upstream: Stub) -> None:
    upstream.replies += [Reply.of_error(status, "api_error", "No.") for status in (500, 500)]
    replies = [
        gateway.post(CHAT, body_for(CHAT)),
        gateway.post(MESSAGES, message_body()),
        *(gateway.post(path, body_for(path)) for path in ENDPOINTS),
        *(gateway.post(path, body_for(path, stream=True)) for path in ENDPOINTS),
        *(gateway.post(path, {}) for path in ENDPOINTS),
        *(gateway.post(path, body_for(path), headers={"authorization": "Bearer no"}) for path in ENDPOINTS),
        *(gateway.request("GET", path) for path in ["/v3/router/models", "/v3/anthropic/v1/models", "/v3/x", CHAT]),
        gateway.request("GET", "/v3/router/responses/resp_1"),
        gateway.request("HEAD", "/v3/anthropic"),
        gateway.post(CHAT, body_for(CHAT, user="x" * LARGEST)),
    ]

    ids = [reply.headers.get("x-orq-trace-id") for reply in replies]
    assert [len(trace_id or "") for trace_id in ids] == [32] * len(replies)
    assert len(set(ids)) == len(replies)
    assert [reply.status_code for reply in replies[:8]] == [502, 500, *[200] * 6]
    assert {row.request_id for row in gateway.new_rows(8)} == set(ids[:8])


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "authorization", [None, "", "Basic abc", "Bearer", "Bearer sk-orq-short", "Bearer sk-ant-api03-someone-elses"]
)
def test_missing_or_malformed_credentials(gateway: Gateway, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = httpx.post(gateway.url + path, json=body_for(path), headers=headers, trust_env=False)

    error = error_in(response, path)
    assert (response.status_code, error["type"]) == (401, "authentication_error")
    assert error.get("code", "authentication_required") == "authentication_required"


PROVIDER_ERRORS = [
    (400, "invalid_request_error", 400, "invalid_request_body"),
    (401, "authentication_error", 422, "provider_credential_invalid"),
    (403, "permission_error", 422, "provider_credential_invalid"),
    (404, "not_found_error", 404, "model_not_found"),
    (413, "request_too_large", 400, "invalid_request_body"),
    (429, "rate_limit_error", 429, "rate_limit_exceeded"),
    (500, "api_error", 502, "provider_error"),
    (503, "api_error", 502, "provider_error"),
    (504, "timeout_error", 504, "provider_timeout"),
    (529, "overloaded_error", 503, "provider_overloaded"),
]


@pytest.mark.parametrize("path", ROUTER)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("theirs", "kind", "ours", "code"), PROVIDER_ERRORS)
def test_provider_error_in_the_envelope(
    gateway: Gateway, upstream: Stub, path: str, stream: bool, theirs: int, kind: str, ours: int, code: str
) -> None:
    upstream.replies.append(Reply.of_error(theirs, kind, "Said by the provider.", headers={"retry-after": "7"}))

    response = gateway.post(path, body_for(path, stream=stream))

    error = error_in(response, path)
    assert (response.status_code, error["code"]) == (ours, code)
    assert "Said by the provider." in error["message"]
    assert response.headers["retry-after"] == "7"
    row = gateway.new_row()
    assert (row.status, row.error_code, row.certainty) == (theirs, code, "exact")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("theirs", "kind", "ours", "code"), PROVIDER_ERRORS)
def test_provider_error_passes_to_native_clients(
    gateway: Gateway, upstream: Stub, stream: bool, theirs: int, kind: str, ours: int, code: str
) -> None:
    reply = Reply.of_error(theirs, kind, "Said by the provider.", headers={"retry-after": "7"})
    upstream.replies.append(reply)

    response = gateway.post(MESSAGES, message_body(stream=stream))

    assert (response.status_code, response.content) == (theirs, reply.body)
    assert response.headers["retry-after"] == "7"
    assert gateway.new_row().error_code == code


@pytest.mark.parametrize("path", ROUTER)
@pytest.mark.parametrize(
    "body", [b"<html>Bad Gateway</html>", b"", b"[]", b'{"error": "down"}'], ids=["html", "empty", "array", "text"]
)
def test_provider_error_of_no_known_shape(gateway: Gateway, upstream: Stub, path: str, body: bytes) -> None:
    upstream.replies.append(Reply(502, {"content-type": "text/html"}, body))

    response = gateway.post(path, body_for(path))

    assert (response.status_code, error_in(response, path)["code"]) == (502, "provider_error")
    assert gateway.new_row().error_code == "provider_error"


@pytest.mark.parametrize("path", ENDPOINTS)
def test_count_of_refusals_matches(gateway: Gateway, path: str) -> None:
    response = gateway.post(path, body_for(path, model="bedrock/anthropic.claude-3"))

    [refusal] = wait_for(lambda: gateway.refusals(response.headers["x-orq-trace-id"]) or None)
    assert (refusal.status, refusal.model_asked) == (400, "bedrock/anthropic.claude-3")


def test_usual_path_of_other_gateways_is_answered_with_where_ours_is(gateway: Gateway) -> None:
    response = gateway.request("POST", "/v1/chat/completions", json={})

    assert response.status_code == 404
    assert "/v3/router" in response.json()["error"]["message"]
