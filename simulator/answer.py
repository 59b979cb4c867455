"""What the simulator says: text, thinking, tool calls, searches and citations, fixed by the request alone.

Tools are called when the request forces it, or when the last user message mentions one (its name, or a word of its
name: "the weather" calls ``get_weather``), or is told to call one with a given input (``simulator.instructions``); a
message that brings tool results is answered with text. Naming several tools, the word "parallel" or the instruction
``parallel=N`` makes several calls in one turn. Documents and search
results with citations switched on are cited, and the web is searched by its tool when "search" is said.
"""

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.citing import write_cited
from simulator.instructions import Instructions, without_directives
from simulator.models import Model
from simulator.prompt import as_blocks
from simulator.searching import cite_search, searches_wanted, write_searches
from simulator.signing import sign
from simulator.tokens import count_block, count_text, split_text
from simulator.writing import OPENING, write_text, write_value

_EFFORT = {"low": 0.5, "medium": 0.75, "high": 1.0, "xhigh": 1.5, "max": 2.0}
# Under this length a prompt is not worth a thought to adaptive thinking.
_WORTH_THINKING_TOKENS = 12
# Source: Anthropic documentation, "Extended thinking" and "Handling stop reasons": prompts to test with.
_REDACTS_THINKING = (
    "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"
)
_REFUSES = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588CCD2631EDCF22E8CCC1FB35B501C9C86"
_MOST_CALLS = 64
_INTERLEAVES = "interleaved-thinking-2025-05-14"


Block = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """Content blocks as the Messages API returns them, why they end, and their tokens (thinking included)."""

    blocks: Sequence[Block]
    stop_reason: str
    stop_sequence: str | None
    output_tokens: int
    thinking_tokens: int
    web_searches: int = 0


def write_answer(
    body: Mapping[str, Any], model: Model, instructions: Instructions, seed: bytes, betas: frozenset[str] = frozenset()
) -> Answer:
    """Return the answer to a valid request; ``seed`` is its prompt's hash, so that equal prompts have equal answers."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose, and no secret
    asked = without_directives(last_user_text(body))
    if _REFUSES in asked or instructions.stop_reason == "refusal":
        return Answer([], "refusal", None, 1, 0)
    thinking, thinking_tokens = _think(body, model, asked, dice, instructions, betas)
    left = body["max_tokens"] - thinking_tokens
    answer = _call(body, asked, instructions, seed, left) or _speak(body, asked, dice, instructions, seed, left)
    answer = replace(
        answer,
        blocks=[*thinking, *answer.blocks],
        output_tokens=answer.output_tokens + thinking_tokens,
        thinking_tokens=thinking_tokens,
    )
    return _stopped(answer, body, instructions.stop_reason) if instructions.stop_reason else answer


def last_user_text(body: Mapping[str, Any]) -> str:
    """Return the text of the last message if it is the user's, '' if it brings nothing but tool results."""
    last = body["messages"][-1]
    if last["role"] != "user":
        return ""
    return "\n".join(block["text"] for block in as_blocks(last["content"]) if block["type"] == "text")


def _think(
    body: Mapping[str, Any],
    model: Model,
    asked: str,
    dice: random.Random,
    instructions: Instructions,
    betas: frozenset[str],
) -> tuple[list[Block], int]:
    """Return the thinking block, if there is one, and its tokens.

    Between tool results and the answer only models with adaptive thinking think, or where the beta asks for it.
    """
    thinking = body.get("thinking") or ({"type": "adaptive"} if model.thinking_off == "never" else {})
    budget = thinking.get("budget_tokens", body["max_tokens"] - 1)
    wanted = int(dice.randint(40, 240) * _EFFORT.get((body.get("output_config") or {}).get("effort", "high"), 1.0))
    if thinking.get("type") not in ("enabled", "adaptive") or _is_forced(body):
        return [], 0
    if thinking["type"] == "adaptive" and count_text(asked) < _WORTH_THINKING_TOKENS:
        return [], 0
    if thinking["type"] == "enabled" and _brings_results(body) and _INTERLEAVES not in betas:
        return [], 0
    tokens = min(wanted, budget, body["max_tokens"] - 1)
    thought = write_text(dice, tokens, opening="This thinking is simulated.")
    if instructions.is_redacted or _REDACTS_THINKING in asked:
        return [{"type": "redacted_thinking", "data": sign(thought)}], tokens
    default = "omitted" if not model.has_manual_thinking else "summarized"
    shown = "" if thinking.get("display", default) == "omitted" else thought
    return [{"type": "thinking", "thinking": shown, "signature": sign(thought)}], tokens


def _call(body: Mapping[str, Any], asked: str, instructions: Instructions, seed: bytes, left: int) -> Answer | None:
    """Return an answer that calls tools; None when none is to be called, or no room is left for it."""
    wanted = _scripted_calls(body, instructions) or [
        (tool["name"], write_value(tool["input_schema"], asked)) for tool in _called_tools(body, asked, instructions)
    ]
    calls = [_write_call(name, call_input, seed, at) for at, (name, call_input) in enumerate(wanted)]
    blocks = [{"type": "text", "text": f"{OPENING} It calls a tool."}, *calls]
    tokens = sum(map(count_block, blocks))
    return Answer(blocks, "tool_use", None, tokens, 0) if calls and tokens <= left else None


def _scripted_calls(body: Mapping[str, Any], instructions: Instructions) -> list[tuple[str, Mapping[str, Any]]]:
    """Return names and inputs of the calls that were spelt out, as far as the request offers and allows the tools."""
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice.get("type") not in ("auto", "any"):
        return []
    offered = {tool["name"] for tool in _own_tools(body)}
    calls = [(call.tool, call.input) for call in instructions.calls if call.tool in offered]
    return calls[: _most_calls(choice)]


def _called_tools(body: Mapping[str, Any], asked: str, instructions: Instructions) -> list[Mapping[str, Any]]:
    """Return the tools to call, one more often than once when calls are to be parallel."""
    choice = body.get("tool_choice") or {"type": "auto"}
    tools = _own_tools(body)
    if not tools or choice.get("type") == "none":
        return []
    if choice.get("type") == "tool":
        called = [tool for tool in tools if tool["name"] == choice["name"]]
    else:
        # What is said beside results is about them, not a new wish.
        said = "" if _brings_results(body) else asked
        called = [tool for tool in tools if _is_mentioned(tool["name"], said)]
        if not called and choice.get("type") == "any":
            called = tools[:1]
    if not called:
        return []
    count = instructions.parallel_calls or max(len(called), 2 if "parallel" in asked else 1)
    return [called[at % len(called)] for at in range(min(count, _most_calls(choice)))]


def _own_tools(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tools that the client runs itself."""
    return [tool for tool in body.get("tools") or () if tool.get("type") in (None, "custom")]


def _most_calls(choice: Mapping[str, Any]) -> int:
    return 1 if choice.get("disable_parallel_tool_use") else _MOST_CALLS


def _write_call(name: str, call_input: Any, seed: bytes, at: int) -> Block:
    digest = hashlib.sha256(seed + bytes([at])).hexdigest()
    return {"type": "tool_use", "id": f"toolu_sim{digest[:21]}", "name": name, "input": call_input}


def _brings_results(body: Mapping[str, Any]) -> bool:
    last = body["messages"][-1]
    return last["role"] == "user" and any(block["type"] == "tool_result" for block in as_blocks(last["content"]))


def _is_forced(body: Mapping[str, Any]) -> bool:
    return (body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _is_mentioned(name: str, asked: str) -> bool:
    words = {word for word in re.split(r"[_\-\s]+", name.lower()) if len(word) > 3}
    said = asked.lower()
    return name.lower() in said or any(re.search(rf"\b{re.escape(word)}", said) for word in words)


def _speak(
    body: Mapping[str, Any], asked: str, dice: random.Random, instructions: Instructions, seed: bytes, left: int
) -> Answer:
    """Return an answer in text, ended by itself, by a stop sequence or by the token limit."""
    schema = _output_schema(body)
    searches = write_searches(asked, searches_wanted(body, asked, instructions), seed)
    texts: list[dict[str, Any]]
    if schema is not None:
        texts = [{"type": "text", "text": json.dumps(write_value(schema, asked))}]
    else:
        wanted = dice.randint(24, 160) if instructions.output_tokens is None else instructions.output_tokens
        # One token more than there is room for is enough to be cut off.
        texts = [{"type": "text", "text": write_text(dice, max(1, min(wanted, left + 1)))}]
        texts += [cite_search(seed)] if searches else write_cited(body)
    spoken, stop_reason, stop_sequence = _cut(texts, left, body.get("stop_sequences") or ())
    called = sum(count_block(block) for block in searches if block["type"] == "server_tool_use")
    tokens = called + sum(count_text(block["text"]) for block in spoken)
    return Answer([*searches, *spoken], stop_reason, stop_sequence, tokens, 0, len(searches) // 2)


def _cut(
    texts: Sequence[Mapping[str, Any]], most_tokens: int, stops: Sequence[str]
) -> tuple[list[Block], str, str | None]:
    """Return text blocks as far as a limit and stop sequences let them go, and what ended them."""
    whole = "".join(block["text"] for block in texts)
    pieces = split_text(whole)
    text, stop_reason, stop_sequence = whole, "end_turn", None
    if len(pieces) > most_tokens:
        text, stop_reason = "".join(pieces[:most_tokens]), "max_tokens"
    found = [(text.find(stop), stop) for stop in stops if stop in text]
    if found:
        end, stop_sequence = min(found)
        text, stop_reason = text[:end], "stop_sequence"
    kept: list[Block] = []
    for block in texts:
        part, text = text[: len(block["text"])], text[len(block["text"]) :]
        if part:
            kept.append({**block, "text": part})
    return kept, stop_reason, stop_sequence


def _stopped(answer: Answer, body: Mapping[str, Any], reason: str) -> Answer:
    """Return ``answer`` as if it had ended for ``reason``; a turn that pauses has not come to its text yet."""
    stops = body.get("stop_sequences") or ("",)
    blocks = answer.blocks
    if reason == "pause_turn" and answer.web_searches:
        blocks = [block for block in blocks if block["type"] != "text"]
    sequence = stops[0] if reason == "stop_sequence" else None
    return replace(answer, blocks=blocks, stop_reason=reason, stop_sequence=sequence)


def _output_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    chosen = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return chosen.get("schema") if chosen.get("type") == "json_schema" else None
