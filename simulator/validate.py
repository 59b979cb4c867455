"""What the provider refuses before a model sees it, in its own order and words.

Source: Anthropic API reference, "Messages"; wording as recorded from the live service where a recording shows it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.citing import check_citations
from simulator.errors import ApiError, invalid
from simulator.models import Model
from simulator.schemas import is_schema
from simulator.signing import is_intact, is_own_signature, sign

MINIMUM_THINKING_TOKENS = 1_024
EFFORTS = ("low", "medium", "high", "xhigh", "max")
# What a model that takes no sampling lets pass.
_DEFAULT_SAMPLING = {"temperature": 1, "top_p": 1, "top_k": None}
_TOOL_CHOICES = ("any", "auto", "none", "tool")
_THINKING_BLOCKS = ("thinking", "redacted_thinking")
# The fields that each block must carry, with their types; other blocks are let through as they are.
_BLOCK_FIELDS: Mapping[str, Mapping[str, type]] = {
    "text": {"text": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "search_result": {"source": str, "title": str, "content": list},
}
# Those that it may carry, with theirs.
_OPTIONAL_FIELDS: Mapping[str, Mapping[str, type]] = {
    "document": {"title": str, "context": str, "citations": dict},
    "search_result": {"citations": dict},
}
_SOURCE_FIELDS: Mapping[str, Mapping[str, type]] = {
    "base64": {"media_type": str, "data": str},
    "url": {"url": str},
    "text": {"data": str},
    "file": {"file_id": str},
}
_TYPE_NAMES = {str: "string", dict: "dictionary", list: "list", int: "integer", bool: "boolean"}


def find_model(models: Mapping[str, Model], body: Mapping[str, Any]) -> Model:
    """Return the model a request names. Raises ApiError: 400 without a name, 404 for an unknown one."""
    name = _need(body, "model", str)
    if name not in models:
        raise ApiError(404, "not_found_error", f"model: {name}", {"x-should-retry": "false"})
    return models[name]


def check_message(body: Mapping[str, Any], model: Model) -> None:
    """Raise ApiError 400 unless ``body`` is a request that ``model`` would answer."""
    max_tokens = _need(body, "max_tokens", int)
    if max_tokens < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if max_tokens > model.max_output_tokens:
        raise invalid(
            f"max_tokens: {max_tokens} > {model.max_output_tokens}, which is the maximum allowed number of output "
            f"tokens for {model.id}"
        )
    check_prompt(body)
    if not model.forces_tools and _forces_a_tool(body):
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
    _check_output(body, model)
    check_citations(body)
    _check_stop_sequences(body)
    _check_sampling(body, model)
    _check_thinking(body, model)


def check_prompt(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 unless messages, system and tools have the shape that counting tokens needs."""
    messages = _need(body, "messages", list)
    if not messages:
        raise invalid("messages: at least one message is required")
    _check_cache_control(body, "")
    _check_system(body)
    _check_tools(body)
    for at, message in enumerate(messages):
        _check_single_message(message, at)
    _check_tool_results(messages)


def _check_system(body: Mapping[str, Any]) -> None:
    system = body.get("system")
    if isinstance(system, str | None):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid list")
    for number, block in enumerate(system):
        _check_block(block, f"system.{number}")


def _check_tools(body: Mapping[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        if body.get("tool_choice") is not None:
            raise invalid("tool_choice: tool_choice may only be specified while providing tools")
        return
    if not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    names = []
    for number, tool in enumerate(tools):
        place = f"tools.{number}"
        _check_is_object(tool, place)
        _check_cache_control(tool, f"{place}.")
        if tool.get("type") in (None, "custom"):
            names.append(_need(tool, "name", str, f"{place}.custom."))
            _check_schema(_need(tool, "input_schema", dict, f"{place}.custom."), f"{place}.custom.input_schema")
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    _check_is_object(choice, "tool_choice")
    if choice.get("type") not in _TOOL_CHOICES:
        raise invalid(
            f"tool_choice: Input tag '{choice.get('type')}' found using 'type' does not match any of the expected "
            f"tags: {', '.join(map(repr, _TOOL_CHOICES))}"
        )
    if choice["type"] == "tool" and choice.get("name") not in [tool.get("name") for tool in tools]:
        raise invalid(f"tool_choice.tool.name: Tool '{choice.get('name')}' not found in provided tools")


def _forces_a_tool(body: Mapping[str, Any]) -> bool:
    return (body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _check_schema(schema: Any, place: str) -> None:
    if not is_schema(schema):
        raise invalid(
            f"{place}: JSON schema is invalid. It must match JSON Schema draft 2020-12 "
            "(https://json-schema.org/draft/2020-12)."
        )


def _check_output(body: Mapping[str, Any], model: Model) -> None:
    config = body.get("output_config")
    if config is None:
        return
    _check_is_object(config, "output_config")
    effort = config.get("effort")
    if effort not in (None, *EFFORTS):
        raise invalid(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort is not None and not model.efforts:
        raise invalid("This model does not support the effort parameter.")
    if effort not in (None, *model.efforts):
        supported = ", ".join(sorted(model.efforts))
        raise invalid(f"This model does not support effort level '{effort}'. Supported levels: {supported}.")
    chosen = config.get("format")
    if chosen is None:
        return
    _check_is_object(chosen, "output_config.format")
    if chosen.get("type") != "json_schema":
        raise invalid("output_config.format.type: Input should be 'json_schema'")
    _check_schema(_need(chosen, "schema", dict, "output_config.format."), "output_config.format.schema")


def _check_stop_sequences(body: Mapping[str, Any]) -> None:
    stops = body.get("stop_sequences")
    if stops is None:
        return
    if not isinstance(stops, list):
        raise invalid("stop_sequences: Input should be a valid list")
    for number, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise invalid(f"stop_sequences.{number}: Input should be a valid string")
        if not stop.strip():
            raise invalid(f"stop_sequences.{number}: each stop sequence must contain non-whitespace")


def _check_single_message(message: Any, at: int) -> None:
    place = f"messages.{at}"
    _check_is_object(message, place)
    role = _need(message, "role", str, f"{place}.")
    if role == "system":
        raise invalid(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
            "as an input message role."
        )
    if role not in ("user", "assistant"):
        raise invalid(f"{place}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    if content is None:
        raise invalid(f"{place}.content: Field required")
    if isinstance(content, str):
        if not content:
            raise invalid(f"{place}: user messages must have non-empty content")
        return
    if not isinstance(content, list):
        raise invalid(f"{place}.content: Input should be a valid list")
    for number, block in enumerate(content):
        _check_block(block, f"{place}.content.{number}")


def _check_block(block: Any, place: str) -> None:
    _check_is_object(block, place)
    kind = _need(block, "type", str, f"{place}.")
    for name, wanted in _BLOCK_FIELDS.get(kind, {}).items():
        _need(block, name, wanted, f"{place}.{kind}.")
    for name, wanted in _OPTIONAL_FIELDS.get(kind, {}).items():
        if block.get(name) is not None:
            _need(block, name, wanted, f"{place}.{kind}.")
    _check_cache_control(block, f"{place}.")
    if kind == "text" and not block["text"]:
        if block.get("cache_control"):
            raise invalid(f"{place}.text: cache_control cannot be set for empty text blocks")
        raise invalid("messages: text content blocks must be non-empty")
    if kind in _THINKING_BLOCKS and "cache_control" in block:
        raise invalid(f"{place}.{kind}.cache_control: Extra inputs are not permitted")
    if kind in _THINKING_BLOCKS:
        _check_signature(block, place)
    if kind == "search_result":
        _check_result_content(block["content"], f"{place}.search_result.content")
    if kind in ("image", "document"):
        _check_source(block["source"], f"{place}.{kind}.source")
    if kind == "tool_result":
        _check_result_content(block.get("content"), f"{place}.tool_result.content")


def _check_source(source: Mapping[str, Any], place: str) -> None:
    kind = _need(source, "type", str, f"{place}.")
    for name, wanted in _SOURCE_FIELDS.get(kind, {}).items():
        _need(source, name, wanted, f"{place}.{kind}.")
    if kind == "url" and not source["url"].startswith(("https://", "http://")):
        raise invalid(f"{place}: Only HTTPS URLs are supported.")
    if kind == "content":
        if source.get("content") is None:
            raise invalid(f"{place}.content.content: Field required")
        _check_result_content(source.get("content"), f"{place}.content.content")


def _check_result_content(content: Any, place: str) -> None:
    if isinstance(content, str | None):
        return
    if not isinstance(content, list):
        raise invalid(f"{place}: Input should be a valid list")
    for number, block in enumerate(content):
        _check_block(block, f"{place}.{number}")


def _check_signature(block: Mapping[str, Any], place: str) -> None:
    """Refuse thinking that was changed after it was signed here; other signatures cannot be judged."""
    kind, field = block["type"], "signature" if block["type"] == "thinking" else "data"
    signature, thought = block[field], str(block.get("thinking", ""))
    is_changed = bool(thought) and signature != sign(thought)
    is_forged = is_own_signature(signature) and (is_changed or not is_intact(signature))
    if not signature or is_forged:
        raise invalid(f"{place}: Invalid `{field}` in `{kind}` block")


def _check_cache_control(holder: Mapping[str, Any], place: str) -> None:
    cache_control = holder.get("cache_control")
    if cache_control is None:
        return
    _check_is_object(cache_control, f"{place}cache_control")
    if cache_control.get("type") != "ephemeral":
        raise invalid(f"{place}cache_control.type: Input should be 'ephemeral'")
    if cache_control.get("ttl", "5m") not in ("5m", "1h"):
        raise invalid(f"{place}cache_control.ephemeral.ttl: Input should be '5m' or '1h'")


def _check_tool_results(messages: Sequence[Mapping[str, Any]]) -> None:
    """Each call must be answered in the very next message, and each answer belong to a call."""
    open_calls: list[str] = []
    for at, message in enumerate(messages):
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        missing = [call for call in open_calls if call not in answered]
        if missing:
            raise invalid(
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        for call in answered:
            if call not in open_calls:
                raise invalid(
                    f"messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]


def _check_sampling(body: Mapping[str, Any], model: Model) -> None:
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise invalid(f"{name}: range: 0..1")
    if not model.takes_sampling:
        for name, default in _DEFAULT_SAMPLING.items():
            if body.get(name) not in (None, default):
                raise invalid(f"`{name}` is deprecated for this model.")
        return
    if model.refuses_temperature_with_top_p and body.get("temperature") is not None and body.get("top_p") is not None:
        raise invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_thinking(body: Mapping[str, Any], model: Model) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    _check_is_object(thinking, "thinking")
    match thinking.get("type"):
        case "disabled" | "between_tools" as kind:
            _check_thinking_off(body, kind, model)
            return
        case "adaptive":
            if not model.has_adaptive_thinking:
                raise invalid("adaptive thinking is not supported on this model")
        case "enabled":
            _check_manual_thinking(body, thinking, model)
        case kind:
            raise invalid(
                f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                "'adaptive', 'between_tools', 'disabled', 'enabled'"
            )
    if body.get("temperature") not in (None, 1):
        raise invalid("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")


def _check_thinking_off(body: Mapping[str, Any], kind: str, model: Model) -> None:
    if kind != model.thinking_off:
        if model.thinking_off == "between_tools":
            raise invalid(
                'To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": '
                f'"{kind}"}}.'
            )
        raise invalid(
            f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    effort, most = (body.get("output_config") or {}).get("effort"), model.thinking_off_up_to
    if effort and most and EFFORTS.index(effort) > EFFORTS.index(most):
        raise invalid(f"\"thinking.type.{kind}\" is not supported at effort '{effort}', only up to '{most}'.")


def _check_manual_thinking(body: Mapping[str, Any], thinking: Mapping[str, Any], model: Model) -> None:
    if not model.has_manual_thinking:
        if model.has_adaptive_thinking:
            raise invalid(
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
        raise invalid(f"'{model.id}' does not support thinking.")
    budget = _need(thinking, "budget_tokens", int, "thinking.enabled.")
    if budget < MINIMUM_THINKING_TOKENS:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= body["max_tokens"]:
        raise invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at "
            "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
        )
    if _forces_a_tool(body):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    _check_thinking_is_replayed(body["messages"])


def _check_thinking_is_replayed(messages: Sequence[Mapping[str, Any]]) -> None:
    """A turn that goes on with tool results must begin with the thinking that led to the calls."""
    if len(messages) < 2 or messages[-2]["role"] != "assistant":
        return
    brought, begun = (message["content"] for message in (messages[-1], messages[-2]))
    is_going_on = isinstance(brought, list) and any(block["type"] == "tool_result" for block in brought)
    if is_going_on and isinstance(begun, list) and begun[0]["type"] not in _THINKING_BLOCKS:
        raise invalid(
            f"messages.{len(messages) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{begun[0]['type']}`. When `thinking` is enabled, a final `assistant` message must start with a thinking "
            "block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We recommend you include "
            "thinking blocks from previous turns. To avoid this requirement, disable `thinking`. Please consult our "
            "documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
        )


def _check_is_object(value: Any, place: str) -> None:
    if not isinstance(value, dict):
        raise invalid(f"{place}: Input should be a valid dictionary")


def _need(holder: Mapping[str, Any], name: str, wanted: type, place: str = "") -> Any:
    """Return a field that must be there and of its type."""
    if name not in holder:
        raise invalid(f"{place}{name}: Field required")
    value = holder[name]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise invalid(f"{place}{name}: Input should be a valid {_TYPE_NAMES[wanted]}")
    return value
