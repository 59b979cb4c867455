"""Messages requests into chat completions, for servers that speak only OpenAI's language.

What becomes of each field stands in TRANSLATION_RULES, which docs/compatibility.md shows.
Source: OpenAI API reference, "Create chat completion"; Anthropic API reference, "Messages", version 2023-06-01.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from providers.base import ModelCall, ModelTraits, NotTranslatable
from providers.messages_body import (
    Base64Source,
    Block,
    ContentSource,
    Document,
    Image,
    Message,
    MessagesBody,
    OutputFormat,
    RedactedThinking,
    Text,
    TextSource,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    UrlSource,
    read_messages_body,
)

TRANSLATION_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("`system`", "a `system` message; several blocks are one text, a blank line between them"),
    ("text blocks", "`content`; neighbouring ones are one text, of the user's with a blank line between them"),
    ("empty text blocks", "left out, and so is a turn that is empty without them"),
    ("`image`", "`image_url`: base64 as a data URI, or the URL"),
    ("`document` of base64 PDF", "`file` with its title as `filename`, its context as text before it"),
    ("`document` of text or blocks", "its title, context and text as text, its images as `image_url`"),
    ("`document` by URL, `file` sources, `citations` that are enabled", "refused"),
    ("`tool_use`", "`tool_calls`, the arguments as they were"),
    ("`tool_result`", 'a `tool` message, which begins with "Error: " if `is_error` is true'),
    ("images and documents in a `tool_result`", "a `user` message after the results, which says whose they are"),
    ("`thinking`, `redacted_thinking` in earlier turns", "left out: reasoning belongs to the provider that made it"),
    ("`citations` in earlier turns", "left out, the text stays"),
    ("any other block (`server_tool_use`, `search_result`, …)", "refused"),
    ("a last turn of the assistant, to be continued", "refused: chat completions begin a new one"),
    ("`tools`", "functions; `strict` as it is, `input_schema` unchanged"),
    ("tools that are Anthropic's own (`type` other than custom), `mcp_servers`, `container`", "refused"),
    ("`tool_choice` auto, any, none, tool", "auto, required, none, the function"),
    ("`tool_choice` without `tools`", "left out; any and tool refused"),
    ("`disable_parallel_tool_use`", "`parallel_tool_calls: false`"),
    (
        "`max_tokens`",
        "`max_completion_tokens` at OpenAI itself, and there no more than the model gives; `max_tokens` elsewhere",
    ),
    ("`temperature`, `top_p`", "as they are; left out for models of OpenAI's that reason, which refuse them"),
    ("`top_k`", "left out: OpenAI has none"),
    (
        "`stop_sequences`",
        "`stop`; more than four refused; left out for models of OpenAI's that reason, which refuse it",
    ),
    ("`metadata.user_id`", "`user`; longer than 64 characters, its SHA-256, for OpenAI takes no longer ones"),
    (
        "`thinking` and effort with `tools`, at OpenAI itself",
        "`reasoning_effort` none, asked or not, of models that take it, for the newer ones (GPT-5.2 on) refuse to "
        "reason beside functions in chat completions; left out for models that the catalog does not know; else as "
        "below",
    ),
    (
        "`output_config.effort`",
        "`reasoning_effort`: low, medium, high; xhigh and max are high, which every reasoning model takes; left out "
        "for models of OpenAI's that do not reason",
    ),
    ("`thinking` enabled", "without an effort: budget up to 2,048 low, up to 8,192 medium, else high"),
    ("`thinking` adaptive", "without an effort: medium"),
    ("`thinking` disabled, between_tools", "no `reasoning_effort`: the model's default"),
    ("`output_config.format`, `output_format`", "`response_format` json_schema, strict, the schema unchanged"),
    ("`cache_control`", "left out: OpenAI caches by itself"),
    ("`inference_geo` other than global", "refused"),
    ("any other field (`service_tier`, `context_management`, …)", "left out"),
)

_PDF: Final = "application/pdf"
_MOST_STOPS: Final = 4
_LONGEST_USER: Final = 64
_LOW_BUDGET_TOKENS, _MEDIUM_BUDGET_TOKENS = 2048, 8192
_EFFORTS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_REFUSED_WHERE_IT_REASONS: Final = ("temperature", "top_p", "stop")
_TOOL_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}

Part = dict[str, Any]


def to_chat(call: ModelCall, *, is_openai: bool) -> bytes:
    """Return the chat completions body for a Messages call; ``is_openai`` says that it goes to OpenAI itself.

    Raises NotTranslatable, naming the field, for what cannot be said there.
    """
    request = read_messages_body(call.body)
    _refuse_unsupported(request)
    body: dict[str, Any] = {"model": call.model, "messages": _messages(request)}
    settings = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop_sequences or None,
        "user": _user(request),
        "reasoning_effort": _effort(request),
        "response_format": _response_format(request),
    }
    if is_openai:
        settings |= _settings_at_openai(request, call.traits)
    body |= {name: value for name, value in settings.items() if value is not None}
    body |= _tools(request)
    if call.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(body)


def _refuse_unsupported(request: MessagesBody) -> None:
    if request.mcp_servers:
        raise NotTranslatable("mcp_servers", "mcp_servers cannot be used with this provider; leave it out.")
    if request.container is not None:
        raise NotTranslatable("container", "container cannot be used with this provider; leave it out.")
    if request.inference_geo not in (None, "global"):
        raise NotTranslatable("inference_geo", "inference_geo cannot be promised by this provider; leave it out.")
    if len(request.stop_sequences or ()) > _MOST_STOPS:
        raise NotTranslatable("stop_sequences", f"stop_sequences can be at most {_MOST_STOPS} with this provider.")


# Messages


def _messages(request: MessagesBody) -> list[Part]:
    if request.messages and request.messages[-1].role == "assistant":
        raise NotTranslatable(
            f"messages.{len(request.messages) - 1}.role",
            "This provider cannot continue a turn of the assistant; end with a turn of the user.",
        )
    system = _joined(request.system) if request.system else ""
    messages = [{"role": "system", "content": system}] if system else []
    for index, message in enumerate(request.messages):
        messages += _turn(message, f"messages.{index}.content")
    return messages


def _turn(message: Message, path: str) -> list[Part]:
    if isinstance(message.content, str):
        return [{"role": message.role, "content": message.content}] if message.content else []
    if message.role == "assistant":
        return _assistant_turn(message.content, path)
    if message.role == "user":
        return _user_turn(message.content, path)
    texts = [block for block in message.content if isinstance(block, Text)]
    if len(texts) < len(message.content):
        raise NotTranslatable(path, f"{path} of a system message can only be text.")
    return [{"role": "system", "content": _joined(texts)}] if texts else []


def _assistant_turn(blocks: Sequence[Block], path: str) -> list[Part]:
    text, calls = "", []
    for index, block in enumerate(blocks):
        if isinstance(block, Text):
            text += block.text
        elif isinstance(block, ToolUse):
            calls.append(_call(block, f"{path}.{index}"))
        elif not isinstance(block, Thinking | RedactedThinking):
            raise _misplaced(block, f"{path}.{index}", "assistant")
    if not text and not calls:
        return []
    turn: Part = {"role": "assistant", "content": text or None}
    return [turn | {"tool_calls": calls} if calls else turn]


def _call(block: ToolUse, path: str) -> Part:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise NotTranslatable(f"{path}.input", f"{path}.input must be an object.")
    try:
        text = arguments.decode()
    except UnicodeDecodeError:
        raise NotTranslatable(f"{path}.input", f"{path}.input is not UTF-8.") from None
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": text}}


def _user_turn(blocks: Sequence[Block], path: str) -> list[Part]:
    results: list[Part] = []
    attached: list[Part] = []
    said: list[Part] = []
    for index, block in enumerate(blocks):
        where = f"{path}.{index}"
        if isinstance(block, ToolResult):
            result, parts = _result(block, where)
            results.append(result)
            attached += parts
        elif isinstance(block, Text | Image | Document):
            said += _parts(block, where)
        else:
            raise _misplaced(block, where, "user")
    parts = attached + said
    return [*results, {"role": "user", "content": _content(parts)}] if parts else results


def _result(block: ToolResult, path: str) -> tuple[Part, list[Part]]:
    """Return the ``tool`` message for a result, and what of it can only stand in a message of the user."""
    content = block.content or ""
    blocks: Sequence[Text | Image | Document] = [Text(content)] if isinstance(content, str) else content
    parts = [part for index, item in enumerate(blocks) for part in _parts(item, f"{path}.content.{index}")]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    attached = [part for part in parts if part["type"] != "text"]
    text = ("Error: " if block.is_error else "") + "\n\n".join(texts)
    result = {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}
    if not attached:
        return result, []
    return result, [_text_part(f"Attached to the result of tool call {block.tool_use_id}:"), *attached]


def _parts(block: Text | Image | Document, path: str) -> list[Part]:
    if isinstance(block, Text):
        return [_text_part(block.text)] if block.text else []
    if isinstance(block, Image):
        return [_image_part(block)]
    if block.citations and block.citations.enabled:
        raise NotTranslatable(f"{path}.citations", f"{path}.citations cannot be had from this provider.")
    return _document_parts(block, path)


def _document_parts(document: Document, path: str) -> list[Part]:
    source, context = document.source, document.context or ""
    if isinstance(source, Base64Source) and source.media_type == _PDF:
        file = {"filename": document.title or "document.pdf", "file_data": _data_uri(source)}
        return [*([_text_part(context)] if context else []), {"type": "file", "file": file}]
    heading = "\n\n".join(text for text in (document.title, context) if text)
    before = [_text_part(heading)] if heading else []
    if isinstance(source, TextSource):
        return [*before, _text_part(source.data)]
    if isinstance(source, ContentSource):
        blocks = [Text(source.content)] if isinstance(source.content, str) else source.content
        return [*before, *(part for block in blocks for part in _parts(block, path))]
    if isinstance(source, UrlSource):
        raise NotTranslatable(f"{path}.source", f"{path}.source cannot be a URL with this provider; send base64.")
    raise NotTranslatable(f"{path}.source.media_type", f"{path}.source must be {_PDF} with this provider.")


def _image_part(image: Image) -> Part:
    source = image.source
    return {
        "type": "image_url",
        "image_url": {"url": source.url if isinstance(source, UrlSource) else _data_uri(source)},
    }


def _data_uri(source: Base64Source) -> str:
    return f"data:{source.media_type};base64,{source.data}"


def _text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def _content(parts: Sequence[Part]) -> str | Sequence[Part]:
    """Return parts that are all text as one text, for not every server takes parts."""
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _joined(content: str | Iterable[Text]) -> str:
    return content if isinstance(content, str) else "\n\n".join(block.text for block in content if block.text)


def _misplaced(block: Block, path: str, role: str) -> NotTranslatable:
    kind = block.__struct_config__.tag
    return NotTranslatable(f"{path}.type", f"{path} is {kind!r}, which a message of the {role} cannot hold.")


# Settings


def _user(request: MessagesBody) -> str | None:
    user_id = request.metadata.user_id if request.metadata else None
    if user_id and len(user_id) > _LONGEST_USER:
        return hashlib.sha256(user_id.encode()).hexdigest()
    return user_id or None


def _settings_at_openai(request: MessagesBody, traits: ModelTraits | None) -> Part:
    """Return what is another setting at OpenAI itself, which refuses all that a model does not have.

    Source: OpenAI guides, "Reasoning" and "Latest model", on the parameters that reasoning models refuse.
    """
    most = traits and traits.max_output_tokens
    limit = request.max_tokens
    settings = {
        "max_tokens": None,
        "max_completion_tokens": min(limit, most) if limit and most else limit,
        "reasoning_effort": _effort_at_openai(request, traits),
    }
    reasons = traits is not None and bool(traits.efforts)
    return settings | dict.fromkeys(_REFUSED_WHERE_IT_REASONS) if reasons else settings


def _effort_at_openai(request: MessagesBody, traits: ModelTraits | None) -> str | None:
    """Return the effort that OpenAI takes, which from GPT-5.2 on refuses function tools with any effort but none.

    GPT-5.6 refuses them with its default effort, too; models that always reason (o-series, GPT-5) take both.
    """
    if traits is None:
        return None if request.tools else _effort(request)
    if request.tools and "none" in traits.efforts:
        return "none"
    effort = _effort(request)
    return effort if effort in traits.efforts else None


def _effort(request: MessagesBody) -> str | None:
    thinking = request.thinking
    if thinking and thinking.type in ("disabled", "between_tools"):
        return None
    if request.output_config and request.output_config.effort:
        return _EFFORTS[request.output_config.effort]
    if thinking is None:
        return None
    budget = thinking.budget_tokens
    if thinking.type == "adaptive" or budget is None:
        return "medium"
    if budget <= _LOW_BUDGET_TOKENS:
        return "low"
    return "medium" if budget <= _MEDIUM_BUDGET_TOKENS else "high"


def _response_format(request: MessagesBody) -> Part | None:
    wanted: OutputFormat | None = (request.output_config and request.output_config.format) or request.output_format
    if wanted is None:
        return None
    # OpenAI wants a name, which Messages does not have.
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted.schema, "strict": True}}


def _tools(request: MessagesBody) -> Part:
    choice = request.tool_choice
    if not request.tools:
        if choice and choice.type in ("any", "tool"):
            raise NotTranslatable("tool_choice", "tool_choice asks for a call, but there are no tools.")
        # Without tools, OpenAI refuses even a tool_choice of none.
        return {}
    tools: Part = {"tools": [_function(tool, f"tools.{index}") for index, tool in enumerate(request.tools)]}
    if choice is None:
        return tools
    if choice.type == "tool":
        if not choice.name:
            raise NotTranslatable("tool_choice.name", "tool_choice.name is required with the type tool.")
        tools["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        tools["tool_choice"] = _TOOL_CHOICES[choice.type]
    if choice.disable_parallel_tool_use:
        tools["parallel_tool_calls"] = False
    return tools


def _function(tool: Tool, path: str) -> Part:
    if tool.type not in (None, "custom"):
        raise NotTranslatable(
            f"{path}.type", f"{path} is {tool.type!r}, a tool of Anthropic's that this provider does not have."
        )
    function: Part = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}
