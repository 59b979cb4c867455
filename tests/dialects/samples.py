"""What the dialect tests share: facts, contexts, recorded exchanges and a client that reads rendered bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest

from providers.sse import SSEDecoder, merge_usage
from router.dialects.base import CallOptions, CostSplit, Dialect, ModelFacts, ParsedRequest, ReplyContext

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"

BUDGET_ONLY = ModelFacts(max_output_tokens=64_000, thinking=frozenset({"enabled"}), refuses_temperature_with_top_p=True)
ADAPTIVE = ModelFacts(
    max_output_tokens=128_000,
    thinking=frozenset({"enabled", "adaptive"}),
    efforts=frozenset({"low", "medium", "high", "max"}),
    refuses_temperature_with_top_p=True,
)
ADAPTIVE_ONLY = ModelFacts(max_output_tokens=128_000, thinking=frozenset({"adaptive"}), efforts=frozenset({"high"}))
NO_SAMPLING = ModelFacts(
    max_output_tokens=128_000,
    thinking=frozenset({"adaptive"}),
    efforts=frozenset({"low", "medium", "high", "xhigh", "max"}),
    takes_sampling=False,
    refuses_temperature_with_top_p=True,
)
ALWAYS_THINKS = msgspec.structs.replace(NO_SAMPLING, thinking_off=frozenset(), forces_tools=False)
THINKS_BETWEEN_TOOLS = msgspec.structs.replace(
    ALWAYS_THINKS, thinking_off=frozenset({"between_tools"}), thinking_off_up_to="high"
)
MINUTES_ONLY = ModelFacts(max_output_tokens=64_000, caches_hourly=False)
PLAIN = ModelFacts(max_output_tokens=4_096, structured_outputs=False)

MODEL = "anthropic/claude-sonnet-4-6"


def parse(dialect: Dialect, **fields: Any) -> ParsedRequest:
    return dialect.parse(json.dumps({"model": MODEL, **fields}).encode())


def translate(dialect: Dialect, facts: ModelFacts = ADAPTIVE, **fields: Any) -> dict[str, Any]:
    return dialect.to_messages(parse(dialect, **fields), facts)


def make_context(request: ParsedRequest | None = None, **fields: Any) -> ReplyContext:
    request = request or ParsedRequest(MODEL, False, CallOptions(), {})
    return ReplyContext(
        **{
            "request_id": "r1",
            "model": MODEL,
            "created": 1_700_000_000,
            "cost_usd": lambda counts: CostSplit(1_500_000, 2_500_000),
            "request": request,
            **fields,
        }
    )


def render_stream(dialect: Dialect, stream: bytes, context: ReplyContext) -> bytes:
    renderer = dialect.stream_renderer(context)
    events = SSEDecoder().events(stream)
    return b"".join(renderer.feed(event) for event in events) + renderer.finish()


def message_events(*blocks: tuple[Mapping[str, Any], list[dict[str, Any]]], stop_reason: str = "end_turn") -> bytes:
    """Return a Messages stream of blocks, each its start and its deltas."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"model": "claude", "usage": usage}}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 7}})
    events.append({"type": "message_stop"})
    return encode_events(events)


def encode_events(events: list[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def fold(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole answer that a Messages stream amounts to."""
    answer: dict[str, Any] = {"content": [], "usage": {}}
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            answer |= event["message"] | {"content": []}
        elif kind == "content_block_start":
            answer["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            _fold_delta(answer["content"][-1], event["delta"])
        elif kind == "content_block_stop" and (text := answer["content"][-1].pop("partial_json", "")):
            answer["content"][-1]["input"] = json.loads(text)
        elif kind == "message_delta":
            answer |= event["delta"]
            answer["usage"] = merge_usage(answer["usage"], event["usage"])
    return answer


def _fold_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("text", "thinking", "signature", "partial_json"):
        if name in delta:
            block[name] = block.get(name, "") + delta[name]
    if delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]


def stream_of(answer: Mapping[str, Any]) -> bytes:
    """Return the Messages stream that amounts to a whole answer; texts come in halves."""
    usage = {**answer["usage"], "output_tokens": 1}
    opened = {**answer, "content": [], "stop_reason": None, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": opened}]
    for index, block in enumerate(answer["content"]):
        start, deltas = _deltas_of(block)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {name: answer[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in answer}
    events.append({"type": "message_delta", "delta": ending, "usage": answer["usage"]})
    events.append({"type": "message_stop"})
    return encode_events(events)


def _deltas_of(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as it starts, and the deltas that complete it."""
    kind = block["type"]
    if kind == "text":
        middle = len(block["text"]) // 2
        halves = [{"type": "text_delta", "text": text} for text in (block["text"][:middle], block["text"][middle:])]
        cited = [{"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ()]
        start = {"type": "text", "text": ""} | ({"citations": []} if "citations" in block else {})
        return start, [*cited, *halves]
    if kind == "thinking":
        seal = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            seal,
        ]
    if kind in ("tool_use", "server_tool_use"):
        arguments = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        return {**block, "input": {}}, [arguments]
    return dict(block), []


def openai_client(reply: bytes, *, status: int = 200) -> openai.OpenAI:
    """Return OpenAI's own client, talking to a server that always answers ``reply``."""
    kind = "application/json" if reply.startswith(b"{") else "text/event-stream"

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"content-type": kind}, content=reply)

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(api_key="sk-orq-x", base_url="http://gateway/v3/router", http_client=transport, max_retries=0)


def recorded_answers(*, streamed: bool) -> list[Any]:
    """Return the bodies of the recorded successful Messages answers as test parameters."""
    if not RECORDINGS.is_dir():
        return [pytest.param(b"", marks=pytest.mark.skip(reason="the recordings are not beside this repository"))]
    exchanges = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDINGS.glob("anthropic-messages-*"))}
    return [
        pytest.param(body.encode(), id=name.removeprefix("anthropic-messages-"))
        for name, exchange in exchanges.items()
        if exchange["operation"] == "messages"
        and exchange["response"]["status"] == 200
        and (body := exchange["response"].get("body"))
        and body.startswith("event:") == streamed
    ]
