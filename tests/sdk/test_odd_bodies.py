"""One field of a good request at a time is replaced by something odd: it is answered or refused, and never fails."""

import copy
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from router.management.commands.ship_usage import ship
from tests.gateway import Gateway
from usage.models import Attempt

CHAT = "/v3/router/chat/completions"
RESPONSES = "/v3/router/responses"
MESSAGES = "/v3/anthropic/v1/messages"
ODD = [
    *(None, True, False, 0, -1, 1, 1.5, 1e308, 2**63),
    *("", "x", "\0", "auto", "none", "data:,", "data:image/png;base64,@@", "https://x"),
    *([], {}, [[]], [{}], [None], ["a"], {"a": None}),
    *({"type": "x"}, {"type": "function"}, {"type": "text"}, {"type": "enabled"}),
]
EPHEMERAL = {"type": "ephemeral"}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 1}, "b": {"enum": [1]}, "c": {"anyOf": [{"type": "string"}]}},
    "required": ["a"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgo="
STEERING = {
    "metadata": {"a": "b"},
    "identity": {"id": "i"},
    "thread": {"id": "t"},
    "tags": ["x"],
    "name": "n",
    "fallbacks": [{"model": "anthropic/claude-opus-4-6"}],
    "retry": {"count": 2, "on_codes": [429]},
    "timeout": {"call_timeout": 60_000},
    "load_balancer": {"type": "weight_based", "models": [{"model": "anthropic/claude-opus-4-6", "weight": 1}]},
    "user": "u",
    "orq": {"name": "n"},
    "cache_control": EPHEMERAL,
}
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {
        **STEERING,
        "model": "anthropic/claude-sonnet-4-6",
        "stream": False,
        "stream_options": {"include_usage": True},
        "max_tokens": 2_000,
        "temperature": 0.5,
        "stop": ["zz"],
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": EPHEMERAL}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "json"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "document", "document": {"type": "pdf", "url": "https://example.com/a.pdf"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aaaa", "filename": "f"}},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "reasoning", "reasoning": "r", "signature": "s"}, {"type": "text", "text": "t"}],
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
            {"role": "user", "content": "go"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "d", "parameters": SCHEMA, "strict": True},
                "cache_control": EPHEMERAL,
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    },
    RESPONSES: {
        **STEERING,
        "model": "anthropic/claude-sonnet-4-6",
        "stream": False,
        "max_output_tokens": 2_000,
        "instructions": "i",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "json", "cache_control": EPHEMERAL},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,aaaa", "filename": "f"},
                ],
            },
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "t"}],
                "encrypted_content": "signature:abc",
            },
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "x"}]},
            {"role": "user", "content": "go"},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}],
        "tool_choice": "auto",
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    },
    MESSAGES: {
        "model": "claude-sonnet-4-6",
        "stream": False,
        "max_tokens": 2_000,
        "stop_sequences": ["zz"],
        "temperature": 1,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "json"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "r", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "x"}]}],
            },
        ],
        "tools": [{"name": "look", "description": "d", "input_schema": SCHEMA, "cache_control": EPHEMERAL}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1_200},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
        "cache_control": EPHEMERAL,
    },
}
GOOD[f"{MESSAGES}/count_tokens"] = GOOD[MESSAGES]

Place = tuple[str | int, ...]


def places_in(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, but the whole of it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*place, key)
        yield from places_in(child, (*place, key))


def replaced(body: dict[str, Any], place: Place, odd: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    holder: Any = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = odd
    return changed


def odd_bodies(body: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    for place in places_in(body):
        # A time-out of a millisecond is no odd value, and does fail.
        if place != ("timeout", "call_timeout"):
            yield from ((place, odd) for odd in ODD)


@pytest.mark.parametrize("one_in", [17, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", GOOD)
def test_odd_body_is_answered_or_refused(gateway: Gateway, path: str, stream: bool, one_in: int) -> None:
    good = {**GOOD[path], "stream": stream}
    unexpected = []

    with httpx.Client(base_url=gateway.url, headers=gateway.headers, trust_env=False, timeout=30) as client:
        assert client.post(path, json=good).status_code == 200
        for place, odd in islice(odd_bodies(good), 0, None, one_in):
            response = client.post(path, content=json.dumps(replaced(good, place, odd)))
            if response.status_code not in (200, 400, 404, 422) or '"error":{' in response.text.partition("data:")[2]:
                unexpected.append((place, odd, response.status_code, response.text[:200]))

    assert unexpected == []
    ship(gateway.outbox)
    assert set(Attempt.objects.values_list("state", "certainty")) == {("settled", "exact")}
