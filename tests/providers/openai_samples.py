"""What the tests of the OpenAI provider share: calls, streams and a reader of Messages events."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from providers import openai
from providers.base import ModelCall, ModelTraits, Shape, Target

OPENAI = Target()
ELSEWHERE = Target("https://llm.example.com/v1")


def make_call(
    body: Mapping[str, Any], shape: Shape = Shape.MESSAGES, *, stream: bool = False, traits: ModelTraits | None = None
) -> ModelCall:
    """A call whose body names the model that goes upstream; without ``traits``, one that nobody knows."""
    whole = {"model": "gpt-5", **body, **({"stream": True} if stream else {})}
    return ModelCall("gpt-5", json.dumps(whole).encode(), stream, shape, traits=traits)


def make_messages(*messages: Mapping[str, Any], traits: ModelTraits | None = None, **fields: Any) -> ModelCall:
    """A Messages call; without messages, one that says hello."""
    return make_call({"max_tokens": 100, "messages": messages or [user("Hello")], **fields}, traits=traits)


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: object) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def chat_body(call: ModelCall, target: Target = OPENAI) -> dict[str, Any]:
    """What a call becomes on its way."""
    body: dict[str, Any] = json.loads(openai.build_request(call, target).body)
    return body


def chat_chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk of a streamed chat completion; without a delta, one without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2025-08-07"}
    return {**head, "choices": choices, **fields}


def call_delta(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    """A delta with a piece of a tool call; ``head`` holds id and name, which come with the first piece."""
    function = {"arguments": arguments, **({"name": head["name"]} if "name" in head else {})}
    named = {"id": head["id"], "type": "function"} if "id" in head else {}
    return {"tool_calls": [{"index": index, **named, "function": function}]}


def as_stream(*events: Mapping[str, Any], done: bool = True) -> bytes:
    """The bytes of a stream."""
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, *(["data: [DONE]\n\n"] if done else [])]).encode()


def split_evenly(stream: bytes, size: int) -> Iterable[bytes]:
    """The stream in chunks of ``size`` bytes."""
    return (stream[start : start + size] for start in range(0, len(stream), size))


def read_events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a Messages stream, whose event and data lines must agree."""
    events = []
    for frame in stream.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def gather_message(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer that a Messages stream adds up to; its blocks must come one after the other."""
    message: dict[str, Any] = events[0]["message"]
    content: list[dict[str, Any]] = message["content"]
    open_index = None
    for event in events[1:]:
        if event["type"] == "content_block_start":
            assert open_index is None
            open_index = event["index"]
            assert open_index == len(content)
            content.append({**event["content_block"], **({"input": ""} if "input" in event["content_block"] else {})})
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_index
            _extend(content[-1], event["delta"])
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_index
            open_index = None
        elif event["type"] == "message_delta":
            message |= {**event["delta"], "usage": event["usage"]}
    assert open_index is None
    for block in content:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["input"] or "{}")
    return message


def _extend(block: dict[str, Any], delta: dict[str, Any]) -> None:
    [(name, text)] = [(name, text) for name, text in delta.items() if name != "type"]
    block["input" if name == "partial_json" else name] += text
