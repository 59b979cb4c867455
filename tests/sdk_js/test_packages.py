"""The makers' packages for JavaScript, ``openai`` and ``@anthropic-ai/sdk``: what they report is what the ledger says.

Each test makes one of the calls in calls.mjs.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway, counts_in_chat, counts_in_message, counts_in_response, counts_in_row
from tests.node import node_command
from tests.simulator.recorder import Recorder

MODEL = "anthropic/claude-sonnet-4-6"
OPENING = "This answer is simulated."
# What is sent, and which class comes of it.
ERRORS = [
    ({"model": "claude-sonnet-4-6"}, "BadRequestError", 400, "invalid_request_body"),
    ({"model": "anthropic/claude-nothing-9"}, "NotFoundError", 404, "model_not_found"),
    ({"model": "openai/gpt-5.4"}, "UnprocessableEntityError", 422, "model_configuration_missing"),
    ({"text": "Hi [[simulate: rate_limit]]"}, "RateLimitError", 429, "rate_limit_exceeded"),
    ({"text": "Hi [[simulate: error]]"}, "InternalServerError", 502, "provider_error"),
    ({"text": "Hi [[simulate: overloaded]]"}, "InternalServerError", 503, "provider_overloaded"),
]
# What the provider is made to fail with, and which class comes of it at the native endpoint.
FAILURES = {
    "auth": ("AuthenticationError", 401),
    "permission": ("PermissionDeniedError", 403),
    "rate_limit": ("RateLimitError", 429),
    "overloaded": ("OverloadedError", 529),
}

Run = Callable[..., Any]


@pytest.fixture
def run(folder: Path, gateway: Gateway) -> Run:
    """Make calls, each a name and its options, and return what was printed of each."""

    def run_calls(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
        ended = subprocess.run(
            [*(node_command("node") or ()), "calls.mjs", json.dumps(calls)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.token},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        outcomes: list[Any] = json.loads(ended.stdout)
        return outcomes

    return run_calls


@pytest.mark.parametrize(
    ("names", "counts_in"),
    [
        (["chat", "chatStream", "chatHelper", "chatParse"], counts_in_chat),
        (["response", "responseStream", "responseHelper", "responseParse"], counts_in_response),
        (["message", "messageStream", "messageHelper"], counts_in_message),
    ],
    ids=["chat", "responses", "messages"],
)
def test_whole_streamed_and_parsed(run: Run, gateway: Gateway, model: str, names: list[str], counts_in: Any) -> None:
    outcomes = run([(name, {"model": model}) for name in names])

    rows = gateway.new_rows(len(names))
    assert [counts_in(told["usage"]) for told in outcomes] == [counts_in_row(row) for row in rows]
    for told in outcomes:
        assert_answered(told)


@pytest.mark.parametrize(
    ("name", "counts_in"),
    [("chatTools", counts_in_chat), ("responseTools", counts_in_response), ("messageTools", counts_in_message)],
    ids=["chat", "responses", "messages"],
)
def test_tools_round_trip(run: Run, gateway: Gateway, model: str, name: str, counts_in: Any) -> None:
    [told] = run([(name, {"model": model})])

    assert (told["called"]["name"], list(json.loads(told["called"]["arguments"]))) == ("get_weather", ["place"])
    assert_answered(told)
    _, second = gateway.new_rows(2)
    assert counts_in(told["usage"]) == counts_in_row(second)


def test_events_of_a_response_come_in_order(run: Run) -> None:
    [told] = run([("responseStream", {"model": MODEL})])

    kinds = told["kinds"]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-1] == "response.completed"


def test_count(run: Run, gateway: Gateway, model: str) -> None:
    counted, message = run([("messageCount", {"model": model}), ("message", {"model": model})])

    assert counted == {"input_tokens": message["usage"]["input_tokens"]}
    assert [row.dialect for row in gateway.new_rows(2)] == ["count_tokens", "messages"]


def test_models(run: Run) -> None:
    [ids] = run([("models", {})])

    assert MODEL in ids


@pytest.mark.parametrize("name", ["chat", "response"])
def test_errors_are_of_their_own_class(run: Run, name: str) -> None:
    outcomes = run([(name, {"model": MODEL, **given}) for given, *_ in ERRORS])

    assert [(told["error"], told["status"], told["code"]) for told in outcomes] == [
        (error, status, code) for _, error, status, code in ERRORS
    ]


def test_native_errors_are_of_their_own_class(run: Run) -> None:
    failures = [{"model": "claude-nothing-9"}, *({"text": f"Hi [[simulate: {word}]]"} for word in FAILURES)]
    outcomes = run([("message", {"model": MODEL, **given}) for given in failures])

    assert [(told["error"], told["status"]) for told in outcomes] == [("NotFoundError", 404), *FAILURES.values()]


def test_no_such_key(run: Run, gateway: Gateway, provider: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "token", "sk-orq-nothing")

    outcomes = run([(name, {"model": MODEL}) for name in ("chat", "response", "message")])

    assert [(told["error"], told["status"]) for told in outcomes] == [("AuthenticationError", 401)] * 3
    assert not provider.exchanges


def assert_answered(told: dict[str, Any]) -> None:
    """The answer is the simulator's text, or what fits the schema."""
    if "parsed" in told:
        assert set(told["parsed"]) == {"name", "inhabitants", "isCapital"}
    else:
        assert told["text"].startswith(OPENING)
