"""Requests such as a small company's applications would send, made to the measure of a trace.

Each application has its endpoint, model and habits: a support assistant with a long cached system prompt, a code
reviewer that calls tools, a nightly report, a chat. A few requests fail on purpose, as they do in life.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.tokens import count_text
from simulator.trace import Arrival
from simulator.writing import write_text

CHAT, RESPONSES, MESSAGES = "/v3/router/chat/completions", "/v3/router/responses", "/v3/anthropic/v1/messages"
PROVIDER_PREFIX = "simulated/"
FAILING_SHARE = 0.04
FAILURES = ("overloaded", "rate_limit", "error", "error_mid_stream")
# The opening that write_text would otherwise put there is meant for answers.
_DOCUMENT_OPENING = "Here is what we know so far."


@dataclass(frozen=True)
class Application:
    """Who calls: where, with which model, how often, and what its prompts look like.

    ``system_tokens`` is the length of a system prompt that is the same in every call; it is cached for ``cache_ttl``.
    """

    name: str
    path: str
    model: str
    weight: int
    is_stream: bool
    question: str
    people: tuple[str, ...]
    system_tokens: int = 0
    cache_ttl: str = ""
    tool: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DemoRequest:
    """One request to the gateway; ``is_meant_to_fail`` is for whoever counts failures."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_meant_to_fail: bool = False


_LOOK_UP = {
    "name": "search_tickets",
    "description": "Find tickets by words.",
    "parameters": {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]},
}
APPLICATIONS: Sequence[Application] = (
    Application(
        *("support-assistant", CHAT, "claude-sonnet-4-6", 5, True, "How do I reset my password?", ("ada", "grace")),
        system_tokens=2_600,
        cache_ttl="5m",
    ),
    Application(
        *("ticket-search", CHAT, "claude-haiku-4-5-20251001", 3, False, "Search the tickets on Rotterdam", ("edsger",)),
        tool=_LOOK_UP,
    ),
    Application(
        *("code-review", MESSAGES, "claude-opus-4-6", 3, True, "Review this change.", ("barbara", "donald")),
        system_tokens=4_300,
        cache_ttl="1h",
    ),
    Application("nightly-report", RESPONSES, "claude-sonnet-4-6", 2, False, "Sum this up.", ("batch",)),
    Application("chat", RESPONSES, "claude-haiku-4-5-20251001", 3, True, "Tell me more about it.", ("ada", "linus")),
)


def make_request(arrival: Arrival, dice: random.Random) -> DemoRequest:
    """Return the request of some application whose prompt and answer have about the lengths of ``arrival``."""
    application = dice.choices(APPLICATIONS, [each.weight for each in APPLICATIONS])[0]
    fails = dice.random() < FAILING_SHARE
    directive = f"output_tokens={arrival.generated_tokens}" + (f" {dice.choice(FAILURES)}" if fails else "")
    question = f"{application.question} [[simulate: {directive}]]"
    # A model that does not exist is refused by the gateway itself and never leaves it.
    is_misspelt = fails and dice.random() < 0.2
    model = PROVIDER_PREFIX + application.model + ("-typo" if is_misspelt else "")
    body: dict[str, Any] = {"model": model, "stream": application.is_stream}
    body |= _BODIES[application.path](application, _document(application, question, arrival, dice), question)
    headers = {"x-orq-identity-id": dice.choice(application.people), "x-orq-metadata-app": application.name}
    return DemoRequest(application.path, body, headers, fails)


def _document(application: Application, question: str, arrival: Arrival, dice: random.Random) -> str:
    """Return the text that fills the prompt up to the length the trace wants; '' if it is full already."""
    left = arrival.context_tokens - application.system_tokens - count_text(question)
    return write_text(dice, left, opening=_DOCUMENT_OPENING) if left > 0 else ""


def _system_text(application: Application) -> str:
    """Return the application's system prompt: the same text each time, or it would not be read from the cache."""
    dice = random.Random(application.name)  # noqa: S311  # repeatable on purpose, and no secret
    return write_text(dice, application.system_tokens, opening=f"You are {application.name}.")


def _cache_control(application: Application) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": application.cache_ttl}


def _chat_body(application: Application, document: str, question: str) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if application.system_tokens:
        part = {"type": "text", "text": _system_text(application), "cache_control": _cache_control(application)}
        messages.append({"role": "system", "content": [part]})
    messages.append({"role": "user", "content": f"{document}\n\n{question}".strip()})
    body: dict[str, Any] = {"messages": messages, "max_tokens": 4_096}
    if application.tool:
        body["tools"] = [{"type": "function", "function": dict(application.tool)}]
    if application.is_stream:
        body["stream_options"] = {"include_usage": True}
    return body


def _responses_body(application: Application, document: str, question: str) -> dict[str, Any]:
    body: dict[str, Any] = {"input": f"{document}\n\n{question}".strip(), "max_output_tokens": 4_096}
    if application.system_tokens:
        body["instructions"] = _system_text(application)
    return body


def _messages_body(application: Application, document: str, question: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text} for text in (document, question) if text]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}], "max_tokens": 4_096}
    if application.system_tokens:
        block = {"type": "text", "text": _system_text(application), "cache_control": _cache_control(application)}
        body["system"] = [block]
    return body


_BODIES = {CHAT: _chat_body, RESPONSES: _responses_body, MESSAGES: _messages_body}
