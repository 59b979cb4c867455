"""The parts of a Messages body that chat and responses share: limits, sampling, stops, format, thinking, tools."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from router.dialects.base import ModelFacts, RequestRefused
from router.dialects.caching import check_breakpoints, keep_for_minutes, mark_last_block, read_cache_control
from router.dialects.conversation import Conversation
from router.dialects.fields import Fields
from router.dialects.thinking import (
    EFFORTS,
    effort_level,
    fill_max_tokens,
    read_thinking,
    thinking_for_effort,
    thinks_in_silence,
)

SAMPLING = ("temperature", "top_p", "top_k")
"""The fields that models which take no sampling do without."""

_LONGEST_USER_ID = 256
_FORCED = ("any", "tool")
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


class FunctionTool(msgspec.Struct, frozen=True):
    """One function the model may call: ``fields`` describe it, ``holder`` is the tool around them."""

    fields: Fields
    holder: Fields

    def definition(self, facts: ModelFacts) -> dict[str, Any]:
        """Return the Messages tool."""
        parameters = self.fields.object("parameters")
        tool: dict[str, Any] = {
            "name": self.fields.required_string("name"),
            "input_schema": parameters.values if parameters else {"type": "object", "properties": {}},
        }
        if description := self.fields.string("description"):
            tool["description"] = description
        if self.fields.boolean("strict") and facts.structured_outputs:
            tool["strict"] = True
        return {**tool, **(read_cache_control(self.holder) or read_cache_control(self.fields))}


class ToolChoice(msgspec.Struct, frozen=True):
    """``kind`` is auto, any, none or tool; ``name`` the tool's; ``allowed`` the only names offered, if given."""

    kind: str
    name: str | None = None
    allowed: frozenset[str] | None = None


class Asked(msgspec.Struct):
    """What a request asks for, in parts that each dialect reads in its own way.

    ``effort_path`` is where the effort stands. ``shows_reasoning`` says that the client asked for reasoning in words,
    which some models give only when told to.
    """

    conversation: Conversation
    max_tokens: int | None
    tools: Sequence[FunctionTool]
    tool_choice: ToolChoice | None
    output_format: Fields | None
    effort: str | None
    effort_path: str
    shows_reasoning: bool = False


def build_body(request: Fields, asked: Asked, facts: ModelFacts) -> dict[str, Any]:
    """Return the Messages body, without its model; ``request`` is the client's body, for what all dialects share."""
    conversation = asked.conversation
    thinking = _thinking(request, asked, facts)
    body: dict[str, Any] = {"messages": conversation.messages, **_sampling(request, facts)}
    if asked.max_tokens or facts.needs_max_tokens:
        body["max_tokens"] = fill_max_tokens(asked.max_tokens, thinking, facts)
    if stop_sequences := _read_stop_sequences(request):
        body["stop_sequences"] = stop_sequences
    if conversation.system:
        body["system"] = conversation.system
    body |= _tools(request, asked.tools, asked.tool_choice, facts)
    if thinking:
        body["thinking"] = thinking
    level, schema = effort_level(asked.effort, facts, thinking), _schema(asked.output_format, facts)
    if level or schema:
        body["output_config"] = ({"effort": level} if level else {}) | ({"format": schema} if schema else {})
    if user_id := _user_id(request):
        body["metadata"] = {"user_id": user_id}
    mark_last_block(body, read_cache_control(request))
    check_breakpoints(body)
    if not facts.caches_hourly:
        keep_for_minutes(body)
    if request.get("stream"):
        body["stream"] = True
    return body


def read_tool_choice(
    request: Fields, *, name_of: Callable[[Fields], str], allowed_in: Callable[[Fields], Fields]
) -> ToolChoice | None:
    """Return the tool_choice, if there is one.

    ``name_of`` reads a function's name off the object that names it, ``allowed_in`` returns what holds mode and tools.
    """
    choice = request.get("tool_choice")
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise request.refuse("tool_choice", "must be auto, none, required or name a function.")
        return ToolChoice(_TOOL_CHOICES[choice])
    fields = request.required_object("tool_choice")
    if fields.get("type") == "function":
        return ToolChoice("tool", name_of(fields))
    if fields.get("type") == "allowed_tools":
        allowed = allowed_in(fields)
        mode = allowed.one_of("mode", ("auto", "required")) or "auto"
        names = frozenset(name_of(_function_of(tool)) for tool in allowed.objects("tools"))
        return ToolChoice(_TOOL_CHOICES[mode], allowed=names)
    raise fields.refuse("type", "must be function or allowed_tools.")


def read_format(
    fields: Fields | None, conversation: Conversation, *, schema_in: Callable[[Fields], Fields]
) -> Fields | None:
    """Return the object that holds the schema, if the answer must follow one; ``fields`` are the format asked for."""
    if fields is None:
        return None
    kind = fields.one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_object":
        _require_the_word_json(conversation, fields.at("type"))
    return schema_in(fields) if kind == "json_schema" else None


def _function_of(tool: Fields) -> Fields:
    if tool.get("type") not in (None, "function"):
        raise tool.refuse("type", "must be function; other kinds of tools are not offered here.")
    return tool


def read_effort(fields: Fields, name: str) -> str | None:
    """Return the effort that ``fields`` name, or None."""
    return fields.one_of(name, EFFORTS)


def _require_the_word_json(conversation: Conversation, path: str) -> None:
    """Refuse ``json_object`` where no text asks for JSON, as OpenAI does.

    Claude has no such mode; what makes it answer in JSON is the prompt, which is the client's own.
    """
    turns = (block for message in conversation.messages for block in message["content"])
    if not any("json" in block.get("text", "").lower() for block in (*conversation.system, *turns)):
        raise RequestRefused(f"{path} json_object needs the word JSON in a message; or send a json_schema.", param=path)


def _sampling(request: Fields, facts: ModelFacts) -> dict[str, Any]:
    """Return what the client set, or nothing for a model that takes none of it; a wrong value is refused by either."""
    settings = {
        "temperature": request.number("temperature", 0, 1),
        "top_p": request.number("top_p", 0, 1),
        "top_k": request.integer("top_k", 0),
    }
    if not facts.takes_sampling:
        return {}
    if None not in (settings["temperature"], settings["top_p"]) and facts.refuses_temperature_with_top_p:
        raise RequestRefused(
            "This model takes temperature or top_p, not both; choose one of the two.", param="temperature"
        )
    return {name: value for name, value in settings.items() if value is not None}


def _read_stop_sequences(request: Fields) -> list[str]:
    stop = request.get("stop")
    stops = [stop] if isinstance(stop, str) else request.strings("stop")
    return [*stops, *request.strings("stop_sequences")]


def _tools(
    request: Fields, tools: Sequence[FunctionTool], choice: ToolChoice | None, facts: ModelFacts
) -> dict[str, Any]:
    definitions = [tool.definition(facts) for tool in tools]
    names = {definition["name"] for definition in definitions}
    if choice and choice.allowed is not None:
        if missing := choice.allowed - names:
            raise request.refuse("tool_choice", f"allows {min(missing)!r}, which is not among the tools.")
        definitions = [definition for definition in definitions if definition["name"] in choice.allowed]
    if not definitions:
        if choice and choice.kind in _FORCED:
            raise request.refuse("tool_choice", "asks for a call, but there are no tools.")
        return {}
    if choice and choice.name is not None and choice.name not in names:
        raise request.refuse("tool_choice", f"names {choice.name!r}, which is not among the tools.")
    if choice and choice.kind in _FORCED and not facts.forces_tools:
        raise request.refuse("tool_choice", "must be auto or none on this model, which cannot be made to call a tool.")
    return {"tools": definitions} | _tool_choice(choice, request.boolean("parallel_tool_calls"))


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any]:
    one_at_a_time = parallel is False and (choice is None or choice.kind != "none")
    if choice is None and not one_at_a_time:
        return {}
    chosen: dict[str, Any] = {"type": choice.kind if choice else "auto"}
    if choice and choice.name is not None:
        chosen["name"] = choice.name
    if one_at_a_time:
        chosen["disable_parallel_tool_use"] = True
    return {"tool_choice": chosen}


def _thinking(request: Fields, asked: Asked, facts: ModelFacts) -> dict[str, Any] | None:
    chosen = request.object("thinking")
    if chosen is not None:
        return read_thinking(chosen, facts, asked.max_tokens)
    if asked.effort is None:
        return None
    under_way = asked.conversation.awaits_tool_results_without_reasoning
    thinking = thinking_for_effort(
        asked.effort, facts, asked.max_tokens, path=asked.effort_path, tools_under_way=under_way
    )
    if thinking and asked.shows_reasoning and thinks_in_silence(facts) and thinking["type"] == "adaptive":
        thinking["display"] = "summarized"
    return thinking


def _schema(output_format: Fields | None, facts: ModelFacts) -> dict[str, Any] | None:
    if output_format is None:
        return None
    if not facts.structured_outputs:
        raise output_format.refuse("type", "cannot be json_schema on this model here; ask for JSON in the prompt.")
    return {"type": "json_schema", "schema": output_format.required_object("schema").values}


def _user_id(request: Fields) -> str | None:
    user_id = request.string("safety_identifier") or request.string("user")
    if user_id and len(user_id) > _LONGEST_USER_ID:
        name = "safety_identifier" if request.get("safety_identifier") else "user"
        raise request.refuse(name, f"must not be longer than {_LONGEST_USER_ID} characters.")
    return user_id
