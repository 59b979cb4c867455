"""The Response object and its output items, whole and complete: the clients' parsers miss any key left out.

A thinking block becomes a reasoning item: its text the summary, its signature (or the whole of a redacted block) the
``encrypted_content``. Sent back as it is, the item becomes the same block again.
Source: OpenAI API reference, "The response object".
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from router.dialects.answer import Answer, Ending, is_rendered, tool_arguments
from router.dialects.base import ReplyContext
from router.dialects.citations import annotation, cited_stretches
from router.dialects.fields import Fields

SIGNATURE = "signature:"
REDACTED = "redacted:"
# Why an answer is incomplete, by the Messages stop reason.
_INCOMPLETE_REASONS = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
_ECHOED = ("max_tool_calls", "prompt_cache_key", "safety_identifier", "user", "instructions", "max_output_tokens")


def item_status(stop_reason: str | None) -> str:
    """Return the status of the item in which an answer ended."""
    return "incomplete" if stop_reason in _INCOMPLETE_REASONS else "completed"


def message_item(item_id: str, part: dict[str, Any] | None, status: str) -> dict[str, Any]:
    """Return a message item; without a part it has no content yet."""
    content = [] if part is None else [part]
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}


def text_part(text: str, annotations: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return an output_text part."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def call_item(item_id: str, block: Mapping[str, Any], arguments: str, status: str) -> dict[str, Any]:
    """Return a function_call item for a tool_use block."""
    return {
        "id": item_id,
        "type": "function_call",
        "call_id": block["id"],
        "name": block["name"],
        "arguments": arguments,
        "status": status,
    }


def reasoning_item(item_id: str, block: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return a reasoning item for a thinking or redacted_thinking block."""
    text, signature = block.get("thinking"), block.get("signature")
    sealed = SIGNATURE + signature if signature else None
    if block["type"] == "redacted_thinking":
        sealed = REDACTED + block["data"]
    return {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
        "encrypted_content": sealed,
        "status": status,
    }


def thinking_block(item: Fields) -> dict[str, Any]:
    """Return the block for a reasoning item that comes back. Raises RequestRefused if its seal is missing."""
    sealed = item.string("encrypted_content") or ""
    if sealed.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": sealed.removeprefix(REDACTED)}
    if not sealed.startswith(SIGNATURE):
        raise item.refuse(
            "encrypted_content",
            "must be the one that came with this item: it holds the signature Claude needs. Or leave the item out.",
        )
    text = "".join(part.string("text") or "" for part in item.objects("summary"))
    return {"type": "thinking", "thinking": text, "signature": sealed.removeprefix(SIGNATURE)}


def output_items(answer: Answer, request_id: str) -> list[dict[str, Any]]:
    """Return the items of a whole answer. Texts that follow each other are one message."""
    items: list[dict[str, Any]] = []
    for kind, group in groupby((block for block in answer.content if is_rendered(block)), key=itemgetter("type")):
        blocks = list(group)
        if kind == "text":
            part = text_part("".join(block["text"] for block in blocks), list(map(annotation, cited_stretches(blocks))))
            items.append(message_item(item_id("msg", request_id, len(items)), part, "completed"))
            continue
        for block in blocks:
            if kind == "tool_use":
                new_id, arguments = item_id("fc", request_id, len(items)), tool_arguments(block)
                items.append(call_item(new_id, block, arguments, "completed"))
            else:
                items.append(reasoning_item(item_id("rs", request_id, len(items)), block, "completed"))
    if items:
        items[-1]["status"] = item_status(answer.stop_reason)
    return items


def item_id(prefix: str, request_id: str, index: int) -> str:
    """Return the id of the item at ``index``."""
    return f"{prefix}_{request_id}_{index}"


def finished_response(
    context: ReplyContext, ending: Ending, items: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the response of an answer that reached its end, completed or incomplete."""
    reason = _INCOMPLETE_REASONS.get(ending.stop_reason or "")
    response = response_object(context, "incomplete" if reason else "completed", items)
    response["incomplete_details"] = {"reason": reason} if reason else None
    response["completed_at"] = None if reason else (context.now() if context.now else context.created)
    response["usage"] = usage
    return response | ending.as_told()


def response_object(context: ReplyContext, status: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a response with every key its clients look for; what the request said is said again."""
    request = context.request.body
    return {
        "id": f"resp_{context.request_id}",
        "object": "response",
        "created_at": context.created,
        "completed_at": None,
        "status": status,
        "model": context.model,
        "output": items,
        "error": None,
        "incomplete_details": None,
        "usage": None,
        "input": None,
        "metadata": dict(context.request.options.metadata),
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **(request.get("reasoning") or {})},
        "temperature": _or(request.get("temperature"), 1.0),
        "top_p": _or(request.get("top_p"), 1.0),
        "text": {"format": {"type": "text"}, **_without_nulls(request.get("text"))},
        "tool_choice": _or(request.get("tool_choice"), "auto"),
        "tools": [_echo_tool(tool) for tool in request.get("tools") or ()],
        **{name: request.get(name) for name in _ECHOED},
        **_CONSTANT,
    }


_CONSTANT: Mapping[str, Any] = {
    "background": False,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "prompt_cache_options": None,
    "prompt_cache_retention": None,
    "service_tier": "default",
    "store": False,
    "top_logprobs": 0,
    "truncation": "disabled",
}


def _echo_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.get("name"),
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        "strict": tool.get("strict") is True,
    }


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _without_nulls(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (fields or {}).items() if value is not None}
