"""OpenAI Responses, the dialect of ``/v3/router/responses``: requests and whole answers.

Source: OpenAI API reference, "Responses"; docs/wire.md, "Responses".
"""

from collections.abc import Mapping
from typing import Any

from providers.usage import parse_usage
from router.dialects import fates
from router.dialects.answer import Answer, provider_blocks
from router.dialects.base import ReplyContext, StreamRenderer
from router.dialects.caching import mark_block, mark_own_block
from router.dialects.conversation import Conversation, text_block, tool_result_block, tool_use_block
from router.dialects.fields import Fields
from router.dialects.media import document_block, image_block
from router.dialects.parts import Block, PartReader, read_citations, read_parts, text_reader
from router.dialects.response_object import finished_response, output_items, thinking_block
from router.dialects.responses_stream import ResponsesStream
from router.dialects.settings import Asked, FunctionTool, ToolChoice, read_effort, read_format, read_tool_choice
from router.dialects.translated import Translated
from router.dialects.usage import responses_usage

_SUMMARIES = ("auto", "concise", "detailed")


class Responses(Translated):
    """The responses dialect."""

    name = "responses"
    body_fates = fates.RESPONSES_BODY
    gateway_fields = fates.GATEWAY_FIELDS

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer of ``response.…`` events."""
        return ResponsesStream(context)

    def _read(self, request: Fields) -> Asked:
        _refuse_details(request)
        conversation = _read_conversation(request)
        reasoning, text = request.object("reasoning"), request.object("text")
        return Asked(
            conversation=conversation,
            max_tokens=request.integer("max_output_tokens"),
            tools=[_read_tool(tool) for tool in request.objects("tools")],
            tool_choice=_read_tool_choice(request),
            output_format=read_format(text.object("format") if text else None, conversation, schema_in=_itself),
            effort=read_effort(reasoning, "effort") if reasoning else None,
            effort_path="reasoning.effort",
            shows_reasoning=_wants_summary(reasoning),
        )

    def _render(self, answer: Answer, context: ReplyContext) -> dict[str, Any]:
        items = output_items(answer, context.request_id)
        usage = responses_usage(parse_usage(answer.usage), context.cost_usd)
        return finished_response(context, answer, items, usage) | provider_blocks(answer.content)


def _refuse_details(request: Fields) -> None:
    """Refuse what cannot be had within fields that are left out otherwise."""
    for name in request.strings("include"):
        if name in fates.UNAVAILABLE_INCLUDES:
            raise request.refuse("include", f"cannot name {name}: it {fates.NOT_FROM_CLAUDE}")
    if caching := request.object("prompt_cache_options"):
        fates.RESPONSES_CACHE_OPTIONS.refuse(caching)


def _wants_summary(reasoning: Fields | None) -> bool:
    if reasoning is None:
        return False
    fates.RESPONSES_REASONING.refuse(reasoning)
    asked = [reasoning.one_of(name, _SUMMARIES) for name in ("summary", "generate_summary")]
    return any(asked)


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
        conversation.add("assistant", [_read_call(item)])
    elif kind == "function_call_output":
        conversation.add("user", [_read_output(item)])
    elif kind == "reasoning":
        conversation.add("assistant", mark_own_block([thinking_block(item)], item))
    elif kind == "item_reference":
        raise item.refuse("type", "cannot be item_reference: responses are not stored here. Send the item itself.")
    else:
        raise item.refuse("type", "must be message, function_call, function_call_output or reasoning.")


def _add_message(conversation: Conversation, message: Fields) -> None:
    role = message.string("role")
    if role in ("system", "developer"):
        conversation.system += mark_own_block(read_parts(message, "content", _TEXT_PARTS), message)
    elif role == "user":
        blocks = read_parts(message, "content", _USER_PARTS)
        if not blocks:
            raise message.refuse("content", "must not be empty.")
        conversation.add("user", mark_own_block(blocks, message))
    elif role == "assistant":
        conversation.add("assistant", mark_own_block(read_parts(message, "content", _ASSISTANT_PARTS), message))
    else:
        raise message.refuse("role", "must be user, assistant, system or developer.")


def _read_call(item: Fields) -> Block:
    name, arguments = item.required_string("name"), item.string("arguments") or ""
    block = tool_use_block(item.required_string("call_id"), name, arguments, item)
    mark_block(block, item)
    return block


def _read_output(item: Fields) -> Block:
    parts = read_parts(item, "output", _USER_PARTS)
    block = tool_result_block(item.required_string("call_id"), parts, is_error=item.boolean("is_error"))
    mark_block(block, item)
    return block


def _read_image(part: Fields) -> Block:
    fates.RESPONSES_IMAGE.refuse(part)
    return image_block(part.required_string("image_url"), part.at("image_url"))


def _read_file(part: Fields) -> Block:
    fates.RESPONSES_FILE.refuse(part)
    name = "file_url" if part.get("file_data") is None and part.get("file_url") is not None else "file_data"
    block = document_block(part.required_string(name), part.at(name), title=part.string("filename"))
    return block | read_citations(part)


_TEXT_PARTS: Mapping[str, PartReader] = dict.fromkeys(
    ("input_text", "output_text", "text"), text_reader("text", fates.RESPONSES_TEXT)
)
_USER_PARTS: Mapping[str, PartReader] = {**_TEXT_PARTS, "input_image": _read_image, "input_file": _read_file}
_ASSISTANT_PARTS: Mapping[str, PartReader] = {
    **_TEXT_PARTS,
    "refusal": text_reader("refusal", fates.RESPONSES_REFUSAL),
}


def _read_tool(tool: Fields) -> FunctionTool:
    if tool.get("type") != "function":
        raise tool.refuse("type", "must be function; other kinds of tools are not offered here.")
    fates.RESPONSES_TOOL.refuse(tool)
    return FunctionTool(tool, tool)


def _read_tool_choice(request: Fields) -> ToolChoice | None:
    def name_of(fields: Fields) -> str:
        return fields.required_string("name")

    return read_tool_choice(request, name_of=name_of, allowed_in=_itself)


def _itself(fields: Fields) -> Fields:
    return fields
