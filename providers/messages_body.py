"""A Messages request read into types, for providers that speak another language.

Fields that are not named here are not read; a block of a kind that is not named is refused by its path.
Source: Anthropic API reference, "Messages", version 2023-06-01.
"""

import re
from typing import Any, Literal

import msgspec

from providers.base import NotTranslatable

_WHERE = re.compile(r" - at `\$\.?([^`]*)`$")
_UNKNOWN_KIND = re.compile(r"^Invalid value '([^']*)'")


class Text(msgspec.Struct, tag="text"):
    """A text block."""

    text: str


class Base64Source(msgspec.Struct, tag="base64"):
    """Bytes of an image or a document, in base64."""

    media_type: str
    data: str


class UrlSource(msgspec.Struct, tag="url"):
    """Where an image or a document lies."""

    url: str


class TextSource(msgspec.Struct, tag="text"):
    """The plain text of a document."""

    data: str


class Image(msgspec.Struct, tag="image"):
    """An image block."""

    source: Base64Source | UrlSource


class ContentSource(msgspec.Struct, tag="content"):
    """A document made of blocks."""

    content: str | list[Text | Image]


class Citations(msgspec.Struct):
    """Whether the answer should cite a document."""

    enabled: bool = False


class Document(msgspec.Struct, tag="document"):
    """A document block."""

    source: Base64Source | UrlSource | TextSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None


class ToolUse(msgspec.Struct, tag="tool_use"):
    """A call that the assistant made; ``input`` keeps its bytes."""

    id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")


class ToolResult(msgspec.Struct, tag="tool_result"):
    """What a call gave."""

    tool_use_id: str
    content: str | list[Text | Image | Document] | None = None
    is_error: bool | None = None


class Thinking(msgspec.Struct, tag="thinking"):
    """Reasoning of an earlier answer."""


class RedactedThinking(msgspec.Struct, tag="redacted_thinking"):
    """Reasoning of an earlier answer that the provider keeps to itself."""


Block = Text | Image | Document | ToolUse | ToolResult | Thinking | RedactedThinking


class Message(msgspec.Struct):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Tool(msgspec.Struct):
    """A tool; ``type`` names one that is Anthropic's own, unless it is "custom"."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = msgspec.Raw(b'{"type":"object","properties":{}}')
    strict: bool | None = None


class ToolChoice(msgspec.Struct):
    """Which tools the answer may, must or must not call."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct):
    """Whether and how long the model thinks."""

    type: Literal["enabled", "adaptive", "disabled", "between_tools"]
    budget_tokens: int | None = None


class OutputFormat(msgspec.Struct):
    """The schema that the answer must fit."""

    type: Literal["json_schema"]
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct):
    """The form of the answer and the effort put into it."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Metadata(msgspec.Struct):
    """Who the request is made for."""

    user_id: str | None = None


class MessagesBody(msgspec.Struct):
    """A request body, as far as it can be said in another language, or must be refused by name."""

    messages: list[Message]
    system: str | list[Text] | None = None
    max_tokens: int | None = None
    temperature: float | int | None = None
    top_p: float | int | None = None
    stop_sequences: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    metadata: Metadata | None = None
    mcp_servers: list[Any] | None = None
    container: Any = None
    inference_geo: str | None = None


_decoder = msgspec.json.Decoder(MessagesBody)


def read_messages_body(body: bytes) -> MessagesBody:
    """Return the request in ``body``. Raises NotTranslatable, with the path of what is not as it should be."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotTranslatable("", "The body is not a JSON object that can be read.") from None


def _refusal(complaint: str) -> NotTranslatable:
    where = _WHERE.search(complaint)
    path = re.sub(r"\[(\d+)\]", r".\1", where[1]).lstrip(".") if where else ""
    unknown = _UNKNOWN_KIND.match(complaint)
    if unknown:
        return NotTranslatable(path, f"{path} is {unknown[1]!r}, for which this provider has no counterpart.")
    return NotTranslatable(path, f"{path or 'The body'}: {_WHERE.sub('', complaint)}.")
