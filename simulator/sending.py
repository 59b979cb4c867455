"""How an answer leaves: whole or event by event, at the model's pace, and broken off where that is asked for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from simulator.call import Call
from simulator.engine import Engine, Reply
from simulator.errors import ApiError
from simulator.failures import overloaded
from simulator.http import send_json, send_part, send_start, to_json, until_client_leaves
from simulator.stream import NetworkChunks

_BREAKS_MIDWAY = frozenset({"cut", "broken", "endless", "stall_mid_stream", "error_mid_stream"})
# Named, so that a test need not wait.
_sleep = asyncio.sleep
# How often an endless stream shows that it lives, unless the caller says otherwise.
_ENDLESS_PAUSE_S = 0.1


class Framing(Protocol):
    """How an API frames a stream, besides the events of an answer."""

    @property
    def ping(self) -> bytes:
        """What keeps a silent stream open."""
        ...

    @property
    def broken(self) -> bytes:
        """Bytes that no reader can take for a part of a stream."""
        ...

    def failed(self, error: ApiError, sent: int) -> bytes:
        """Return the frame that ends a stream with an error after ``sent`` others."""
        ...


async def send_whole(
    call: Call, engine: Engine, reply: Reply, value: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    """Send ``value``, the reply in an API's own form, once the model had time to write it."""
    writing_s = reply.message["usage"]["output_tokens"] * engine.pace.token_s
    await _sleep(_first_byte_s(engine, reply) + writing_s)
    failure = reply.instructions.failure
    if failure == "error_mid_stream":
        raise overloaded()
    if failure not in _BREAKS_MIDWAY:
        await send_json(call.send, 200, value, headers)
        return
    content = to_json(value)
    if failure == "broken":
        content = content[: len(content) // 2]
    await send_start(call.send, 200, {**headers, "content-length": str(len(content))})
    await send_part(call.send, content if failure == "broken" else content[: len(content) // 2])
    if failure == "broken":
        await _end(call)
    elif failure != "cut":
        # To return with the body incomplete makes the server close the connection.
        await until_client_leaves(call.receive)


async def send_stream(
    call: Call, engine: Engine, reply: Reply, frames: Sequence[bytes], headers: Mapping[str, str], framing: Framing
) -> None:
    """Send ``frames``, cut as a network cuts them, and end them as the instructions say."""
    failure = reply.instructions.failure
    breaks_at = len(frames) // 2 if failure in _BREAKS_MIDWAY else len(frames)
    pause_s = engine.pace.token_s * reply.message["usage"]["output_tokens"] / len(frames)
    await _sleep(_first_byte_s(engine, reply))
    await send_start(call.send, 200, headers)
    network = NetworkChunks(reply.dice)
    for frame in frames[:breaks_at]:
        for chunk in network.push(frame):
            await send_part(call.send, chunk)
        await _sleep(pause_s + reply.instructions.between_ms / 1_000)
    await send_part(call.send, network.flush())
    match failure:
        case "cut":
            return
        case "stall_mid_stream":
            await until_client_leaves(call.receive)
            return
        case "endless":
            await _ping_for_ever(call, reply, framing.ping)
            return
        case "error_mid_stream":
            await send_part(call.send, framing.failed(overloaded(), breaks_at))
        case "broken":
            await send_part(call.send, framing.broken)
    await _end(call)


async def _ping_for_ever(call: Call, reply: Reply, ping: bytes) -> None:
    """Send pings until the client leaves."""
    pause_s = reply.instructions.between_ms / 1_000 or _ENDLESS_PAUSE_S
    leaving = asyncio.create_task(until_client_leaves(call.receive))
    try:
        while not (await asyncio.wait([leaving], timeout=pause_s))[0]:
            await send_part(call.send, ping)
    finally:
        leaving.cancel()


async def _end(call: Call) -> None:
    await call.send({"type": "http.response.body", "body": b""})


def _first_byte_s(engine: Engine, reply: Reply) -> float:
    return engine.pace.first_token_s + reply.instructions.first_byte_ms / 1_000
