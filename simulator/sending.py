"""How an answer leaves: whole or event by event, at the model's pace, and broken off where that is asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.call import Call
from simulator.engine import Engine, Reply
from simulator.errors import ApiError
from simulator.failures import overloaded
from simulator.http import send_json, send_part, send_start, to_json, until_client_leaves
from simulator.stream import NetworkChunks

_BREAKS_MIDWAY = frozenset({"cut", "stall_mid_stream", "error_mid_stream"})


async def send_whole(
    call: Call, engine: Engine, reply: Reply, value: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    """Send ``value``, the reply in an API's own form, once the model had time to write it."""
    await engine.wait_for_whole(reply.message)
    failure = reply.instructions.failure
    if failure == "error_mid_stream":
        raise overloaded()
    if failure not in _BREAKS_MIDWAY:
        await send_json(call.send, 200, value, headers)
        return
    content = to_json(value)
    await send_start(call.send, 200, {**headers, "content-length": str(len(content))})
    await send_part(call.send, content[: len(content) // 2])
    # To return with the body incomplete makes the server close the connection.
    if failure == "stall_mid_stream":
        await until_client_leaves(call.receive)


async def send_stream(
    call: Call,
    engine: Engine,
    reply: Reply,
    frames: Sequence[bytes],
    headers: Mapping[str, str],
    failed: Callable[[ApiError], bytes],
) -> None:
    """Send ``frames``, cut as a network cuts them; ``failed`` frames the error that ends a broken stream."""
    failure = reply.instructions.failure
    breaks_at = len(frames) // 2 if failure in _BREAKS_MIDWAY else len(frames)
    frame_s = engine.pace.token_s * reply.message["usage"]["output_tokens"] / len(frames)
    await asyncio.sleep(engine.pace.first_token_s)
    await send_start(call.send, 200, headers)
    network = NetworkChunks(reply.dice)
    for frame in frames[:breaks_at]:
        for chunk in network.push(frame):
            await send_part(call.send, chunk)
        await asyncio.sleep(frame_s)
    await send_part(call.send, network.flush())
    if failure == "error_mid_stream":
        await send_part(call.send, failed(overloaded()))
    elif failure == "stall_mid_stream":
        await until_client_leaves(call.receive)
    if failure not in ("cut", "stall_mid_stream"):
        await call.send({"type": "http.response.body", "body": b""})
