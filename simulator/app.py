"""The simulator as an ASGI app: routes, keys, failures on demand and the sending of answers.

    uvicorn simulator.app:app

It is deterministic given the request, the state of the cache and of the limits, and the clock, which a test injects.
"""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.answer import Answer, last_user_text, write_answer
from simulator.cache import CacheUse, PromptCache
from simulator.errors import ApiError, invalid
from simulator.failures import invalid_key, named_failure, overloaded
from simulator.http import (
    ClientLeft,
    Receive,
    Scope,
    Send,
    read_body,
    run_lifespan,
    send_json,
    send_part,
    send_start,
    to_json,
    until_client_leaves,
)
from simulator.instructions import Instructions, is_valid_key, organisation_of, read_instructions
from simulator.limits import Limits, RateLimits
from simulator.models import Model, by_name, load_models
from simulator.pace import INSTANT, Pace
from simulator.prompt import Prompt, read_prompt
from simulator.stream import NetworkChunks, events_of, frame
from simulator.validate import check_message, check_prompt, find_model

# These leave the free calls alone, as the provider does or because they need an answer to break.
_ONLY_MESSAGES_FAIL = frozenset({"credit", "cut", "stall_mid_stream", "error_mid_stream"})
_BREAKS_MIDWAY = frozenset({"cut", "stall_mid_stream", "error_mid_stream"})


@dataclass(frozen=True)
class _Call:
    """One request while it is answered."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    receive: Receive
    send: Send

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key", "")

    @property
    def organisation(self) -> str:
        return organisation_of(self.key)


class Simulator:
    """The app. ``clock`` returns seconds since the epoch and drives cache lifetimes and limits; ``models`` are the
    catalog's unless given.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        pace: Pace = INSTANT,
        limits: Limits | None = None,
        models: Iterable[Model] | None = None,
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._models = by_name(load_models() if models is None else models)
        self._cache = PromptCache()
        self._limits = RateLimits(limits or Limits())
        self._started_at = clock()
        self._request_count = 0
        self._flaky_counts: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
            return
        request_id = self._next_request_id()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await read_body(receive)
            call = _Call(scope["method"], scope["path"], headers, body, request_id, receive, send)
            await self._answer(call)
        except ClientLeft:
            return
        except ApiError as error:
            limits = self._limits.headers(organisation_of(headers.get("x-api-key", "")), self._clock())
            reported = {**(limits if error.status == 429 else {}), **error.headers, "request-id": request_id}
            await send_json(send, error.status, error.envelope(request_id), reported)

    def _next_request_id(self) -> str:
        """Return an id that no other request has, not even after a restart."""
        self._request_count += 1
        digest = hashlib.sha256(f"{self._started_at} {self._request_count}".encode()).hexdigest()
        return f"req_sim{digest[:21]}"

    async def _answer(self, call: _Call) -> None:
        if call.path == "/" and call.method in ("GET", "HEAD"):
            await send_json(call.send, 200, {"name": "Simulated Anthropic"}, {})
            return
        self._check_access(call)
        match call.method, call.path.rstrip("/").split("/")[1:]:
            case "POST", ["v1", "messages"]:
                await self._answer_message(call)
            case "POST", ["v1", "messages", "count_tokens"]:
                await self._answer_count(call)
            case "GET", ["v1", "models"]:
                await self._answer_models(call)
            case "GET", ["v1", "models", name]:
                await self._answer_free(call, find_model(self._models, {"model": name}).as_listed())
            case _, ["v1", "messages"] | ["v1", "messages", "count_tokens"] | ["v1", "models", *_]:
                raise ApiError(405, "invalid_request_error", "Method Not Allowed")
            case _:
                raise ApiError(404, "not_found_error", "Not Found")

    def _check_access(self, call: _Call) -> None:
        if not call.key:
            raise ApiError(401, "authentication_error", "x-api-key header is required", {"x-should-retry": "false"})
        if not is_valid_key(call.key):
            raise invalid_key()
        if "anthropic-version" not in call.headers:
            raise invalid("anthropic-version: header is required")

    async def _answer_models(self, call: _Call) -> None:
        listed = list(dict.fromkeys(self._models.values()))
        data = [model.as_listed() for model in listed]
        page = {"data": data, "has_more": False, "first_id": listed[0].id, "last_id": listed[-1].id}
        await self._answer_free(call, page)

    async def _answer_count(self, call: _Call) -> None:
        body = _read_json(call.body)
        find_model(self._models, body)
        check_prompt(body)
        await self._answer_free(call, {"input_tokens": read_prompt(body).tokens}, last_user_text(body))

    async def _answer_free(self, call: _Call, value: object, text: str = "") -> None:
        """Answer a call that costs nothing, unless a failure is asked for."""
        instructions = _instructions(call, text)
        if instructions.failure not in _ONLY_MESSAGES_FAIL:
            await self._fail_if_asked(call, instructions)
        await send_json(call.send, 200, value, self._headers(call))

    async def _answer_message(self, call: _Call) -> None:
        body = _read_json(call.body)
        model = find_model(self._models, body)
        check_message(body, model)
        prompt = read_prompt(body)
        if prompt.tokens > model.context_tokens:
            raise invalid(f"prompt is too long: {prompt.tokens} tokens > {model.context_tokens} maximum")
        instructions = _instructions(call, last_user_text(body))
        await self._fail_if_asked(call, instructions)
        self._limits.check(call.organisation, self._clock())
        message = self._write_message(call, body, model, prompt, instructions)
        if body.get("stream"):
            await self._stream(call, message, instructions, random.Random(prompt.digest))  # noqa: S311  # repeatable
        else:
            await self._send_whole(call, message, instructions)

    async def _fail_if_asked(self, call: _Call, instructions: Instructions) -> None:
        """Raise the ApiError that is asked for, or never answer."""
        if instructions.failure == "stall":
            await until_client_leaves(call.receive)
            raise overloaded()
        if instructions.failure == "flaky":
            count = self._flaky_counts[call.organisation] = self._flaky_counts.get(call.organisation, 0) + 1
            if count % 2:
                raise overloaded()
        error = named_failure(instructions.failure, call.organisation)
        if error is not None:
            raise error

    def _write_message(
        self, call: _Call, body: Mapping[str, Any], model: Model, prompt: Prompt, instructions: Instructions
    ) -> dict[str, Any]:
        """Use the cache, count the limits and return the whole message."""
        now = self._clock()
        used = self._cache.use(
            *(call.organisation, model.id, prompt.blocks), minimum_tokens=model.minimum_cacheable_tokens, now=now
        )
        answer = write_answer(body, model, instructions, prompt.digest)
        usage = _usage(prompt, used, answer)
        self._limits.count(
            call.organisation, now, input_tokens=prompt.tokens - used.read, output_tokens=answer.output_tokens
        )
        return {
            "model": model.id,
            "id": call.request_id.replace("req_", "msg_"),
            "type": "message",
            "role": "assistant",
            "content": list(answer.blocks),
            "stop_reason": answer.stop_reason,
            "stop_sequence": answer.stop_sequence,
            "usage": usage,
        }

    async def _send_whole(self, call: _Call, message: Mapping[str, Any], instructions: Instructions) -> None:
        await asyncio.sleep(self._pace.first_token_s + message["usage"]["output_tokens"] * self._pace.token_s)
        if instructions.failure == "error_mid_stream":
            raise overloaded()
        if instructions.failure not in _BREAKS_MIDWAY:
            await send_json(call.send, 200, message, self._headers(call))
            return
        content = to_json(message)
        await send_start(call.send, 200, {**self._headers(call), "content-length": str(len(content))})
        await send_part(call.send, content[: len(content) // 2])
        # To return with the body incomplete makes the server close the connection.
        if instructions.failure == "stall_mid_stream":
            await until_client_leaves(call.receive)

    async def _stream(
        self, call: _Call, message: Mapping[str, Any], instructions: Instructions, dice: random.Random
    ) -> None:
        events = list(events_of(message, dice))
        breaks_at = len(events) // 2 if instructions.failure in _BREAKS_MIDWAY else len(events)
        event_s = self._pace.token_s * message["usage"]["output_tokens"] / len(events)
        await asyncio.sleep(self._pace.first_token_s)
        headers = {
            **self._headers(call),
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
        }
        await send_start(call.send, 200, headers)
        network = NetworkChunks(dice)
        for event in events[:breaks_at]:
            for chunk in network.push(frame(event, dice)):
                await send_part(call.send, chunk)
            await asyncio.sleep(event_s)
        await send_part(call.send, network.flush())
        if instructions.failure == "error_mid_stream":
            await send_part(call.send, frame(overloaded().envelope(call.request_id), dice))
        elif instructions.failure == "stall_mid_stream":
            await until_client_leaves(call.receive)
        if instructions.failure not in ("cut", "stall_mid_stream"):
            await call.send({"type": "http.response.body", "body": b""})

    def _headers(self, call: _Call) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "request-id": call.request_id,
            "anthropic-organization-id": f"simulated-{call.organisation}",
            **self._limits.headers(call.organisation, self._clock()),
        }


def _instructions(call: _Call, text: str) -> Instructions:
    return read_instructions(header=call.headers.get("x-simulate", ""), text=text, key=call.key)


def _usage(prompt: Prompt, used: CacheUse, answer: Answer) -> dict[str, Any]:
    """Return the usage object: input_tokens is what was neither read from the cache nor written to it."""
    return {
        "input_tokens": prompt.tokens - used.read - used.written,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.written_5m,
            "ephemeral_1h_input_tokens": used.written_1h,
        },
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"thinking_tokens": answer.thinking_tokens},
        "service_tier": "standard",
    }


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise invalid("Input should be a valid dictionary")
    return value


app = Simulator()
