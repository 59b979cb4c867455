"""The reference of the benchmark, 100 %: an ASGI application that passes each request to an upstream and back.

ASGI in, aiohttp out, body read whole, answer relayed whole or chunk by chunk. No keys, no plan, no metering.

    BENCH_UPSTREAM=http://127.0.0.1:9000 uvicorn bench.passthrough:app
"""

import os
from typing import Any

import aiohttp

_UPSTREAM = os.environ.get("BENCH_UPSTREAM", "http://127.0.0.1:9000")
_DROPPED = {b"host", b"connection", b"content-length", b"transfer-encoding", b"accept-encoding"}
_session: aiohttp.ClientSession | None = None


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one connection."""
    if scope["type"] == "lifespan":
        await _run_lifespan(receive, send)
        return
    assert _session is not None
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode(): value.decode() for name, value in scope["headers"] if name not in _DROPPED}
    async with _session.request(scope["method"], _UPSTREAM + scope["path"], data=body, headers=headers) as answer:
        kept = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in _DROPPED]
        is_stream = answer.content_type == "text/event-stream"
        content = b"" if is_stream else await answer.read()
        if not is_stream:
            kept.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": kept})
        if is_stream:
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": content})


async def _run_lifespan(receive: Any, send: Any) -> None:
    global _session
    await receive()
    _session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _session.close()
    await send({"type": "lifespan.shutdown.complete"})
