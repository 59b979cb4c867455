"""OpenAI Chat Completions, the dialect of ``/v3/router/chat/completions``: requests and whole answers.

Source: OpenAI API reference, "Chat"; docs/wire.md, "Chat completions".
"""

from collections.abc import Mapping
from typing import Any

from providers.usage import parse_usage
from router.dialects import fates
from router.dialects.answer import Answer, provider_blocks, tool_arguments
from router.dialects.base import ReplyContext, StreamRenderer
from router.dialects.caching import mark_block, mark_own_block
from router.dialects.chat_stream import ChatStream, finish_reason
from router.dialects.citations import chat_fields, cited_stretches
from router.dialects.conversation import Conversation, text_block, tool_result_block, tool_use_block
from router.dialects.fields import Fields
from router.dialects.media import document_block, image_block
from router.dialects.parts import Block, PartReader, read_citations, read_parts, text_reader
from router.dialects.reasoning import KINDS, interleave, message_reasoning, reasoning_block, reasoning_fields
from router.dialects.settings import Asked, FunctionTool, ToolChoice, read_effort, read_format, read_tool_choice
from router.dialects.translated import Translated
from router.dialects.usage import chat_usage


class Chat(Translated):
    """The chat dialect."""

    name = "chat"
    body_fates = fates.CHAT_BODY
    gateway_fields = fates.GATEWAY_FIELDS

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer of ``chat.completion.chunk`` events."""
        return ChatStream(context)

    def _read(self, request: Fields) -> Asked:
        conversation = _read_conversation(request)
        response_format = request.object("response_format")
        return Asked(
            conversation=conversation,
            max_tokens=request.integer("max_completion_tokens") or request.integer("max_tokens"),
            tools=[_read_tool(tool) for tool in request.objects("tools")],
            tool_choice=_read_tool_choice(request),
            output_format=read_format(response_format, conversation, schema_in=_schema_in),
            effort=read_effort(request, "reasoning_effort"),
            effort_path="reasoning_effort",
        )

    def _render(self, answer: Answer, context: ReplyContext) -> dict[str, Any]:
        choice = {
            "index": 0,
            "finish_reason": finish_reason(answer.stop_reason),
            "message": _render_message(answer),
            "logprobs": None,
            **answer.as_told(),
        }
        return {
            "id": f"chatcmpl-{context.request_id}",
            "object": "chat.completion",
            "created": context.created,
            "model": context.model,
            "system_fingerprint": None,
            "choices": [choice],
            "usage": chat_usage(parse_usage(answer.usage), context.cost_usd),
        }


def _read_conversation(request: Fields) -> Conversation:
    conversation = Conversation()
    for message in request.objects("messages"):
        _add_message(conversation, message)
    if not conversation.messages:
        raise request.refuse("messages", "needs at least one message of the user.")
    return conversation


def _add_message(conversation: Conversation, message: Fields) -> None:
    role = message.string("role")
    if role in ("system", "developer"):
        conversation.system += mark_own_block(read_parts(message, "content", _SYSTEM_PARTS), message)
    elif role == "user":
        conversation.add("user", mark_own_block(_read_user(message), message))
    elif role == "assistant":
        conversation.add("assistant", mark_own_block(_read_assistant(message), message))
    elif role == "tool":
        parts = read_parts(message, "content", _USER_PARTS)
        call_id, is_error = message.required_string("tool_call_id"), message.boolean("is_error")
        conversation.add("user", mark_own_block([tool_result_block(call_id, parts, is_error=is_error)], message))
    else:
        raise message.refuse("role", "must be system, developer, user, assistant or tool.")


def _read_user(message: Fields) -> list[Block]:
    blocks = read_parts(message, "content", _USER_PARTS)
    if not blocks:
        raise message.refuse("content", "must not be empty.")
    return blocks


def _read_assistant(message: Fields) -> list[Block]:
    fates.CHAT_ASSISTANT.refuse(message)
    blocks = _read_said(message)
    if not blocks and (refusal := message.string("refusal")):
        blocks.append(text_block(refusal))
    return [*blocks, *(_read_call(call) for call in message.objects("tool_calls"))]


def _read_said(message: Fields) -> list[Block]:
    """Return an assistant's texts and its reasoning, which its content may hold, or fields beside it."""
    content, parts = message.get("content"), message.objects("reasoning_parts")
    if parts and (content is None or isinstance(content, str)):
        return interleave(parts, content or "")
    blocks = read_parts(message, "content", _ASSISTANT_PARTS)
    if any(block["type"] in KINDS for block in blocks):
        return blocks
    return [*(map(reasoning_block, parts) if parts else message_reasoning(message)), *blocks]


def _read_call(call: Fields) -> Block:
    if call.get("type") not in (None, "function"):
        raise call.refuse("type", "must be function.")
    function = call.required_object("function")
    name, arguments = function.required_string("name"), function.string("arguments") or ""
    block = tool_use_block(call.required_string("id"), name, arguments, function)
    mark_block(block, call)
    return block


def _read_image(part: Fields) -> Block:
    image = part.required_object("image_url")
    return image_block(image.required_string("url"), image.at("url"))


def _read_document(part: Fields) -> Block:
    document = part.required_object("document")
    document.one_of("type", ("pdf",))
    block = document_block(document.required_string("url"), document.at("url"), title=document.string("filename"))
    return block | read_citations(part)


def _read_file(part: Fields) -> Block:
    file = part.required_object("file")
    fates.CHAT_FILE.refuse(file)
    name = "uri" if file.get("file_data") is None and file.get("uri") is not None else "file_data"
    media_type = file.string("mimeType") or file.string("mime_type")
    block = document_block(
        file.required_string(name), file.at(name), media_type=media_type, title=file.string("filename")
    )
    return block | read_citations(part)


_SYSTEM_PARTS: Mapping[str, PartReader] = {"text": text_reader("text", fates.CHAT_TEXT)}
_USER_PARTS: Mapping[str, PartReader] = {
    **_SYSTEM_PARTS,
    "image_url": _read_image,
    "document": _read_document,
    "file": _read_file,
}
_ASSISTANT_PARTS: Mapping[str, PartReader] = {
    **_SYSTEM_PARTS,
    "refusal": text_reader("refusal", fates.CHAT_REFUSAL),
    "reasoning": reasoning_block,
    "redacted_reasoning": reasoning_block,
}


def _read_tool(tool: Fields) -> FunctionTool:
    if tool.get("type") != "function":
        raise tool.refuse("type", "must be function; other kinds of tools are not offered here.")
    return FunctionTool(tool.required_object("function"), tool)


def _read_tool_choice(request: Fields) -> ToolChoice | None:
    def name_of(fields: Fields) -> str:
        return fields.required_object("function").required_string("name")

    def allowed_in(fields: Fields) -> Fields:
        return fields.required_object("allowed_tools")

    return read_tool_choice(request, name_of=name_of, allowed_in=allowed_in)


def _schema_in(response_format: Fields) -> Fields:
    return response_format.required_object("json_schema")


def _render_message(answer: Answer) -> dict[str, Any]:
    content = answer.content
    texts = [block for block in content if block.get("type") == "text"]
    calls = [_render_call(block) for block in content if block.get("type") == "tool_use"]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(block["text"] for block in texts) if texts or not calls else None,
        "refusal": answer.refusal,
        **reasoning_fields(content),
        **chat_fields(cited_stretches(texts)),
        **provider_blocks(content),
    }
    if calls:
        message["tool_calls"] = calls
    return message


def _render_call(block: Block) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": tool_arguments(block)}
    return {"id": block["id"], "type": "function", "function": function}
