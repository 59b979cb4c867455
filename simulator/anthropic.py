"""The Anthropic API: messages, token counts and models.

Source: Anthropic API reference, versions 2023-06-01 and 2026-10-21.
"""

from simulator.call import Call, Caller
from simulator.engine import Engine, read_json
from simulator.errors import ApiError, invalid
from simulator.failures import invalid_key
from simulator.http import send_json
from simulator.instructions import is_valid_key, organisation_of, words_of_key
from simulator.models import by_name
from simulator.sending import send_stream, send_whole
from simulator.stream import EventFraming, events_of, frame
from simulator.validate import find_model
from simulator.versions import VERSIONS

STREAM_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class AnthropicAPI:
    """Answers whatever no other API of the simulator claims."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._models = by_name(engine.models)

    async def answer(self, call: Call) -> None:
        """Answer one request. Raises ApiError."""
        if call.path == "/" and call.method in ("GET", "HEAD"):
            await send_json(call.send, 200, {"name": "Simulated Anthropic"}, {})
            return
        caller = _check_access(call)
        match call.method, call.path.rstrip("/").split("/")[1:]:
            case "POST", ["v1", "messages"]:
                await self._answer_message(call, caller)
            case "POST", ["v1", "messages", "count_tokens"]:
                await self._answer_count(call, caller)
            case "GET", ["v1", "models"]:
                await self._answer_free(call, caller, self._list_models())
            case "GET", ["v1", "models", name]:
                await self._answer_free(call, caller, find_model(self._models, {"model": name}).as_listed())
            case _, ["v1", "messages"] | ["v1", "messages", "count_tokens"] | ["v1", "models", *_]:
                raise ApiError(405, "invalid_request_error", "Method Not Allowed")
            case _:
                raise ApiError(404, "not_found_error", "Not Found")

    async def refuse(self, call: Call, error: ApiError) -> None:
        """Send an error in the envelope of this API."""
        organisation = organisation_of(_key_of(call))
        limits = self._engine.limits.headers(organisation, self._engine.clock()) if error.status == 429 else {}
        headers = {**limits, **error.headers, "request-id": call.request_id}
        await send_json(call.send, error.status, error.envelope(call.request_id), headers)

    def _list_models(self) -> dict[str, object]:
        listed = self._engine.models
        data = [model.as_listed() for model in listed]
        return {"data": data, "has_more": False, "first_id": listed[0].id, "last_id": listed[-1].id}

    async def _answer_count(self, call: Call, caller: Caller) -> None:
        body = read_json(call.body)
        find_model(self._models, body)
        tokens = await self._engine.count(call, caller, body, version=call.headers["anthropic-version"])
        await send_json(call.send, 200, {"input_tokens": tokens}, self._headers(call, caller))

    async def _answer_free(self, call: Call, caller: Caller, value: object) -> None:
        """Answer a call that costs nothing, unless a failure is asked for."""
        await self._engine.fail_free_call_if_asked(call, caller)
        await send_json(call.send, 200, value, self._headers(call, caller))

    async def _answer_message(self, call: Call, caller: Caller) -> None:
        body = read_json(call.body)
        model = find_model(self._models, body)
        reply = await self._engine.reply(call, caller, model, body, version=call.headers["anthropic-version"])
        headers = self._headers(call, caller)
        if not body.get("stream"):
            await send_whole(call, self._engine, reply, reply.message, headers)
            return
        events = events_of(reply.message, reply.dice, reply.instructions.pings)
        frames = [frame(event, reply.dice) for event in events]
        framing = EventFraming(call.request_id, reply.dice)
        await send_stream(call, self._engine, reply, frames, {**headers, **STREAM_HEADERS}, framing)

    def _headers(self, call: Call, caller: Caller) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "request-id": call.request_id,
            "anthropic-organization-id": f"simulated-{caller.organisation}",
            **self._engine.limits.headers(caller.organisation, self._engine.clock()),
        }


def _check_access(call: Call) -> Caller:
    key = _key_of(call)
    if not key:
        raise ApiError(401, "authentication_error", "x-api-key header is required", {"x-should-retry": "false"})
    if not is_valid_key(key):
        raise invalid_key()
    version = call.headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version')
    return Caller(organisation_of(key), words_of_key(key))


def _key_of(call: Call) -> str:
    """Return the key of either header: the older SDKs send ``x-api-key``, the newer ones a bearer token."""
    return call.headers.get("x-api-key") or call.bearer
