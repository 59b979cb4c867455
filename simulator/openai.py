"""OpenAI's API, as far as servers that imitate it have it: chat completions, responses and models.

Source: OpenAI API reference. Keys read ``sk-sim-acme`` and ``sk-sim-acme-overloaded`` (see instructions).
"""

from collections.abc import Mapping
from typing import Any

from simulator.call import Call, Caller
from simulator.engine import Engine, read_json
from simulator.errors import ApiError
from simulator.http import send_json
from simulator.instructions import is_valid_key, organisation_of, words_of_key
from simulator.models import Model, by_name, load_openai_models
from simulator.openai_chat import ChatFraming, chunks_of, completion_of
from simulator.openai_errors import OpenAIRefusal, in_openai_words, unknown_model
from simulator.openai_request import chat_to_messages, responses_to_messages
from simulator.openai_responses import ResponsesFraming, events_for, opened_response, response_of
from simulator.sending import send_stream, send_whole

KEY_PREFIX = "sk-sim-"
_STREAM_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class OpenAIAPI:
    """Answers with the models of the catalog that OpenAI offers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._models = by_name(load_openai_models())

    async def answer(self, call: Call) -> None:
        """Answer one request. Raises ApiError."""
        caller = _check_access(call)
        match call.method, call.path.rstrip("/").split("/")[1:]:
            case "POST", ["v1", "chat", "completions"]:
                await self._answer_chat(call, caller)
            case "POST", ["v1", "responses"]:
                await self._answer_response(call, caller)
            case "GET", ["v1", "models"]:
                models = dict.fromkeys(self._models.values())
                listed = {"object": "list", "data": [_listed(model) for model in models]}
                await self._send_free(call, caller, listed)
            case "GET", ["v1", "models", name]:
                await self._send_free(call, caller, _listed(self._find_model(name)))
            case _, ["v1", "responses", name]:
                raise OpenAIRefusal(f"Response with id '{name}' not found.", param="response_id", status=404)
            case method, _:
                raise OpenAIRefusal(f"Invalid URL ({method} {call.path})", status=404)

    async def refuse(self, call: Call, error: ApiError) -> None:
        """Send an error as OpenAI does."""
        status, said = in_openai_words(error)
        headers = {"x-request-id": call.request_id}
        if "retry-after" in error.headers:
            headers["retry-after"] = error.headers["retry-after"]
        await send_json(call.send, status, {"error": said}, headers)

    def _find_model(self, name: object) -> Model:
        if not name:
            raise OpenAIRefusal("you must provide a model parameter")
        if not isinstance(name, str) or name not in self._models:
            raise unknown_model(str(name))
        return self._models[name]

    async def _answer_chat(self, call: Call, caller: Caller) -> None:
        body = read_json(call.body)
        model = self._find_model(body.get("model"))
        reply = await self._engine.reply(call, caller, model, chat_to_messages(body, model))
        created = int(self._engine.clock())
        if not body.get("stream"):
            value = completion_of(reply.message, created)
            await send_whole(call, self._engine, reply, value, self._headers(call, caller))
            return
        options = body.get("stream_options")
        has_usage = isinstance(options, Mapping) and options.get("include_usage") is True
        frames = list(chunks_of(reply.message, created, reply.dice, has_usage=has_usage))
        headers = {**self._headers(call, caller), **_STREAM_HEADERS}
        await send_stream(call, self._engine, reply, frames, headers, ChatFraming())

    async def _answer_response(self, call: Call, caller: Caller) -> None:
        body = read_json(call.body)
        model = self._find_model(body.get("model"))
        reply = await self._engine.reply(call, caller, model, responses_to_messages(body, model))
        created = int(self._engine.clock())
        if not body.get("stream"):
            value = response_of(reply.message, body, created)
            await send_whole(call, self._engine, reply, value, self._headers(call, caller))
            return
        frames = list(events_for(reply.message, body, created, reply.dice))
        headers = {**self._headers(call, caller), **_STREAM_HEADERS}
        framing = ResponsesFraming(opened_response(reply.message, body, created))
        await send_stream(call, self._engine, reply, frames, headers, framing)

    async def _send_free(self, call: Call, caller: Caller, value: object) -> None:
        await self._engine.fail_free_call_if_asked(call, caller)
        await send_json(call.send, 200, value, self._headers(call, caller))

    def _headers(self, call: Call, caller: Caller) -> dict[str, str]:
        limits = self._engine.limits.headers(caller.organisation, self._engine.clock())
        return {
            "content-type": "application/json",
            "x-request-id": call.request_id,
            "openai-organization": caller.organisation.replace("openai/", "simulated-"),
            "openai-version": "2020-10-01",
            "x-ratelimit-limit-requests": limits["anthropic-ratelimit-requests-limit"],
            "x-ratelimit-remaining-requests": limits["anthropic-ratelimit-requests-remaining"],
        }


def _check_access(call: Call) -> Caller:
    key = call.bearer
    if not key:
        raise OpenAIRefusal("You didn't provide an API key.", status=401)
    if not is_valid_key(key, KEY_PREFIX):
        message = (
            "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
        )
        raise OpenAIRefusal(message, code="invalid_api_key", status=401)
    return Caller(f"openai/{organisation_of(key, KEY_PREFIX)}", words_of_key(key))


def _listed(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": 1_700_000_000, "owned_by": "simulator"}
