"""A message as a response, whole and as its events.

Source: OpenAI API reference, "Responses" and "Streaming events"; the order of events as recorded from the live service.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import ApiError
from simulator.http import to_json
from simulator.openai_chat import REFUSAL
from simulator.openai_errors import in_openai_words
from simulator.openai_usage import OpenAIUsage
from simulator.stream import deltas_of

_CUT_OFF = ("max_tokens", "model_context_window_exceeded")
Json = Mapping[str, Any]


class ResponsesFraming:
    """The rest of a stream of events: see sending.Framing. ``opened`` is the response as it began."""

    ping = b": ping\n\n"
    broken = b'event: response.output_text.delta\ndata: {"type":"response.out\n\n'

    def __init__(self, opened: Json) -> None:
        self._opened = opened

    def failed(self, error: ApiError, sent: int) -> bytes:
        _, said = in_openai_words(error)
        failed = {**self._opened, "status": "failed"}
        failed["error"] = {"code": said["code"] or "server_error", "message": said["message"]}
        return _frame({"type": "response.failed", "response": failed}, sent)


def response_of(message: Json, body: Json, created: int) -> dict[str, Any]:
    """Return the whole response that says ``message`` to ``body``; ``created`` in Unix seconds."""
    is_cut_off = message["stop_reason"] in _CUT_OFF
    return {
        **opened_response(message, body, created),
        "status": "incomplete" if is_cut_off else "completed",
        "completed_at": None if is_cut_off else created,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut_off else None,
        "output": [done for done, _ in _items(message, body)],
        "service_tier": "default",
        "usage": OpenAIUsage.of(message["usage"]).as_responses(),
    }


def opened_response(message: Json, body: Json, created: int) -> dict[str, Any]:
    """Return the response before anything was said: what was asked for, with OpenAI's defaults."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    return {
        "id": message["id"].replace("msg_", "resp_"),
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": message["model"],
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity", "medium")},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def events_for(message: Json, body: Json, created: int, dice: random.Random) -> Iterator[bytes]:
    """Yield the frames that stream the response, each with its number in the sequence."""
    for number, event in enumerate(_events(message, body, created, dice)):
        yield _frame(event, number)


def _events(message: Json, body: Json, created: int, dice: random.Random) -> Iterator[dict[str, Any]]:
    opened = opened_response(message, body, created)
    yield {"type": "response.created", "response": opened}
    yield {"type": "response.in_progress", "response": opened}
    for at, (item, block) in enumerate(_items(message, body)):
        yield {"type": "response.output_item.added", "output_index": at, "item": _begun(item)}
        for event in _within(item, block, dice):
            yield {**event, "item_id": item["id"], "output_index": at}
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    whole = response_of(message, body, created)
    yield {"type": f"response.{whole['status']}", "response": whole}


def _within(item: Json, block: Json, dice: random.Random) -> Iterator[dict[str, Any]]:
    """Yield what happens between an item's beginning and its end."""
    match item["type"]:
        case "function_call":
            for delta in deltas_of(block, dice):
                if delta["partial_json"]:
                    yield {"type": "response.function_call_arguments.delta", "delta": delta["partial_json"]}
            yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"]}
        case "reasoning":
            yield from _summary_events(item)
        case _:
            yield from _text_events(item["content"][0], block, dice)


def _text_events(part: Json, block: Json, dice: random.Random) -> Iterator[dict[str, Any]]:
    field = "text" if part["type"] == "output_text" else "refusal"
    name = f"response.{part['type']}"
    more: dict[str, Any] = {"logprobs": []} if field == "text" else {}
    yield {"type": "response.content_part.added", "content_index": 0, "part": {**part, field: ""}}
    for delta in deltas_of({"type": "text", "text": block["text"]}, dice):
        yield {"type": f"{name}.delta", "content_index": 0, "delta": delta["text"], **more}
    yield {"type": f"{name}.done", "content_index": 0, field: part[field], **more}
    yield {"type": "response.content_part.done", "content_index": 0, "part": part}


def _summary_events(item: Json) -> Iterator[dict[str, Any]]:
    for at, part in enumerate(item["summary"]):
        place = {"summary_index": at}
        yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": part["text"]}
        yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **place, "part": part}


def _items(message: Json, body: Json) -> list[tuple[dict[str, Any], Json]]:
    """Return the output items, each with the block that it says; words beside a call are left out."""
    blocks = list(message["content"])
    if message["stop_reason"] == "tool_use":
        blocks = [block for block in blocks if block["type"] != "text"]
    if message["stop_reason"] == "refusal":
        blocks.append({"type": "refusal", "text": REFUSAL})
    suffix = message["id"].removeprefix("msg_")
    is_cut_off = message["stop_reason"] in _CUT_OFF
    return [
        (_item(block, f"{suffix}{at}", body, "incomplete" if is_cut_off else "completed"), block)
        for at, block in enumerate(blocks)
    ]


def _item(block: Json, suffix: str, body: Json, status: str) -> dict[str, Any]:
    match block["type"]:
        case "tool_use":
            return {
                "id": f"fc_{suffix}",
                "type": "function_call",
                "status": "completed",
                "arguments": to_json(block["input"]).decode(),
                "call_id": block["id"].replace("toolu_", "call_"),
                "name": block["name"],
            }
        case "thinking" | "redacted_thinking":
            return _reasoning(block, f"rs_{suffix}", body)
        case "refusal":
            part: dict[str, Any] = {"type": "refusal", "refusal": block["text"]}
        case _:
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": block["text"]}
    return {"id": f"msg_{suffix}", "type": "message", "status": status, "content": [part], "role": "assistant"}


def _reasoning(block: Json, item_id: str, body: Json) -> dict[str, Any]:
    """Return a reasoning item: its summary only where one is asked for, its encrypted content likewise."""
    is_summed_up = bool((body.get("reasoning") or {}).get("summary")) and block.get("thinking")
    summary = [{"type": "summary_text", "text": block["thinking"]}] if is_summed_up else []
    item: dict[str, Any] = {"id": item_id, "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = block.get("signature") or block.get("data")
    return item


def _begun(item: Json) -> dict[str, Any]:
    """Return an item as it stands when it is added."""
    match item["type"]:
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case _:
            return {**item, "summary": []}


def _frame(event: Json, number: int) -> bytes:
    numbered = {"type": event["type"], "sequence_number": number, **event}
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), to_json(numbered))
