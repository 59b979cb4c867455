"""Chat completions and responses as requests to the model behind: what they ask for, as a Messages body.

Source: OpenAI API reference, "Chat" and "Responses". What OpenAI refuses is refused here, in its words.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.models import Model
from simulator.openai_errors import OpenAIRefusal, unsupported, wrong_type, wrong_value

_CHAT_FIELDS = frozenset(
    {
        *(
            "audio",
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
        ),
        *("max_tokens", "messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction"),
        *("presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format"),
        *("safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
    }
)
_RESPONSES_FIELDS = frozenset(
    {
        *("background", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls"),
        *("metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key"),
        *("prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream"),
        *(
            "stream_options",
            "temperature",
            "text",
            "tool_choice",
            "tools",
            "top_logprobs",
            "top_p",
            "truncation",
            "user",
        ),
    }
)
_SYSTEM_ROLES = ("developer", "system")
_LEAST_OUTPUT_TOKENS = 16
# Chat completions of models since GPT-5.2, by the day of its release, take function tools only without an effort.
_TOOLS_OR_EFFORT_SINCE = "2025-12-11"
Json = Mapping[str, Any]


def chat_to_messages(body: Json, model: Model) -> dict[str, Any]:
    """Return the Messages body that a chat completion asks for. Raises OpenAIRefusal."""
    _check_fields(body, _CHAT_FIELDS, model)
    turns = _list(body, "messages", "")
    if not turns:
        raise OpenAIRefusal("Invalid 'messages': empty array.", param="messages", code="empty_array")
    chosen = _object(body, "response_format")
    kind = chosen.get("type")
    if kind == "json_object" and "json" not in json.dumps(turns).lower():
        raise _needs_the_word_json("messages", "response_format")
    asked = _common(body, model, limits=("max_completion_tokens", "max_tokens"))
    asked |= _turns([part for at, turn in enumerate(turns) for part in _chat_turn(turn, f"messages[{at}]")])
    asked |= _tools(body, [tool.get("function") for tool in _function_tools(body)])
    _check_effort_beside_tools(body, model)
    asked |= _thinking(model, body.get("reasoning_effort"), "reasoning_effort")
    schema = _object(chosen, "json_schema").get("schema") if kind == "json_schema" else None
    return asked | _output_format(asked, kind, schema, "response_format")


def responses_to_messages(body: Json, model: Model) -> dict[str, Any]:
    """Return the Messages body that a response asks for. Raises OpenAIRefusal."""
    _check_fields(body, _RESPONSES_FIELDS, model)
    if "input" not in body:
        raise _missing("input")
    if body.get("previous_response_id") is not None:
        message = f"Previous response with id '{body['previous_response_id']}' not found."
        raise OpenAIRefusal(message, param="previous_response_id", code="previous_response_not_found")
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else _list(body, "input", "")
    parts = [part for at, item in enumerate(items) for part in _item(item, f"input[{at}]")]
    if isinstance(body.get("instructions"), str):
        parts.insert(0, ("system", {"type": "text", "text": body["instructions"]}))
    chosen = _object(_object(body, "text"), "format")
    kind = chosen.get("type")
    if kind == "json_object" and "json" not in json.dumps(given).lower():
        raise _needs_the_word_json("input", "text.format")
    asked = _common(body, model, limits=("max_output_tokens",))
    asked |= _turns(parts)
    asked |= _tools(body, _function_tools(body))
    asked |= _thinking(model, _object(body, "reasoning").get("effort"), "reasoning.effort")
    return asked | _output_format(asked, kind, chosen.get("schema") if kind == "json_schema" else None, "text.format")


def _check_fields(body: Json, known: frozenset[str], model: Model) -> None:
    for name in body:
        if name not in known:
            raise OpenAIRefusal(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(name, "a decimal")
        if not 0 <= value <= (2 if name == "temperature" else 1):
            raise OpenAIRefusal(f"Invalid '{name}': out of range.", param=name, code="decimal_above_max_value")
        if model.efforts and value != 1:
            message = (
                f"Unsupported value: '{name}' does not support {value} with this model. Only the default (1) value"
            )
            raise OpenAIRefusal(f"{message} is supported.", param=name, code="unsupported_value")
    if body.get("stop") and model.efforts:
        raise unsupported("stop")
    if body.get("n") not in (None, 1):
        raise OpenAIRefusal("The simulator answers with one choice.", param="n", code="invalid_value")


def _common(body: Json, model: Model, *, limits: Sequence[str]) -> dict[str, Any]:
    """Return what both shapes have: the limit, the stops, and a breakpoint, for OpenAI caches every prompt."""
    given = {name: body[name] for name in limits if body.get(name) is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(name, "an integer")
        least = _LEAST_OUTPUT_TOKENS if name == "max_output_tokens" else 1
        if value < least:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value}."
            raise OpenAIRefusal(f"{message[:-1]} instead.", param=name, code="integer_below_min_value")
        if name != "max_output_tokens" and value > model.max_output_tokens:
            message = f"max_tokens is too large: {value}. This model supports at most {model.max_output_tokens}"
            raise OpenAIRefusal(f"{message} completion tokens, whereas you provided {value}.", param=name)
    stop = body.get("stop") or []
    asked = {
        "model": model.id,
        "max_tokens": min([*given.values(), model.max_output_tokens]),
        "cache_control": {"type": "ephemeral"},
    }
    return asked | ({"stop_sequences": [stop] if isinstance(stop, str) else stop} if stop else {})


def _turns(parts: Sequence[tuple[str, Json]]) -> dict[str, Any]:
    """Return system and messages: parts of one role that follow each other are one message."""
    messages: list[dict[str, Any]] = []
    for role, block in parts:
        if role == "system":
            continue
        if not messages or messages[-1]["role"] != role:
            messages.append({"role": role, "content": []})
        messages[-1]["content"].append(block)
    if not messages:
        messages = [{"role": "user", "content": "."}]
    return {"system": [block for role, block in parts if role == "system"], "messages": messages}


def _chat_turn(turn: Any, place: str) -> Iterator[tuple[str, Json]]:
    """Yield a message's parts, each with the role that it has in a Messages body."""
    if not isinstance(turn, Mapping):
        raise wrong_type(place, "an object")
    role, content = turn.get("role"), turn.get("content")
    if role == "tool":
        yield "user", _result(turn.get("tool_call_id"), content, f"{place}.content")
        return
    if role not in (*_SYSTEM_ROLES, "assistant", "user"):
        raise wrong_value(f"{place}.role", role, "'system', 'assistant', 'user', 'function', 'tool', and 'developer'")
    if content is None and not turn.get("tool_calls") and not turn.get("refusal"):
        raise wrong_type(f"{place}.content", "one of a string or array of objects, but got null instead")
    yield from (_ranked(role, block) for block in _content(content, f"{place}.content"))
    if isinstance(turn.get("refusal"), str):
        yield "assistant", {"type": "text", "text": turn["refusal"]}
    for call in _list(turn, "tool_calls", f"{place}.") if turn.get("tool_calls") else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            raise wrong_type(f"{place}.tool_calls", "an array of function calls")
        yield "assistant", _call(call.get("id"), function)


def _item(item: Any, place: str) -> Iterator[tuple[str, Json]]:
    """Yield an input item's parts, each with its role. Reasoning is taken and not looked at."""
    if not isinstance(item, Mapping):
        raise wrong_type(place, "an object")
    match item.get("type", "message"):
        case "message":
            role = item.get("role")
            if role not in (*_SYSTEM_ROLES, "assistant", "user"):
                raise wrong_value(f"{place}.role", role, "'assistant', 'system', 'developer', and 'user'")
            yield from (_ranked(role, block) for block in _content(item.get("content"), f"{place}.content"))
        case "function_call":
            yield "assistant", _call(item.get("call_id"), item)
        case "function_call_output":
            yield "user", _result(item.get("call_id"), item.get("output"), f"{place}.output")
        case "reasoning":
            return
        case "item_reference":
            message = f"Item with id '{item.get('id')}' not found."
            raise OpenAIRefusal(message, param="input", status=404)
        case kind:
            raise wrong_value(f"{place}.type", kind, "'message', 'function_call', 'function_call_output', 'reasoning'")


def _ranked(role: str, block: Json) -> tuple[str, Json]:
    return ("system" if role in _SYSTEM_ROLES else role), block


def _content(content: Any, place: str) -> list[Json]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise wrong_type(place, "a string or an array of objects")
    blocks = [_part(part, f"{place}[{at}]") for at, part in enumerate(content)]
    return [block for block in blocks if block != {"type": "text", "text": ""}]


def _part(part: Any, place: str) -> Json:
    """Return one part as a content block."""
    if not isinstance(part, Mapping):
        raise wrong_type(place, "an object")
    if "cache_control" in part:
        param = f"{place}.cache_control"
        raise OpenAIRefusal(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return {"type": "text", "text": _string(part, "text", place)}
        case "refusal":
            return {"type": "text", "text": _string(part, "refusal", place)}
        case "image_url":
            return _media("image", _string(_object(part, "image_url"), "url", f"{place}.image_url"))
        case "input_image":
            return _media("image", _string(part, "image_url", place))
        case "file":
            return _file(_object(part, "file"), f"{place}.file")
        case "input_file":
            return _file(part, place)
        case kind:
            raise wrong_value(f"{place}.type", kind, "'text', 'image_url', 'input_text', 'input_image', 'input_file'")


def _file(holder: Json, place: str) -> Json:
    if isinstance(holder.get("file_url"), str):
        return _media("document", holder["file_url"])
    return _media("document", _string(holder, "file_data", place))


def _media(kind: str, url: str) -> Json:
    """Return a picture or document, from a data URI or by its address."""
    if not url.startswith("data:"):
        return {"type": kind, "source": {"type": "url", "url": url}}
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _call(call_id: Any, function: Json) -> Json:
    if not isinstance(call_id, str) or not isinstance(function.get("name"), str):
        raise OpenAIRefusal("A function call needs its id and its name.", code="missing_required_parameter")
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except (ValueError, TypeError, RecursionError):
        arguments = {}
    call_input = arguments if isinstance(arguments, dict) else {}
    return {"type": "tool_use", "id": call_id, "name": function["name"], "input": call_input}


def _result(call_id: Any, content: Any, place: str) -> Json:
    if not isinstance(call_id, str):
        raise OpenAIRefusal(f"Missing required parameter for '{place}': its call's id.", param=place)
    return {"type": "tool_result", "tool_use_id": call_id, "content": _content(content, place)}


def _function_tools(body: Json) -> list[Json]:
    """Return the tools that are functions; OpenAI's own tools are not simulated."""
    tools = _list(body, "tools", "") if body.get("tools") is not None else []
    for at, tool in enumerate(tools):
        if not isinstance(tool, Mapping) or not isinstance(tool.get("type"), str):
            raise OpenAIRefusal(
                f"Missing required parameter: 'tools[{at}].type'.",
                param=f"tools[{at}].type",
                code="missing_required_parameter",
            )
        if "cache_control" in tool:
            param = f"tools[{at}].cache_control"
            raise OpenAIRefusal(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    return [tool for tool in tools if tool["type"] == "function"]


def _tools(body: Json, functions: Sequence[Any]) -> dict[str, Any]:
    """Return tools and tool choice."""
    for at, function in enumerate(functions):
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise OpenAIRefusal(
                f"Missing required parameter: 'tools[{at}].name'.",
                param=f"tools[{at}].name",
                code="missing_required_parameter",
            )
    choice = body.get("tool_choice")
    if not functions:
        return {}
    tools = [
        {
            "name": function["name"],
            "description": function.get("description") or "",
            "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
        }
        for function in functions
    ]
    return {"tools": tools, "tool_choice": _tool_choice(choice, body.get("parallel_tool_calls") is not False)}


def _tool_choice(choice: Any, is_parallel: bool) -> dict[str, Any]:
    match choice:
        case None | "auto":
            chosen: dict[str, Any] = {"type": "auto"}
        case "none":
            return {"type": "none"}
        case "required":
            chosen = {"type": "any"}
        case {"type": "function", "function": {"name": name}} | {"type": "function", "name": name}:
            chosen = {"type": "tool", "name": name}
        case _:
            raise wrong_value("tool_choice", choice, "'none', 'auto', and 'required'")
    return chosen if is_parallel else {**chosen, "disable_parallel_tool_use": True}


def _thinking(model: Model, effort: Any, param: str) -> dict[str, Any]:
    """Return how hard to think: models that reason do so unless they may be told not to and nobody asks them."""
    if not model.efforts:
        if effort is not None:
            raise _unrecognized(param) if param == "reasoning_effort" else unsupported(param)
        return {}
    if effort is None:
        effort = "none" if "none" in model.efforts else "medium"
    if effort not in model.efforts:
        supported = ", ".join(f"'{one}'" for one in model.efforts)
        message = f"Unsupported value: '{effort}' is not supported with the '{model.id}' model."
        raise OpenAIRefusal(f"{message} Supported values are: {supported}.", param=param, code="unsupported_value")
    if effort == "none":
        return {}
    # The model behind knows no effort below low.
    known = "low" if effort == "minimal" else effort
    return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": known}}


def _check_effort_beside_tools(body: Json, model: Model) -> None:
    is_asked = body.get("reasoning_effort") not in (None, "none")
    if is_asked and model.efforts and model.released_on >= _TOOLS_OR_EFFORT_SINCE and _function_tools(body):
        message = f"Function tools with reasoning_effort are not supported for {model.id} in /v1/chat/completions."
        raise OpenAIRefusal(f"{message} Please use /v1/responses instead.", param="reasoning_effort")


def _output_format(asked: Json, kind: Any, schema: Any, param: str) -> dict[str, Any]:
    if kind in (None, "text"):
        return {}
    if kind == "json_object":
        schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    elif kind != "json_schema":
        raise wrong_value(f"{param}.type", kind, "'json_object', 'json_schema', and 'text'")
    if not isinstance(schema, Mapping):
        raise OpenAIRefusal(f"Missing required parameter: '{param}.schema'.", param=param)
    chosen = {"format": {"type": "json_schema", "schema": schema}}
    return {"output_config": {**asked.get("output_config", {}), **chosen}}


def _needs_the_word_json(where: str, param: str) -> OpenAIRefusal:
    message = f"'{where}' must contain the word 'json' in some form, to use '{param}' of type 'json_object'."
    return OpenAIRefusal(message, param=where)


def _unrecognized(name: str) -> OpenAIRefusal:
    """Return the 400 of chat completions for what only models that reason have; it names no parameter."""
    return OpenAIRefusal(f"Unrecognized request argument supplied: {name}")


def _missing(name: str) -> OpenAIRefusal:
    return OpenAIRefusal(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _list(holder: Json, name: str, place: str) -> list[Any]:
    if name not in holder:
        raise _missing(f"{place}{name}")
    if not isinstance(holder[name], list):
        raise wrong_type(f"{place}{name}", "an array of objects")
    return list(holder[name])


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name) or {}
    if not isinstance(value, Mapping):
        raise wrong_type(name, "an object")
    return value


def _string(holder: Json, name: str, place: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise wrong_type(f"{place}.{name}", "a string")
    return value
