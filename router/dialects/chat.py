"""OpenAI Chat Completions, the dialect of ``/v3/router/chat/completions``: requests and whole answers.

Source: OpenAI API reference, "Chat"; docs/wire.md, "Chat completions".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import UnreadableAnswer
from providers.usage import parse_usage
from router.dialects import envelope
from router.dialects.answer import UNREADABLE, parse_answer, tool_arguments
from router.dialects.base import ModelFacts, ParsedRequest, ReplyContext, StreamRenderer
from router.dialects.caching import mark_own_block, read_cache_control
from router.dialects.chat_stream import ChatStream, finish_reason
from router.dialects.conversation import Conversation, text_block, tool_result_block, tool_use_block
from router.dialects.fields import Fields
from router.dialects.media import document_block, image_block
from router.dialects.options import parse_request
from router.dialects.reasoning import KINDS, message_reasoning, reasoning_block, reasoning_fields
from router.dialects.settings import (
    FunctionTool,
    ToolChoice,
    build_body,
    read_effort,
    refuse_unsupported,
    require_the_word_json,
)
from router.dialects.usage import chat_usage

_REFUSALS = (
    ("n", 1, "must be 1: Claude gives one answer per request."),
    ("logprobs", False, "cannot be had from Claude."),
    ("top_logprobs", 0, "cannot be had from Claude."),
    ("modalities", ["text"], "can only be text."),
    ("audio", None, "cannot be had from Claude."),
    ("functions", None, "is the old form; send the functions as tools."),
    ("function_call", None, "is the old form; send it as tool_choice."),
    ("web_search_options", None, "is not offered here."),
)
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


class Chat:
    """The chat dialect."""

    name = "chat"
    render_error = staticmethod(envelope.render_error)

    def parse(self, raw: bytes) -> ParsedRequest:
        """Return the request in ``raw``. See ``Dialect.parse``."""
        return parse_request(raw)

    def to_messages(self, parsed: ParsedRequest, facts: ModelFacts) -> dict[str, Any]:
        """Return the Messages body for a chat request. See ``Dialect.to_messages``."""
        request = Fields(parsed.body)
        refuse_unsupported(request, _REFUSALS)
        conversation = _read_conversation(request)
        return build_body(
            request,
            conversation,
            facts,
            max_tokens=request.integer("max_completion_tokens") or request.integer("max_tokens"),
            tools=[_read_tool(tool) for tool in request.objects("tools")],
            tool_choice=_read_tool_choice(request),
            output_format=_read_format(request, conversation),
            effort=read_effort(request, "reasoning_effort"),
            effort_path="reasoning_effort",
        )

    def render_answer(self, answer: bytes | Mapping[str, Any], context: ReplyContext) -> bytes:
        """Return the chat completion for a Messages answer. See ``Dialect.render_answer``."""
        message = parse_answer(answer)
        try:
            rendered = _render_message(message.content)
        except (KeyError, TypeError):
            raise UnreadableAnswer(UNREADABLE) from None
        finish = finish_reason(message.stop_reason)
        choice = {"index": 0, "finish_reason": finish, "message": rendered, "logprobs": None}
        completion = {
            "id": f"chatcmpl-{context.request_id}",
            "object": "chat.completion",
            "created": context.created,
            "model": context.model,
            "system_fingerprint": None,
            "choices": [choice],
            "usage": chat_usage(parse_usage(message.usage), context.cost_usd),
        }
        return msgspec.json.encode(completion)

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer of ``chat.completion.chunk`` events."""
        return ChatStream(context)


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
        conversation.system += mark_own_block(_read_parts(message, _TEXT_ONLY), message)
    elif role == "user":
        conversation.add("user", mark_own_block(_need_content(message, _read_parts(message, _USER_PARTS)), message))
    elif role == "assistant":
        conversation.add("assistant", mark_own_block(_read_assistant(message), message))
    elif role == "tool":
        result = tool_result_block(message.required_string("tool_call_id"), _read_parts(message, _USER_PARTS))
        conversation.add("user", mark_own_block([result], message))
    else:
        raise message.refuse("role", "must be system, developer, user, assistant or tool.")


def _need_content(message: Fields, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not blocks:
        raise message.refuse("content", "must not be empty.")
    return blocks


def _read_assistant(message: Fields) -> list[dict[str, Any]]:
    blocks = _read_parts(message, _ASSISTANT_PARTS)
    if not any(block["type"] in KINDS for block in blocks):
        blocks = message_reasoning(message) + blocks
    if not blocks and (refusal := message.string("refusal")):
        blocks.append(text_block(refusal))
    for call in message.objects("tool_calls"):
        if call.get("type") not in (None, "function"):
            raise call.refuse("type", "must be function.")
        function = call.required_object("function")
        use = tool_use_block(
            call.required_string("id"),
            function.required_string("name"),
            function.string("arguments") or "",
            function,
        )
        blocks.append(use | read_cache_control(call))
    return blocks


_TEXT_ONLY = frozenset({"text"})
_USER_PARTS = frozenset({"text", "image_url", "document", "file"})
_ASSISTANT_PARTS = frozenset({"text", "refusal", "reasoning", "redacted_reasoning"})


def _read_parts(message: Fields, allowed: frozenset[str]) -> list[dict[str, Any]]:
    """Return the blocks of a ``content``, a string or parts. Empty texts are left out, for Claude refuses them."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return [text_block(content)] if content else []
    blocks = []
    for part in message.objects("content"):
        kind = part.string("type") or ""
        if kind not in allowed:
            raise part.refuse("type", f"must be one of {', '.join(sorted(allowed))} in a message of this role.")
        block = _read_part(part, kind)
        if block is not None:
            blocks.append(block | read_cache_control(part))
    return blocks


def _read_part(part: Fields, kind: str) -> dict[str, Any] | None:
    if kind in ("text", "refusal"):
        text = part.string(kind)
        return text_block(text) if text else None
    if kind == "image_url":
        image = part.required_object("image_url")
        return image_block(image.required_string("url"), image.at("url"))
    if kind == "document":
        return _read_document(part.required_object("document"))
    if kind == "file":
        return _read_file(part.required_object("file"))
    return reasoning_block(part)


def _read_document(document: Fields) -> dict[str, Any]:
    document.one_of("type", ("pdf",))
    return document_block(document.required_string("url"), document.at("url"), title=document.string("filename"))


def _read_file(file: Fields) -> dict[str, Any]:
    if file.get("file_id") is not None:
        raise file.refuse("file_id", "cannot be used: no files are stored here. Send file_data or uri.")
    name = "uri" if file.get("file_data") is None and file.get("uri") is not None else "file_data"
    media_type = file.string("mimeType") or file.string("mime_type")
    return document_block(
        file.required_string(name), file.at(name), media_type=media_type, title=file.string("filename")
    )


def _read_tool(tool: Fields) -> FunctionTool:
    if tool.get("type") != "function":
        raise tool.refuse("type", "must be function; other kinds of tools are not offered here.")
    return FunctionTool(tool.required_object("function"), tool)


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
        return ToolChoice("tool", fields.required_object("function").required_string("name"))
    if fields.get("type") == "allowed_tools":
        allowed = fields.required_object("allowed_tools")
        names = [tool.required_object("function").required_string("name") for tool in allowed.objects("tools")]
        mode = allowed.one_of("mode", ("auto", "required")) or "auto"
        return ToolChoice(_TOOL_CHOICES[mode], allowed=frozenset(names))
    raise fields.refuse("type", "must be function or allowed_tools.")


def _read_format(request: Fields, conversation: Conversation) -> Fields | None:
    """Return the schema's object, if the answer must follow one."""
    response_format = request.object("response_format")
    if response_format is None:
        return None
    kind = response_format.one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_schema":
        return response_format.required_object("json_schema")
    if kind == "json_object":
        require_the_word_json(conversation, response_format.at("type"))
    return None


def _render_message(content: list[dict[str, Any]]) -> dict[str, Any]:
    texts = [block["text"] for block in content if block.get("type") == "text"]
    calls = [_render_call(block) for block in content if block.get("type") == "tool_use"]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts or not calls else None,
        "refusal": None,
        **reasoning_fields(content),
    }
    if calls:
        message["tool_calls"] = calls
    return message


def _render_call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": tool_arguments(block)}
    return {"id": block["id"], "type": "function", "function": function}
