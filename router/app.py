"""The gateway: a plain ASGI application that authenticates, plans, sends, streams back and meters.

No Django request is in its path. It answers from a snapshot in memory and records to the outbox; neither PostgreSQL nor
Redis is asked while a client waits.
"""

import logging
import os
import time
from collections.abc import Mapping
from uuid import UUID

import django
import msgspec
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")
if not apps.ready:
    django.setup()

# What follows needs the set-up above when this application runs alone.
from keys.prompts import PromptSealer
from router.affinity import conversation_of
from router.asgi_types import Receive, Scope, Send
from router.auth import authenticate, read_token
from router.body import MOST_HEADERS, ClientGone
from router.call import Call
from router.dialects import CHAT, MESSAGES, RESPONSES
from router.dialects.base import Dialect, ParsedRequest, RequestRefused
from router.exchanges import ExchangeRecorder
from router.gateway import Gateway
from router.headers import RequestHeaders, read_headers
from router.models_list import native_model, native_models, router_model, router_models
from router.outbox import OutboxUnavailable
from router.plan import Asked
from router.request import Metadata, Request
from router.snapshot import GatewayKeyEntry, Snapshot
from router.translation import Translation, translate_first
from usage.records import RefusalRecord, uuid7

logger = logging.getLogger(__name__)

# /v1 is only there to say where the gateway is: clients are used to that path.
GATEWAY_PREFIXES = ("/v3/", "/v2/router", "/v1/", "/healthz", "/readyz")
NATIVE_PREFIX = "/v3/anthropic"

# More than this of what a client says of a request is not kept.
LONGEST_TEXT = 200
MOST_TAGS = 50
NO_METADATA = Metadata("", "", [])


class Inbound(msgspec.Struct, frozen=True):
    """What the client sent, beside the body. ``received_at`` is a time of ``time.perf_counter``."""

    id: UUID
    request_id: str
    path: str
    headers: RequestHeaders
    received_at: float


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
    request_id = uuid7()
    inbound = Inbound(request_id, request_id.hex, path, read_headers(scope["headers"]), time.perf_counter())
    dialect = MESSAGES if path.startswith(NATIVE_PREFIX) else CHAT
    try:
        if len(scope["headers"]) > MOST_HEADERS:
            message = f"The request has more than {MOST_HEADERS} headers."
            raise RequestRefused(message, status=431, code="too_many_headers")
        await _route(_gateway, scope["method"], inbound, receive, send)
    except RequestRefused as refused:
        await _reply_refused(send, dialect, inbound, refused)
    except ClientGone:
        return
    except Exception:
        await _reply_refused(send, dialect, inbound, _failed(inbound))


async def _route(gateway: Gateway, method: str, inbound: Inbound, receive: Receive, send: Send) -> None:
    path = inbound.path
    if method == "HEAD" and path.rstrip("/") == NATIVE_PREFIX:
        # Claude Code asks whether its base address is there.
        await _reply(send, 200, b"", inbound)
        return
    endpoint = _ENDPOINTS.get(path)
    if method == "POST" and endpoint:
        await _call_model(gateway, endpoint, inbound, receive, send)
        return
    key = _authenticate(gateway, inbound)
    if endpoint:
        raise _not_allowed(method, "POST")
    found = _look_up(_snapshot_of(gateway), key, path)
    if method not in ("GET", "HEAD"):
        raise _not_allowed(method, "GET, HEAD")
    await _reply(send, 200, found, inbound)


# What else clients of OpenAI's and Anthropic's ask for, by how its path begins: their base URL is right.
_NOT_OFFERED: Mapping[str, str] = {
    "assistants": "Assistants are",
    "audio": "Speech and transcription are",
    "batches": "Batches are",
    "complete": "Completions without messages are",
    "completions": "Completions without messages are",
    "conversations": "Conversations are",
    "embeddings": "Embeddings are",
    "files": "Files are",
    "fine_tuning": "Fine-tuning is",
    "images": "Images are",
    "messages/batches": "Batches of Messages are",
    "moderations": "Moderations are",
    "realtime": "Realtime sessions are",
    "rerank": "Reranking is",
    "threads": "Threads are",
    "uploads": "Uploads are",
    "vector_stores": "Vector stores are",
    "videos": "Videos are",
}


def _look_up(snapshot: Snapshot, key: GatewayKeyEntry, path: str) -> bytes:
    """Return what stands at a path that is only read; raises RequestRefused (404)."""
    if path == "/v3/router/models":
        return router_models(snapshot, key)
    if path == f"{NATIVE_PREFIX}/v1/models":
        return native_models(snapshot, key)
    if path.startswith("/v3/router/models/"):
        return router_model(snapshot, key, path[len("/v3/router/models/") :])
    if path.startswith(f"{NATIVE_PREFIX}/v1/models/"):
        return native_model(snapshot, key, path[len(f"{NATIVE_PREFIX}/v1/models/") :])
    if path.startswith("/v3/router/responses/"):
        message = "Responses are not stored, so none can be fetched."
        raise RequestRefused(message, status=404, code="response_not_found")
    asked = path.removeprefix("/v3/router/").removeprefix(f"{NATIVE_PREFIX}/v1/")
    for beginning, words in _NOT_OFFERED.items():
        if f"{asked}/".startswith(f"{beginning}/"):
            message = f"{words} not offered here: chat completions, responses and Messages are."
            raise RequestRefused(message, status=404, code="not_found")
    bases = "/v3/router for OpenAI clients, /v3/anthropic for Anthropic's"
    raise RequestRefused(f"There is nothing at {path}. The base URL ends in {bases}.", status=404, code="not_found")


def _failed(inbound: Inbound) -> RequestRefused:
    """Log the exception under way, and return what the client is told."""
    logger.exception("Request %s failed inside the gateway", inbound.request_id)
    return RequestRefused("The gateway failed; see its log.", status=500, code="internal_error")


def _not_allowed(method: str, allowed: str) -> RequestRefused:
    message = f"{method} is not allowed here; send {allowed.partition(',')[0]}."
    return RequestRefused(message, status=405, code="method_not_allowed", headers={"allow": allowed})


class Endpoint(msgspec.Struct, frozen=True):
    """Where model calls arrive."""

    dialect: Dialect
    is_count: bool = False


_ENDPOINTS: Mapping[str, Endpoint] = {
    "/v3/router/chat/completions": Endpoint(CHAT),
    "/v3/router/responses": Endpoint(RESPONSES),
    f"{NATIVE_PREFIX}/v1/messages": Endpoint(MESSAGES),
    f"{NATIVE_PREFIX}/v1/messages/count_tokens": Endpoint(MESSAGES, is_count=True),
}


async def _call_model(gateway: Gateway, endpoint: Endpoint, inbound: Inbound, receive: Receive, send: Send) -> None:
    key = _authenticate(gateway, inbound)
    raw = await gateway.bodies.read(receive, inbound.headers.every.get("content-length", ""))
    dialect, asked = endpoint.dialect, ""
    try:
        parsed = dialect.parse(raw)
        asked = parsed.model
        # A count is never streamed, whatever its body says.
        parsed.stream = parsed.stream and not endpoint.is_count
        metadata = _metadata(parsed, inbound)
        snapshot = _snapshot_of(gateway)
        wish = Asked(asked, dialect is MESSAGES, parsed.options, lambda: conversation_of(parsed, metadata.session))
        plan = gateway.plans.make(wish, snapshot, key, now=time.time())
        fetcher = gateway.means.fetcher if snapshot.workspaces[key.workspace].fetch_urls else None
        plan, first = await translate_first(
            dialect, parsed, inbound.headers, plan, is_count=endpoint.is_count, fetcher=fetcher
        )
    except RequestRefused as refused:
        _record_refusal(gateway, key, inbound, dialect, asked, refused)
        await _reply_refused(send, dialect, inbound, refused)
        return
    except Exception:
        failed = _failed(inbound)
        _record_refusal(gateway, key, inbound, dialect, asked, failed)
        await _reply_refused(send, dialect, inbound, failed)
        return
    request = Request(
        inbound.id,
        inbound.request_id,
        inbound.headers,
        key,
        dialect,
        parsed,
        plan,
        metadata,
        endpoint.is_count,
        inbound.received_at,
        fetcher,
    )
    sealer = snapshot.prompt_sealers.get(key.workspace)
    if sealer is None:
        await gateway.carry(Call(gateway.means, request, first, send), receive)
    else:
        await _carry_recorded(gateway, request, first, sealer, receive, send)


async def _carry_recorded(
    gateway: Gateway, request: Request, first: Translation, sealer: PromptSealer, receive: Receive, send: Send
) -> None:
    """Carry a call for a workspace that stores its prompts and answers."""
    recorder = ExchangeRecorder(
        sealer, request_id=request.request_id, gateway_key=request.key.id, request=request.parsed.raw
    )
    call = Call(gateway.means, request, first, recorder.collecting(send))
    try:
        await gateway.carry(call, receive)
    finally:
        gateway.outbox.keep(recorder.record(call.attempt_id))


def _metadata(parsed: ParsedRequest, inbound: Inbound) -> Metadata:
    options, headers = parsed.options, inbound.headers.every
    identity = options.identity_id or headers.get("x-orq-identity-id", "")
    session = options.thread_id or headers.get("x-claude-code-session-id", "")
    if not (identity or session or options.name or options.tags or options.metadata or inbound.headers.metadata):
        return NO_METADATA
    noted = {**inbound.headers.metadata, **options.metadata}
    if options.name:
        noted["name"] = options.name
    tags = [*options.tags, *(f"{name}={value}" for name, value in noted.items())]
    return Metadata(
        identity=identity[:LONGEST_TEXT],
        session=session[:LONGEST_TEXT],
        tags=[tag[:LONGEST_TEXT] for tag in tags[:MOST_TAGS]],
    )


def _authenticate(gateway: Gateway, inbound: Inbound) -> GatewayKeyEntry:
    headers = inbound.headers.every
    api_key = headers.get("x-api-key", "") if inbound.path.startswith(NATIVE_PREFIX) else ""
    token = read_token(headers.get("authorization", ""), api_key)
    return authenticate(token, _snapshot_of(gateway).gateway_keys, now=time.time())


def _snapshot_of(gateway: Gateway) -> Snapshot:
    if gateway.holder.current is None:
        raise AssertionError("requests are served only once there is a snapshot")
    return gateway.holder.current


def _record_refusal(
    gateway: Gateway, key: GatewayKeyEntry, inbound: Inbound, dialect: Dialect, asked: str, refused: RequestRefused
) -> None:
    record = RefusalRecord(
        id=inbound.id,
        request_id=inbound.request_id,
        workspace=key.workspace,
        gateway_key=key.id,
        dialect=dialect.name,
        model_asked=asked[:LONGEST_TEXT],
        status=refused.status,
        error_code=refused.code,
        message=refused.message[: 2 * LONGEST_TEXT],
        at_us=time.time_ns() // 1000,
    )
    try:
        gateway.outbox.refuse(record)
    except OutboxUnavailable as error:
        logger.error("A refusal could not be recorded: %s", error)


async def _reply_refused(send: Send, dialect: Dialect, inbound: Inbound, refused: RequestRefused) -> None:
    body = dialect.render_error(
        refused.status, refused.code, refused.message, param=refused.param, request_id=inbound.request_id
    )
    # Claude Code would try a key that is wrong for three minutes before it says so.
    final = {} if refused.status in (408, 500) else {"x-should-retry": "false"}
    await _reply(send, refused.status, body, inbound, {**final, **refused.headers})


async def _reply(
    send: Send, status: int, body: bytes, inbound: Inbound | None = None, more: Mapping[str, str] | None = None
) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in (more or {}).items()]
    if inbound is not None:
        headers.append((b"x-orq-trace-id", inbound.request_id.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
