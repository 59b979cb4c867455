"""What the simulator says: text, thinking and tool calls, fixed by the request alone.

Tools are called when the request forces it, or when the last user message mentions one (its name, or a word of its
name: "the weather" calls ``get_weather``); a message that brings tool results is answered with text. Naming several
tools, the word "parallel" or the instruction ``parallel=N`` makes several calls in one turn.
"""

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.instructions import Instructions, without_directives
from simulator.models import Model
from simulator.prompt import as_blocks
from simulator.signing import sign
from simulator.tokens import count_block, count_text, split_text
from simulator.writing import OPENING, write_text, write_value

_EFFORT = {"low": 0.5, "medium": 0.75, "high": 1.0, "xhigh": 1.5, "max": 2.0}
# Under this length a prompt is not worth a thought to adaptive thinking.
_WORTH_THINKING_TOKENS = 12


@dataclass(frozen=True)
class Answer:
    """Content blocks as the Messages API returns them, why they end, and their tokens (thinking included)."""

    blocks: Sequence[Mapping[str, Any]]
    stop_reason: str
    stop_sequence: str | None
    output_tokens: int
    thinking_tokens: int


def write_answer(body: Mapping[str, Any], model: Model, instructions: Instructions, seed: bytes) -> Answer:
    """Return the answer to a valid request; ``seed`` is its prompt's hash, so that equal prompts have equal answers."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose, and no secret
    asked = without_directives(last_user_text(body))
    thinking, thinking_tokens = _think(body, model, asked, dice, instructions)
    left = body["max_tokens"] - thinking_tokens
    calls = _call_tools(body, asked, instructions, seed)
    if calls:
        spoken = {"type": "text", "text": f"{OPENING} It calls a tool."}
        blocks = [*thinking, spoken, *calls]
        tokens = sum(map(count_block, [spoken, *calls]))
        if tokens <= left:
            return Answer(blocks, "tool_use", None, thinking_tokens + tokens, thinking_tokens)
    return _speak(body, asked, dice, instructions, thinking, thinking_tokens, left)


def last_user_text(body: Mapping[str, Any]) -> str:
    """Return the text of the last message if it is the user's, '' if it brings nothing but tool results."""
    last = body["messages"][-1]
    if last["role"] != "user":
        return ""
    return "\n".join(block["text"] for block in as_blocks(last["content"]) if block["type"] == "text")


def _think(
    body: Mapping[str, Any], model: Model, asked: str, dice: random.Random, instructions: Instructions
) -> tuple[list[Mapping[str, Any]], int]:
    """Return the thinking block, if there is one, and its tokens."""
    thinking = body.get("thinking") or {}
    budget = thinking.get("budget_tokens", body["max_tokens"] - 1)
    wanted = int(dice.randint(40, 240) * _EFFORT.get((body.get("output_config") or {}).get("effort", "high"), 1.0))
    if thinking.get("type") not in ("enabled", "adaptive") or _is_forced(body):
        return [], 0
    if thinking["type"] == "adaptive" and count_text(asked) < _WORTH_THINKING_TOKENS:
        return [], 0
    tokens = min(wanted, budget, body["max_tokens"] - 1)
    thought = write_text(dice, tokens, opening="This thinking is simulated.")
    if instructions.is_redacted:
        return [{"type": "redacted_thinking", "data": sign(thought)}], tokens
    default = "omitted" if not model.has_manual_thinking else "summarized"
    shown = "" if thinking.get("display", default) == "omitted" else thought
    return [{"type": "thinking", "thinking": shown, "signature": sign(thought)}], tokens


def _call_tools(
    body: Mapping[str, Any], asked: str, instructions: Instructions, seed: bytes
) -> list[Mapping[str, Any]]:
    choice = body.get("tool_choice") or {"type": "auto"}
    tools = [tool for tool in body.get("tools") or () if tool.get("type") in (None, "custom")]
    if not tools or choice.get("type") == "none":
        return []
    if choice.get("type") == "tool":
        called = [tool for tool in tools if tool["name"] == choice["name"]]
    else:
        called = [tool for tool in tools if _is_mentioned(tool["name"], asked)]
        if not called and choice.get("type") == "any":
            called = tools[:1]
    if not called:
        return []
    count = instructions.parallel_calls or max(len(called), 2 if "parallel" in asked else 1)
    if choice.get("disable_parallel_tool_use"):
        count = 1
    return [_call(called[at % len(called)], asked, seed, at) for at in range(count)]


def _call(tool: Mapping[str, Any], asked: str, seed: bytes, at: int) -> Mapping[str, Any]:
    digest = hashlib.sha256(seed + bytes([at])).hexdigest()
    call_input = write_value(tool["input_schema"], asked)
    return {"type": "tool_use", "id": f"toolu_sim{digest[:21]}", "name": tool["name"], "input": call_input}


def _is_forced(body: Mapping[str, Any]) -> bool:
    return (body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _is_mentioned(name: str, asked: str) -> bool:
    words = {word for word in re.split(r"[_\-\s]+", name.lower()) if len(word) > 3}
    said = asked.lower()
    return name.lower() in said or any(re.search(rf"\b{re.escape(word)}", said) for word in words)


def _speak(
    body: Mapping[str, Any],
    asked: str,
    dice: random.Random,
    instructions: Instructions,
    thinking: list[Mapping[str, Any]],
    thinking_tokens: int,
    left: int,
) -> Answer:
    """Return an answer in text, ended by itself, by a stop sequence or by the token limit."""
    schema = _output_schema(body)
    if schema is not None:
        text = json.dumps(write_value(schema, asked))
    else:
        text = write_text(dice, instructions.output_tokens or dice.randint(24, 160))
    pieces = split_text(text)
    stop_reason, stop_sequence = "end_turn", None
    if len(pieces) > left:
        text, stop_reason = "".join(pieces[:left]), "max_tokens"
    found = [(text.find(stop), stop) for stop in body.get("stop_sequences") or () if stop in text]
    if found:
        end, stop_sequence = min(found)
        text, stop_reason = text[:end], "stop_sequence"
    blocks = [*thinking, {"type": "text", "text": text}] if text else thinking
    return Answer(blocks, stop_reason, stop_sequence, thinking_tokens + count_text(text), thinking_tokens)


def _output_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    chosen = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return chosen.get("schema") if chosen.get("type") == "json_schema" else None
