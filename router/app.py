"""The gateway: a plain ASGI application that authenticates, plans, sends, streams back and meters.

No Django request is in its path. It answers from a snapshot in memory and records to the outbox; neither PostgreSQL nor
Redis is asked while a client waits.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import django
import msgspec
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")
if not apps.ready:
    django.setup()

from django.conf import settings  # needs the setup above when this application runs alone
from django.db import connection as django_connection
from psycopg import AsyncConnection

from router.asgi_types import Receive, Scope, Send
from router.auth import authenticate, read_token
from router.call import Call, Inbound, Metadata, Timeouts
from router.dialects import CHAT, MESSAGES, RESPONSES
from router.dialects.base import Dialect, ParsedRequest, RequestRefused
from router.dialects.messages import replace_model
from router.facts import facts_of
from router.models_list import native_model, native_models, router_model, router_models
from router.outbox import OutboxUnavailable, OutboxWriter
from router.plan import Plan, make_plan
from router.snapshot import GatewayKeyEntry, Snapshot, SnapshotHolder
from usage.records import RefusalRecord, uuid7

logger = logging.getLogger(__name__)

GATEWAY_PREFIXES = ("/v3/", "/v2/router", "/healthz", "/readyz")
NATIVE_PREFIX = "/v3/anthropic"
# After the server has stopped waiting for clients, calls still running get this long before they are cut.
STOP_GRACE_S = 2.0
# How long a call runs before anybody looks whether its client is still there.
WATCH_AFTER_S = 0.05
FIRST_SNAPSHOT_S = 20.0

# What is metered and passed on byte for byte must not arrive compressed.
UNCOMPRESSED: Mapping[str, str] = {"accept-encoding": "identity"}
# Request headers that are ours, or belong to the connection; all others pass to the native endpoint's provider.
_DROPPED_REQUEST_HEADERS = frozenset(
    [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-api-key",
        "x-real-ip",
    ]
)
_DROPPED_REQUEST_PREFIXES = ("x-orq-", "x-forwarded-", "proxy-", "cf-", "x-amzn-")


class Gateway:
    """What one gateway process holds from start to stop."""

    def __init__(self) -> None:
        self.holder = SnapshotHolder()
        self.calls: set[asyncio.Task[Any]] = set()
        self.max_body_bytes: int = settings.MAX_BODY_BYTES
        self.timeouts = Timeouts(
            connect=settings.CONNECT_TIMEOUT_S,
            first_byte=settings.FIRST_BYTE_TIMEOUT_S,
            between_bytes=settings.BETWEEN_BYTES_TIMEOUT_S,
        )
        self.outbox = OutboxWriter(settings.OUTBOX_DIR, flush_to_disk=settings.OUTBOX_SYNCHRONOUS == "FULL")
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding", "Content-Type"],
        )
        self._following = asyncio.create_task(self.holder.follow(_connect))

    async def wait_for_snapshot(self) -> None:
        """Wait for the first snapshot, but not for ever: without a database ``/readyz`` says so."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.holder.loaded.wait(), FIRST_SNAPSHOT_S)

    async def carry(self, call: Call, receive: Receive, send: Send) -> None:
        """Run ``call`` in this task, which outlives the client, and abandon it when the client leaves."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("coroutines run in tasks")
        watch = _Watch(call, task, receive)
        self.calls.add(task)
        try:
            await call.run(send)
        finally:
            watch.stop()
            self.calls.discard(task)

    async def close(self) -> None:
        """Let the calls that still run end, then cut them; each is settled either way."""
        self._following.cancel()
        if self.calls:
            await asyncio.wait(self.calls, timeout=STOP_GRACE_S)
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(self.calls, timeout=STOP_GRACE_S)
        with suppress(asyncio.CancelledError):
            await self._following
        await self.session.close()
        self.outbox.close()


class _Watch:
    """Notices when the client has left. Most answers are out before watching begins, which saves them its cost."""

    def __init__(self, call: Call, task: "asyncio.Task[Any]", receive: Receive) -> None:
        self._call, self._task, self._receive = call, task, receive
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def stop(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        # The body is read, so the next message says that the client has left.
        await self._receive()
        if not self._call.is_answered:
            self._call.abandon(self._task)


_gateway: Gateway | None = None


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection; see GATEWAY_PREFIXES for the paths that are ours."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _serve(scope, receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1003})


async def _lifespan(receive: Receive, send: Send) -> None:
    global _gateway
    await receive()
    try:
        _gateway = Gateway()
        await _gateway.wait_for_snapshot()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _gateway.close()
    _gateway = None
    await send({"type": "lifespan.shutdown.complete"})


Handler = Callable[[Gateway, Scope, Receive, Send], Awaitable[None]]


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    path: str = scope["path"]
    if path == "/healthz":
        await _reply(send, 200, b'{"status":"ok"}')
        return
    if _gateway is None or _gateway.holder.current is None:
        await _reply(send, 503, b'{"status":"starting"}')
        return
    if path == "/readyz":
        await _reply(send, 200, b'{"status":"ready"}')
        return
    if path.startswith("/v2/router"):
        path = "/v3/router" + path[len("/v2/router") :]
    inbound = Inbound(uuid7().hex, path, _headers_of(scope))
    dialect = MESSAGES if path.startswith(NATIVE_PREFIX) else CHAT
    try:
        await _route(_gateway, scope["method"], inbound, receive, send)
    except RequestRefused as refused:
        await _reply_refused(send, dialect, inbound, refused)
    except ClientGone:
        return


class ClientGone(Exception):
    """The client left before its request was whole."""


async def _route(gateway: Gateway, method: str, inbound: Inbound, receive: Receive, send: Send) -> None:
    path = inbound.path
    if method == "HEAD" and path.rstrip("/") == NATIVE_PREFIX:
        # Claude Code asks whether its base address is there.
        await _reply(send, 200, b"")
        return
    endpoint = _ENDPOINTS.get(path)
    if method == "POST" and endpoint:
        await _call_model(gateway, endpoint, inbound, receive, send)
        return
    key = _authenticate(gateway, inbound)
    snapshot = _snapshot_of(gateway)
    if method == "GET" and path == "/v3/router/models":
        await _reply(send, 200, router_models(snapshot, key.workspace), inbound)
    elif method == "GET" and path == f"{NATIVE_PREFIX}/v1/models":
        await _reply(send, 200, native_models(snapshot, key.workspace), inbound)
    elif method == "GET" and path.startswith(f"{NATIVE_PREFIX}/v1/models/"):
        name = path[len(f"{NATIVE_PREFIX}/v1/models/") :]
        await _reply(send, 200, native_model(snapshot, key.workspace, name), inbound)
    elif method == "GET" and path.startswith("/v3/router/models/"):
        await _reply(send, 200, router_model(snapshot, key.workspace, path[len("/v3/router/models/") :]), inbound)
    elif method == "GET" and path.startswith("/v3/router/responses/"):
        message = "Responses are not stored, so none can be fetched."
        raise RequestRefused(message, status=404, code="response_not_found")
    elif endpoint:
        raise RequestRefused(f"{method} is not allowed here; send POST.", status=405, code="method_not_allowed")
    else:
        raise RequestRefused(f"There is nothing at {path}.", status=404, code="not_found")


class Endpoint(msgspec.Struct, frozen=True):
    """Where model calls arrive, and where the native ones go."""

    dialect: Dialect
    upstream_path: str = "/v1/messages"
    is_count: bool = False


_ENDPOINTS: Mapping[str, Endpoint] = {
    "/v3/router/chat/completions": Endpoint(CHAT),
    "/v3/router/responses": Endpoint(RESPONSES),
    f"{NATIVE_PREFIX}/v1/messages": Endpoint(MESSAGES),
    f"{NATIVE_PREFIX}/v1/messages/count_tokens": Endpoint(MESSAGES, "/v1/messages/count_tokens", is_count=True),
}


async def _call_model(gateway: Gateway, endpoint: Endpoint, inbound: Inbound, receive: Receive, send: Send) -> None:
    key = _authenticate(gateway, inbound)
    raw = await _read_body(receive, inbound, gateway.max_body_bytes)
    dialect, asked = endpoint.dialect, ""
    try:
        parsed = dialect.parse(raw)
        asked = parsed.model
        plan = make_plan(
            parsed.model,
            _snapshot_of(gateway),
            key.workspace,
            is_native=dialect is MESSAGES,
            integration_id=parsed.options.integration_id,
            now=time.time(),
        )
        body, headers = _outbound(dialect, parsed, plan, inbound)
    except RequestRefused as refused:
        _record_refusal(gateway, key, inbound, dialect, asked, refused)
        await _reply_refused(send, dialect, inbound, refused)
        return
    call = Call(
        session=gateway.session,
        outbox=gateway.outbox,
        timeouts=gateway.timeouts,
        inbound=inbound,
        key=key,
        dialect=dialect,
        parsed=parsed,
        plan=plan,
        metadata=_metadata(parsed, inbound),
        outbound_body=body,
        outbound_headers=headers,
        upstream_path=endpoint.upstream_path,
        is_count=endpoint.is_count,
    )
    await gateway.carry(call, receive, send)


def _outbound(dialect: Dialect, parsed: ParsedRequest, plan: Plan, inbound: Inbound) -> tuple[bytes, Mapping[str, str]]:
    upstream_model = plan.candidates[0].upstream_model
    if dialect is MESSAGES:
        body = parsed.raw if parsed.model == upstream_model else replace_model(parsed.raw, upstream_model)
        return body, _passed_on(inbound.headers)
    if plan.entry is None:
        raise AssertionError("only the native dialect plans models the catalog does not know")
    messages = dialect.to_messages(parsed, facts_of(plan.entry.info))
    return msgspec.json.encode({"model": upstream_model, **messages}), UNCOMPRESSED


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value
        for name, value in headers.items()
        if name not in _DROPPED_REQUEST_HEADERS and not name.startswith(_DROPPED_REQUEST_PREFIXES)
    }
    return {**passed, **UNCOMPRESSED}


def _metadata(parsed: ParsedRequest, inbound: Inbound) -> Metadata:
    options, headers = parsed.options, inbound.headers
    noted = [
        f"{name[len('x-orq-metadata-') :]}={value}"
        for name, value in headers.items()
        if name.startswith("x-orq-metadata-")
    ]
    noted += [f"{name}={value}" for name, value in options.metadata.items()]
    return Metadata(
        identity=options.identity_id or headers.get("x-orq-identity-id", ""),
        session=options.thread_id or headers.get("x-claude-code-session-id", ""),
        tags=[*options.tags, *noted],
    )


def _authenticate(gateway: Gateway, inbound: Inbound) -> GatewayKeyEntry:
    headers = inbound.headers
    api_key = headers.get("x-api-key", "") if inbound.path.startswith(NATIVE_PREFIX) else ""
    token = read_token(headers.get("authorization", ""), api_key)
    return authenticate(token, _snapshot_of(gateway).gateway_keys, now=time.time())


def _snapshot_of(gateway: Gateway) -> Snapshot:
    if gateway.holder.current is None:
        raise AssertionError("requests are served only once there is a snapshot")
    return gateway.holder.current


async def _read_body(receive: Receive, inbound: Inbound, limit: int) -> bytes:
    """Return the whole body; raises RequestRefused (413) beyond ``limit`` bytes, ClientGone if it never ends."""
    if int(inbound.headers.get("content-length") or 0) > limit:
        raise _too_large(limit)
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        is_whole = not message.get("more_body")
        if len(body) > limit:
            raise _too_large(limit)
    return body


def _too_large(limit: int) -> RequestRefused:
    message = f"The request is larger than {limit // (1024 * 1024)} MB."
    return RequestRefused(message, status=413, code="request_too_large")


def _record_refusal(
    gateway: Gateway, key: GatewayKeyEntry, inbound: Inbound, dialect: Dialect, asked: str, refused: RequestRefused
) -> None:
    record = RefusalRecord(
        id=uuid7(),
        request_id=inbound.request_id,
        workspace=key.workspace,
        gateway_key=key.id,
        dialect=dialect.name,
        model_asked=asked,
        status=refused.status,
        error_code=refused.code,
        message=refused.message,
        at_us=time.time_ns() // 1000,
    )
    try:
        gateway.outbox.refuse(record)
    except OutboxUnavailable as error:
        logger.error("A refusal could not be recorded: %s", error)


def _headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _reply_refused(send: Send, dialect: Dialect, inbound: Inbound, refused: RequestRefused) -> None:
    body = dialect.render_error(
        refused.status, refused.code, refused.message, param=refused.param, request_id=inbound.request_id
    )
    await _reply(send, refused.status, body, inbound)


async def _reply(send: Send, status: int, body: bytes, inbound: Inbound | None = None) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if inbound is not None:
        headers.append((b"x-orq-trace-id", inbound.request_id.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _connect() -> AsyncConnection[tuple[object, ...]]:
    # A direct connection of our own: LISTEN does not work through a transaction pooler.
    parameters = django_connection.get_connection_params()
    return await AsyncConnection.connect(
        **{name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters},
        autocommit=True,
        connect_timeout=5,
    )
