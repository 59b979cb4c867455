"""What Claude Code and Claude Cowork ask of a gateway, point by point, at each provider.

The points are those of docs/wire.md, section 5. Of the seventh only the header is here: there are no limits yet.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from providers.eventstream import EventStreamDecoder
from router import app as gateway_app
from simulator.eventstream import encode_chunk
from tests.clouds import PREFIXES, connect_clouds, simulated_token_service
from tests.gateway import Gateway, connected_gateway, transactional_db
from tests.router.conftest import message_body, wait_for
from tests.stub import Reply, Seen, Stub, answer_counted, events_of, usage_of

__all__ = ["transactional_db"]

MESSAGES = "/v3/anthropic/v1/messages"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14"
# A JSON text that no encoder would write: its bytes show whether it was passed on or written anew.
ODD_SYSTEM = (
    b'[ {"type":"text","text":"You are Claude Code.\\u0020"},\n'
    b'  {"text" : "Second.", "type":"text", "cache_control":{"type":"ephemeral","ttl":"1h"}, "later": 1.50},'
    b' {"type":"text","text":"Third."} ]'
)
EVENTS = events_of(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": "Hello from the stub, at some length – and not in ASCII."}],
        "stop_reason": "end_turn",
        "usage": usage_of("req_1"),
    }
)
UNPINGED = [event for event in EVENTS if event["type"] != "ping"]
EVERYWHERE = pytest.mark.parametrize("provider", PREFIXES)


def answer_anyone(seen: Seen) -> Reply:
    """Answer as whichever provider is asked, and as Google's token service."""
    if seen.path == "/token":
        return Reply.of_json({"access_token": "only-for-tests", "expires_in": 3599, "token_type": "Bearer"})
    if seen.path.endswith("invoke-with-response-stream"):
        return reply_of("aws", EVENTS)
    return reply_of("anthropic", EVENTS) if seen.json.get("stream") else answer_counted(seen)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Stub]:
    with Stub(handler=answer_anyone) as running:
        yield running


@pytest.fixture(scope="module")
def module_gateway(transactional_db: None, upstream: Stub, tmp_path_factory: Any) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        simulated_token_service(upstream.origin),
        connected_gateway(upstream.origin, "sk-ant-api03-only-for-tests-0123456789", folder) as running,
    ):
        connect_clouds(running.workspace, upstream.origin)
        # This also fetches Google's token, so that no test's reply is taken for it.
        wait_for(lambda: running.post(MESSAGES, body_at("google")).is_success or None)
        yield running


@pytest.fixture
def gateway(module_gateway: Gateway, upstream: Stub) -> Gateway:
    module_gateway.forget_rows()
    upstream.requests.clear()
    upstream.replies.clear()
    return module_gateway


@pytest.fixture
def often_pinging(settings: Any) -> None:
    settings.PING_AFTER_S = 0.1


def body_at(provider: str, **fields: Any) -> dict[str, Any]:
    """A small message to a model at ``provider``."""
    return message_body(model=f"{PREFIXES[provider]}claude-sonnet-4-6", **fields)


def post_raw(gateway: Gateway, provider: str, rest: bytes, *, query: str = "") -> httpx.Response:
    """Post a body whose fields after the model are exactly ``rest``."""
    raw = b'{"model":"%bclaude-sonnet-4-6",%b}' % (PREFIXES[provider].encode(), rest)
    return gateway.request("POST", MESSAGES + query, content=raw, headers={"content-type": "application/json"})


def reply_of(provider: str, events: list[dict[str, Any]]) -> Reply:
    """Return a stream in the provider's own framing, one network chunk an event or frame."""
    if provider != "aws":
        return Reply.of_events(events)
    frames = [encode_chunk(event, padding=7) for event in events]
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    return Reply(200, headers, b"".join(frames), tuple(map(len, frames)))


def stalled(reply: Reply, count: int) -> Reply:
    """Return ``reply`` as if nothing came after its first ``count`` events."""
    return replace(reply, stall_after=sum(reply.chunk_sizes[:count]))


def events_in(reply: Reply) -> list[bytes]:
    """Return the server-sent events that a client must get of a provider's stream."""
    if not reply.headers["content-type"].startswith("application/vnd.amazon"):
        return frames_in(reply.body)
    parts = [json.loads(message.payload)["bytes"] for message in EventStreamDecoder().feed(reply.body)]
    data = [base64.b64decode(part) for part in parts]
    return [b"event: %b\ndata: %b\n\n" % (json.loads(each)["type"].encode(), each) for each in data]


def frames_in(stream: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in stream.split(b"\n\n")[:-1]]


# 1. Any query, unbuffered streams, the provider's own events


@EVERYWHERE
@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/count_tokens"])
def test_path_is_matched_whatever_the_query(gateway: Gateway, upstream: Stub, path: str, provider: str) -> None:
    if provider == "aws" and path.endswith("count_tokens"):
        upstream.replies.append(Reply.of_json({"inputTokens": 9}))

    response = gateway.post(f"{path}?beta=true&new=1", body_at(provider))

    assert response.status_code == 200
    assert len(upstream.requests) == 1


@EVERYWHERE
def test_events_pass_as_they_come(gateway: Gateway, upstream: Stub, provider: str) -> None:
    reply = reply_of(provider, EVENTS)
    upstream.replies.append(stalled(reply, 2))

    got = read_until(gateway, body_at(provider, stream=True), lambda stream: len(frames_in(stream)) == 2)

    assert frames_in(got) == events_in(reply)[:2]


@EVERYWHERE
def test_stream_has_the_providers_events_and_no_others(gateway: Gateway, provider: str) -> None:
    response = gateway.post(MESSAGES, body_at(provider, stream=True))

    assert response.headers["content-type"].startswith("text/event-stream")
    assert frames_in(response.content) == events_in(reply_of(provider, EVENTS))


# 2. Headers and fields are open lists


def test_version_and_betas_are_the_clients(gateway: Gateway, upstream: Stub) -> None:
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": BETAS}

    gateway.post(MESSAGES, body_at("anthropic"), headers=headers)

    assert upstream.requests[0].headers.items() >= headers.items()


@pytest.mark.parametrize("provider", ["anthropic", "google"])
def test_unknown_headers_pass(gateway: Gateway, upstream: Stub, provider: str) -> None:
    headers = {"x-new-thing": "yes", "x-stainless-lang": "js", "x-app": "cli"}

    gateway.post(MESSAGES, body_at(provider), headers=headers)

    assert upstream.requests[0].headers.items() >= headers.items()


@EVERYWHERE
def test_unknown_fields_keep_their_bytes(gateway: Gateway, upstream: Stub, provider: str) -> None:
    new = b'"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"new":{"model": [1.50, 2e3,"\\u00e9"] , "a":{}}'

    assert post_raw(gateway, provider, new).status_code == 200

    assert new in upstream.requests[0].body


# 3. The system array


@EVERYWHERE
@pytest.mark.parametrize("stream", [b"false", b"true"], ids=["whole", "stream"])
def test_system_keeps_its_bytes(gateway: Gateway, upstream: Stub, provider: str, stream: bytes) -> None:
    rest = b'"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"stream":%b,"system":%b' % (stream, ODD_SYSTEM)

    assert post_raw(gateway, provider, rest).status_code == 200

    assert b'"system":' + ODD_SYSTEM in upstream.requests[0].body


# 4. Pings


@pytest.mark.usefixtures("often_pinging")
@EVERYWHERE
def test_silent_stream_is_kept_alive(gateway: Gateway, upstream: Stub, provider: str) -> None:
    reply = reply_of(provider, UNPINGED)
    upstream.replies.append(stalled(reply, 3))

    got = read_until(gateway, body_at(provider, stream=True), lambda stream: stream.count(PING) == 2)

    assert frames_in(got) == [*events_in(reply)[:3], PING, PING]


@pytest.mark.usefixtures("often_pinging")
@EVERYWHERE
def test_ping_never_lands_inside_an_event(gateway: Gateway, upstream: Stub, provider: str) -> None:
    reply = reply_of(provider, UNPINGED)
    # Each chunk ends in the middle of an event, with a pause behind it, but for one that ends with its event.
    cuts = [size // 2 for size in reply.chunk_sizes[:2]]
    whole = sum(reply.chunk_sizes[:2])
    sizes = (cuts[0], reply.chunk_sizes[0] - cuts[0] + cuts[1], whole - reply.chunk_sizes[0] - cuts[1])
    upstream.replies.append(replace(reply, chunk_sizes=sizes, between_s=0.5))

    stream = gateway.post(MESSAGES, body_at(provider, stream=True)).content

    assert PING in stream
    assert [frame for frame in frames_in(stream) if frame != PING] == events_in(reply)


@pytest.mark.usefixtures("often_pinging")
@EVERYWHERE
@pytest.mark.parametrize("path", ["/v3/router/chat/completions", "/v3/router/responses"])
def test_silent_stream_of_a_translated_dialect_gets_comments(
    gateway: Gateway, upstream: Stub, path: str, provider: str
) -> None:
    upstream.replies.append(stalled(reply_of(provider, UNPINGED), 3))
    said = {"input": "Hello"} if path.endswith("responses") else {"messages": [{"role": "user", "content": "Hello"}]}
    body = {"model": body_at(provider)["model"], "stream": True, **said}

    got = read_until(gateway, body, lambda stream: stream.count(b": ping\n\n") == 2, path=path)

    assert got.endswith(b"\n\n: ping\n\n: ping\n\n")


def test_pings_of_the_provider_are_passed_on(gateway: Gateway, upstream: Stub) -> None:
    pings = [{"type": "ping"}] * 3
    upstream.replies.append(Reply.of_events([EVENTS[0], *pings, *EVENTS[1:]]))

    response = gateway.post(MESSAGES, body_at("anthropic", stream=True))

    assert frames_in(response.content).count(b'event: ping\ndata: {"type": "ping"}\n\n') == 4


@pytest.mark.usefixtures("often_pinging")
def test_client_that_does_not_read_holds_up_nobodys_pings(gateway: Gateway, upstream: Stub) -> None:
    upstream.replies.extend([stalled(reply_of("anthropic", UNPINGED), 3)] * 2)

    with deaf_client(gateway, body_at("anthropic", stream=True)):
        got = read_until(gateway, body_at("anthropic", stream=True), lambda stream: stream.count(PING) == 3)

    assert got.endswith(PING * 3)


# 5. Errors


@EVERYWHERE
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500, 503, 529])
def test_refusal_keeps_status_and_bytes(
    gateway: Gateway, upstream: Stub, provider: str, stream: bool, status: int
) -> None:
    body = b'{ "message" : "prompt is too long: 200001 tokens > 200000 maximum", "type":"error" }'
    headers = {"content-type": "application/json; charset=utf-8", "retry-after": "7", "x-should-retry": "true"}
    upstream.replies.append(Reply(status, headers, body))

    response = gateway.post(MESSAGES, body_at(provider, stream=stream))

    assert (response.status_code, response.content) == (status, body)
    assert response.headers.items() >= headers.items()


def test_failure_within_a_stream_passes_as_it_came(gateway: Gateway, upstream: Stub) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded", "new": 1}}
    reply = Reply.of_events([*EVENTS[:3], error])
    upstream.replies.append(reply)

    response = gateway.post(MESSAGES, body_at("anthropic", stream=True))

    assert response.content == reply.body


# 6. What Bedrock and Vertex AI want differently


def test_betas_move_into_the_body_for_bedrock(gateway: Gateway, upstream: Stub) -> None:
    gateway.post(MESSAGES, body_at("aws"), headers={"anthropic-beta": BETAS})

    seen = upstream.requests[0]
    assert seen.json["anthropic_beta"] == ["interleaved-thinking-2025-05-14"]
    assert "anthropic-beta" not in seen.headers


def test_betas_stay_a_header_for_vertex(gateway: Gateway, upstream: Stub) -> None:
    gateway.post(MESSAGES, body_at("google"), headers={"anthropic-beta": BETAS})

    seen = upstream.requests[0]
    assert seen.headers["anthropic-beta"] == BETAS
    assert "anthropic_beta" not in seen.json


@pytest.mark.parametrize(
    ("provider", "version"), [("aws", "bedrock-2023-05-31"), ("google", "vertex-2023-10-16")], ids=["aws", "google"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_model_leaves_the_body_and_the_version_enters_it(
    gateway: Gateway, upstream: Stub, provider: str, version: str, stream: bool
) -> None:
    gateway.post(MESSAGES, body_at(provider, stream=stream), headers={"anthropic-version": "2023-06-01"})

    seen = upstream.requests[0]
    assert "model" not in seen.json
    assert seen.json["anthropic_version"] == version
    assert "claude-sonnet-4-6" in seen.path
    assert "anthropic-version" not in seen.headers


# 7. What we refuse ourselves is not to be sent again


@pytest.mark.parametrize(
    ("token", "fields", "status"),
    [
        ("sk-orq-nothing", {}, 401),
        ("mk-orq-nothing", {}, 401),
        (None, {"model": "route/nothing"}, 404),
        (None, {"model": "bedrock/claude"}, 400),
        (None, {"model": ""}, 400),
    ],
)
def test_own_refusal_is_final(gateway: Gateway, token: str | None, fields: dict[str, Any], status: int) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}

    response = gateway.post(MESSAGES, message_body(**fields), headers=headers)

    assert (response.status_code, response.headers["x-should-retry"]) == (status, "false")


# 8. Models, and the base address


@pytest.mark.parametrize("scheme", ["bearer", "x-api-key"])
def test_models_are_listed_in_anthropics_shape(gateway: Gateway, scheme: str) -> None:
    credential = {"authorization": f"Bearer {gateway.token}"} if scheme == "bearer" else {"x-api-key": gateway.token}
    url = f"{gateway.url}/v3/anthropic/v1/models?limit=1000"

    response = httpx.get(url, headers=credential, follow_redirects=False, trust_env=False)

    listed = response.json()
    assert response.status_code == 200
    assert listed["has_more"] is False
    assert "claude-sonnet-4-6" in [model["id"] for model in listed["data"]]
    assert all(model["type"] == "model" and model["display_name"] and model["created_at"] for model in listed["data"])


@pytest.mark.parametrize("path", ["/v3/anthropic", "/v3/anthropic/", "/v3/anthropic?beta=true"])
def test_base_address_answers_head_without_a_key(gateway: Gateway, path: str) -> None:
    response = httpx.head(gateway.url + path, follow_redirects=False, trust_env=False)

    assert (response.status_code, response.content) == (200, b"")


# Of one request


@EVERYWHERE
def test_session_of_claude_code_is_on_the_ledger(gateway: Gateway, provider: str) -> None:
    gateway.post(MESSAGES, body_at(provider), headers={"x-claude-code-session-id": "3763ad36"})

    row = gateway.new_row()
    assert (row.session, row.provider, row.certainty) == ("3763ad36", provider, "exact")


def read_until(
    gateway: Gateway, body: Mapping[str, Any], is_enough: Callable[[bytes], bool], *, path: str = MESSAGES
) -> bytes:
    """Return what has come of a stream once it is enough; then leave."""
    got = b""
    with httpx.stream(
        "POST", gateway.url + path, json=body, headers=gateway.headers, timeout=20, trust_env=False
    ) as response:
        for chunk in response.iter_raw():
            got += chunk
            if is_enough(got):
                break
    return got


class deaf_client:  # used like a function
    """A client that takes the beginning of its stream and then reads no more, for as long as the context lasts.

    The server then makes every further send wait. On a socket that takes megabytes; so the application is called in
    the server's stead, on the server's loop.
    """

    def __init__(self, gateway: Gateway, body: Mapping[str, Any]) -> None:
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": MESSAGES,
            "headers": [(name.encode(), value.encode()) for name, value in gateway.headers.items()],
        }
        self._messages = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        self._waiting = 0

    def __enter__(self) -> None:
        running = gateway_app._gateway
        assert running is not None
        loop = running._background[0].get_loop()
        self._call = asyncio.run_coroutine_threadsafe(gateway_app.app(self._scope, self._receive, self._send), loop)
        wait_for(lambda: self._waiting or None)

    def __exit__(self, *_: object) -> None:
        self._call.cancel()

    async def _receive(self) -> dict[str, Any]:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop()

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message.get("body", b"").startswith(b"event: ping"):
            self._waiting += 1
            await asyncio.Event().wait()
