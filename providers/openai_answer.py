"""Whole chat completions into Messages answers.

Source: OpenAI API reference, "The chat completion object"; Anthropic API reference, "Messages", version 2023-06-01.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from providers.base import Answer, ModelCall, UnreadableAnswer
from providers.openai_stream import objects, reasoning_of, text_of
from providers.openai_usage import messages_usage, parse_openai_usage

# Stands where Messages wants a thinking block's signature. Reasoning of these servers has none, and is left out when it
# comes back to them; the Messages API itself refuses it.
UNSIGNED: Final = "unsigned"

_STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_UNREADABLE: Final = "The provider's answer is not a chat completion."


def to_message(call: ModelCall, body: bytes) -> Answer:
    """Return the Messages answer for a chat completion. Raises UnreadableAnswer if it is not one."""
    try:
        completion = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer(_UNREADABLE) from None
    choice = next(iter(objects(completion.get("choices"))), {})
    said = choice.get("message")
    if not isinstance(said, Mapping):
        raise UnreadableAnswer(_UNREADABLE)
    answer_id, model = _string(completion.get("id")), _string(completion.get("model"))
    counts = parse_openai_usage(completion.get("usage"))
    finish = _string(choice.get("finish_reason"))
    content = _content(said, answer_id, is_cut_off=finish == "length")
    message = {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": model or call.model,
        "content": content,
        "stop_reason": stop_reason(
            finish,
            calls_tools=any(block["type"] == "tool_use" for block in content),
            refuses=bool(text_of(said.get("refusal"))),
        ),
        "stop_sequence": None,
        "usage": messages_usage(counts),
    }
    return Answer(msgspec.json.encode(message), counts, model)


def stop_reason(finish: str | None, *, calls_tools: bool, refuses: bool) -> str:
    """Return the Messages stop reason for a finish reason; one that is not known ended of itself.

    A call that was asked for by name finishes with "stop", and so do calls at some servers.
    """
    if refuses:
        return "refusal"
    reason = _STOP_REASONS.get(finish or "", "end_turn")
    if reason in ("end_turn", "tool_use"):
        return "tool_use" if calls_tools else "end_turn"
    return reason


def thinking_block(text: str) -> dict[str, Any]:
    """Return the block for reasoning that a server shows."""
    return {"type": "thinking", "thinking": text, "signature": UNSIGNED}


def call_id(given: object, answer_id: str, index: int) -> str:
    """Return the id of a tool call; where a server gives none, one made of the answer's."""
    return _string(given) or f"call_{answer_id}_{index}"


def _content(said: Mapping[str, Any], answer_id: str, *, is_cut_off: bool) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if reasoning := reasoning_of(said):
        content.append(thinking_block(reasoning))
    if text := text_of(said.get("content")) + text_of(said.get("refusal")):
        content.append({"type": "text", "text": text})
    for index, call in enumerate(objects(said.get("tool_calls"))):
        function = call.get("function")
        name = _string(function.get("name")) if isinstance(function, Mapping) else ""
        if not isinstance(function, Mapping) or not name:
            raise UnreadableAnswer("The provider's answer calls a tool without its name.")
        arguments = _arguments(text_of(function.get("arguments")), is_cut_off=is_cut_off)
        content.append(
            {"type": "tool_use", "id": call_id(call.get("id"), answer_id, index), "name": name, "input": arguments}
        )
    return content


def _arguments(text: str, *, is_cut_off: bool) -> msgspec.Raw:
    """Return the arguments as they came; empty, if the answer ran out of tokens within them."""
    try:
        msgspec.json.decode(text.strip() or "{}", type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        if is_cut_off:
            return msgspec.Raw(b"{}")
        raise UnreadableAnswer("The provider's answer calls a tool with arguments that are not JSON.") from None
    return msgspec.Raw(text.strip().encode() or b"{}")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
