"""OpenAI Responses, the dialect of ``/v3/router/responses``: requests and whole answers.

Source: OpenAI API reference, "Responses"; docs/wire.md, "Responses".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import UnreadableAnswer
from providers.usage import parse_usage
from router.dialects import envelope
from router.dialects.answer import UNREADABLE, parse_answer
from router.dialects.base import ModelFacts, ParsedRequest, ReplyContext, StreamRenderer
from router.dialects.caching import mark_own_block, read_cache_control
from router.dialects.conversation import Conversation, text_block, tool_result_block, tool_use_block
from router.dialects.fields import Fields
from router.dialects.media import document_block, image_block
from router.dialects.options import parse_request
from router.dialects.response_object import finished_response, output_items, thinking_block
from router.dialects.responses_stream import ResponsesStream
from router.dialects.settings import (
    FunctionTool,
    ToolChoice,
    build_body,
    read_effort,
    refuse_unsupported,
    require_the_word_json,
)
from router.dialects.usage import responses_usage

_REFUSALS = (
    ("previous_response_id", None, "cannot be used: responses are not stored here. Send the conversation as input."),
    ("conversation", None, "cannot be used: conversations are not stored here. Send the conversation as input."),
    ("background", False, "must be false: responses are not stored here."),
    ("prompt", None, "cannot be used: there are no stored prompts here."),
    ("top_logprobs", 0, "cannot be had from Claude."),
    ("modalities", ["text"], "can only be text."),
)
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_TEXT_PARTS = frozenset({"input_text", "output_text", "text"})
_USER_PARTS = _TEXT_PARTS | {"input_image", "input_file"}
_ASSISTANT_PARTS = _TEXT_PARTS | {"refusal"}


class Responses:
    """The responses dialect."""

    name = "responses"
    render_error = staticmethod(envelope.render_error)

    def parse(self, raw: bytes) -> ParsedRequest:
        """Return the request in ``raw``. See ``Dialect.parse``."""
        return parse_request(raw)

    def to_messages(self, parsed: ParsedRequest, facts: ModelFacts) -> dict[str, Any]:
        """Return the Messages body for a responses request. See ``Dialect.to_messages``."""
        request = Fields(parsed.body)
        refuse_unsupported(request, _REFUSALS)
        conversation = _read_conversation(request)
        reasoning = request.object("reasoning")
        return build_body(
            request,
            conversation,
            facts,
            max_tokens=request.integer("max_output_tokens"),
            tools=[_read_tool(tool) for tool in request.objects("tools")],
            tool_choice=_read_tool_choice(request),
            output_format=_read_format(request, conversation),
            effort=read_effort(reasoning, "effort") if reasoning else None,
            effort_path="reasoning.effort",
        )

    def render_answer(self, answer: bytes | Mapping[str, Any], context: ReplyContext) -> bytes:
        """Return the response object for a Messages answer. See ``Dialect.render_answer``."""
        message = parse_answer(answer)
        try:
            items = output_items(message, context.request_id)
        except (KeyError, TypeError):
            raise UnreadableAnswer(UNREADABLE) from None
        usage = responses_usage(parse_usage(message.usage), context.cost_usd)
        return msgspec.json.encode(finished_response(context, message.stop_reason, items, usage))

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer of ``response.…`` events."""
        return ResponsesStream(context)


def _read_conversation(request: Fields) -> Conversation:
    conversation = Conversation()
    if instructions := request.string("instructions"):
        conversation.system.append(text_block(instructions))
    given = request.get("input")
    if isinstance(given, str):
        conversation.add("user", [text_block(given)] if given else [])
    else:
        for item in request.objects("input"):
            _add_item(conversation, item)
    if not conversation.messages:
        raise request.refuse("input", "must be a text or items, with at least one message of the user.")
    return conversation


def _add_item(conversation: Conversation, item: Fields) -> None:
    kind = item.string("type") or "message"
    if kind == "message":
        _add_message(conversation, item)
    elif kind == "function_call":
        name, arguments = item.required_string("name"), item.string("arguments") or ""
        call = tool_use_block(item.required_string("call_id"), name, arguments, item)
        conversation.add("assistant", [call | read_cache_control(item)])
    elif kind == "function_call_output":
        result = tool_result_block(item.required_string("call_id"), _read_parts(item, "output", _USER_PARTS))
        conversation.add("user", [result | read_cache_control(item)])
    elif kind == "reasoning":
        conversation.add("assistant", [thinking_block(item)])
    elif kind == "item_reference":
        raise item.refuse("type", "cannot be item_reference: responses are not stored here. Send the item itself.")
    else:
        raise item.refuse("type", "must be message, function_call, function_call_output or reasoning.")


def _add_message(conversation: Conversation, message: Fields) -> None:
    role = message.string("role")
    if role in ("system", "developer"):
        conversation.system += mark_own_block(_read_parts(message, "content", _TEXT_PARTS), message)
    elif role == "user":
        blocks = _read_parts(message, "content", _USER_PARTS)
        if not blocks:
            raise message.refuse("content", "must not be empty.")
        conversation.add("user", mark_own_block(blocks, message))
    elif role == "assistant":
        conversation.add("assistant", mark_own_block(_read_parts(message, "content", _ASSISTANT_PARTS), message))
    else:
        raise message.refuse("role", "must be user, assistant, system or developer.")


def _read_parts(holder: Fields, name: str, allowed: frozenset[str]) -> list[dict[str, Any]]:
    """Return the blocks of a text or an array of parts. Empty texts are left out, for Claude refuses them."""
    content = holder.get(name)
    if content is None or isinstance(content, str):
        return [text_block(content)] if content else []
    blocks = []
    for part in holder.objects(name):
        kind = part.string("type") or ""
        if kind not in allowed:
            raise part.refuse("type", f"must be one of {', '.join(sorted(allowed))} here.")
        block = _read_part(part, kind)
        if block is not None:
            blocks.append(block | read_cache_control(part))
    return blocks


def _read_part(part: Fields, kind: str) -> dict[str, Any] | None:
    if part.get("file_id") is not None:
        raise part.refuse("file_id", "cannot be used: no files are stored here. Send the data or a URL.")
    if kind == "input_image":
        return image_block(part.required_string("image_url"), part.at("image_url"))
    if kind == "input_file":
        name = "file_url" if part.get("file_data") is None and part.get("file_url") is not None else "file_data"
        return document_block(part.required_string(name), part.at(name), title=part.string("filename"))
    text = part.string("refusal" if kind == "refusal" else "text")
    return text_block(text) if text else None


def _read_tool(tool: Fields) -> FunctionTool:
    if tool.get("type") != "function":
        raise tool.refuse("type", "must be function; other kinds of tools are not offered here.")
    return FunctionTool(tool, tool)


def _read_tool_choice(request: Fields) -> ToolChoice | None:
    choice = request.get("tool_choice")
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise request.refuse("tool_choice", "must be auto, none, required or name a function.")
        return ToolChoice(_TOOL_CHOICES[choice])
    fields = request.required_object("tool_choice")
    if fields.get("type") == "function":
        return ToolChoice("tool", fields.required_string("name"))
    if fields.get("type") == "allowed_tools":
        mode = fields.one_of("mode", ("auto", "required")) or "auto"
        names = frozenset(tool.required_string("name") for tool in fields.objects("tools"))
        return ToolChoice(_TOOL_CHOICES[mode], allowed=names)
    raise fields.refuse("type", "must be function or allowed_tools.")


def _read_format(request: Fields, conversation: Conversation) -> Fields | None:
    """Return the object that holds the schema, if the answer must follow one."""
    text = request.object("text")
    text_format = text.object("format") if text else None
    if text_format is None:
        return None
    kind = text_format.one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_object":
        require_the_word_json(conversation, text_format.at("type"))
    return text_format if kind == "json_schema" else None
