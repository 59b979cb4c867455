"""The model behind every API of the simulator: one prompt cache, one set of limits, one way to answer.

An API turns its request into a Messages body, asks here for the message, and sends it in its own form.
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.answer import Answer, last_user_text, write_answer
from simulator.cache import CacheUse, PromptCache
from simulator.call import Call, Caller
from simulator.errors import invalid
from simulator.failures import named_failure, overloaded
from simulator.http import until_client_leaves
from simulator.instructions import Instructions, read_instructions
from simulator.limits import Limits, RateLimits
from simulator.models import Model, load_models
from simulator.pace import INSTANT, Pace
from simulator.prompt import Prompt, read_prompt
from simulator.validate import check_message, check_prompt
from simulator.versions import VERSIONS, check_version_rules

# These leave the free calls alone, as the provider does or because they need an answer to break.
_ONLY_MESSAGES_FAIL = frozenset(
    {"credit", "billing", "cut", "broken", "endless", "stall_mid_stream", "error_mid_stream"}
)
_REFUSAL = {"type": "refusal", "category": None, "explanation": "This refusal is simulated."}


@dataclass(frozen=True)
class Reply:
    """A whole message, what was asked about the sending of it, and the dice that cut its stream."""

    message: dict[str, Any]
    instructions: Instructions
    dice: random.Random


class Engine:
    """``clock`` returns seconds since the epoch and drives cache lifetimes, limits and tokens."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        pace: Pace = INSTANT,
        limits: Limits | None = None,
        models: Iterable[Model] | None = None,
    ) -> None:
        self.clock = clock
        self.pace = pace
        self.limits = RateLimits(limits or Limits())
        self.models = tuple(load_models() if models is None else models)
        self._cache = PromptCache()
        self._flaky_counts: dict[str, int] = {}

    async def reply(
        self, call: Call, caller: Caller, model: Model, body: Mapping[str, Any], *, version: str = VERSIONS[0]
    ) -> Reply:
        """Return ``model``'s message to a Messages body. Raises ApiError for what it or a limit refuses."""
        check_message(body, model)
        check_version_rules(body, version)
        prompt = read_prompt(body)
        if prompt.tokens > model.context_tokens:
            raise invalid(f"prompt is too long: {prompt.tokens} tokens > {model.context_tokens} maximum")
        instructions = _instructions(call, caller, last_user_text(body))
        await self._fail_if_asked(call, caller, instructions)
        self.limits.check(caller.organisation, self.clock())
        message = self._write_message(call, caller, body, model, prompt, instructions)
        return Reply(message, instructions, random.Random(prompt.digest))  # noqa: S311  # repeatable

    async def count(self, call: Call, caller: Caller, body: Mapping[str, Any], *, version: str = VERSIONS[0]) -> int:
        """Return the tokens of a Messages body's prompt. Raises ApiError for a body of the wrong shape."""
        check_prompt(body)
        check_version_rules(body, version)
        tokens = read_prompt(body).tokens
        await self.fail_free_call_if_asked(call, caller, last_user_text(body))
        return tokens

    async def fail_free_call_if_asked(self, call: Call, caller: Caller, text: str = "") -> None:
        """Fail a call that costs nothing, if header, text or credential ask for a failure that concerns it."""
        instructions = _instructions(call, caller, text)
        if instructions.failure not in _ONLY_MESSAGES_FAIL:
            await self._fail_if_asked(call, caller, instructions)

    async def _fail_if_asked(self, call: Call, caller: Caller, instructions: Instructions) -> None:
        """Raise the ApiError that is asked for, or never answer."""
        if instructions.failure == "stall":
            await until_client_leaves(call.receive)
            raise overloaded()
        if instructions.failure == "flaky":
            count = self._flaky_counts[caller.organisation] = self._flaky_counts.get(caller.organisation, 0) + 1
            if count % 2:
                raise overloaded()
        error = named_failure(instructions.failure, caller.organisation)
        if error is not None:
            raise error

    def _write_message(
        self,
        call: Call,
        caller: Caller,
        body: Mapping[str, Any],
        model: Model,
        prompt: Prompt,
        instructions: Instructions,
    ) -> dict[str, Any]:
        """Use the cache, count the limits and return the whole message."""
        now = self.clock()
        used = self._cache.use(
            *(caller.organisation, model.id, prompt.blocks), minimum_tokens=model.minimum_cacheable_tokens, now=now
        )
        answer = write_answer(body, model, instructions, prompt.digest, _betas(call, body))
        self.limits.count(
            caller.organisation, now, input_tokens=prompt.tokens - used.read, output_tokens=answer.output_tokens
        )
        return {
            "model": model.id,
            "id": call.request_id.replace("req_", "msg_"),
            "type": "message",
            "role": "assistant",
            "content": list(answer.blocks),
            "stop_reason": answer.stop_reason,
            "stop_sequence": answer.stop_sequence,
            "stop_details": _REFUSAL if answer.stop_reason == "refusal" else None,
            "usage": _usage(prompt, used, answer),
        }


def read_json(body: bytes) -> dict[str, Any]:
    """Return a body's JSON object. Raises ApiError 400 when it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise invalid("Input should be a valid dictionary")
    return value


def _instructions(call: Call, caller: Caller, text: str) -> Instructions:
    return read_instructions(header=call.headers.get("x-simulate", ""), text=text, key_words=caller.words)


def _betas(call: Call, body: Mapping[str, Any]) -> frozenset[str]:
    """Return the betas that header and body name: clouds have them in the body."""
    named = body.get("anthropic_beta")
    header = call.headers.get("anthropic-beta", "").split(",")
    return frozenset(str(beta).strip() for beta in [*header, *(named if isinstance(named, list) else [])])


def _usage(prompt: Prompt, used: CacheUse, answer: Answer) -> dict[str, Any]:
    """Return the usage object: input_tokens is what was neither read from the cache nor written to it."""
    searched = {"web_search_requests": answer.web_searches, "web_fetch_requests": 0}
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
        **({"server_tool_use": searched} if answer.web_searches else {}),
    }
