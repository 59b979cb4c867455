"""Cache marks reach the servers that heed them, and not OpenAI itself."""

import json
from typing import Any

import pytest

from providers import openai
from providers.base import Shape
from providers.openai_passing import without_cache_marks
from tests.providers.openai_samples import ELSEWHERE, OPENAI, make_call

MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chat(mark: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief.", **mark},
            {"role": "user", "content": [{"type": "text", "text": "cache_control", **mark}]},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, **mark}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", **mark}, **mark}],
        **mark,
    }


def response(mark: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x", **mark}]},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "y", **mark}]},
        ],
        "tools": [{"type": "function", "name": "f", **mark}],
    }


@pytest.mark.parametrize(("shape", "body"), [(Shape.CHAT, chat), (Shape.RESPONSES, response)])
def test_openai_itself_gets_no_mark(shape: Shape, body: Any) -> None:
    sent = openai.build_request(make_call(body(MARK), shape), OPENAI).body

    assert json.loads(sent) == body({})


@pytest.mark.parametrize(("shape", "body"), [(Shape.CHAT, chat), (Shape.RESPONSES, response)])
def test_another_server_gets_every_mark(shape: Shape, body: Any) -> None:
    assert json.loads(openai.build_request(make_call(body(MARK), shape), ELSEWHERE).body) == body(MARK)


def test_a_schema_and_unmarked_values_keep_their_bytes() -> None:
    body = b'{"x": 1.0e2,"tools":[ {"function":{"parameters":{"properties":{"cache_control":{"type":"string"}}}}}]}'

    assert json.loads(without_cache_marks(body)) == json.loads(body)
    assert b'"x":1.0e2' in without_cache_marks(body)
    assert without_cache_marks(b'{ "x" : 1 }') == b'{ "x" : 1 }'
