"""What AWS and Google refuse in a Messages body that Anthropic itself takes.

Source: Anthropic documentation, "Claude on Amazon Bedrock", "Claude on Vertex AI" and "Prompt caching": neither cloud
fetches URLs, keeps files or sets breakpoints by itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.errors import invalid

_NOT_TAKEN = ("cache_control", "container", "mcp_servers", "service_tier", "inference_geo")
_TAKEN_SOURCES = {"image": ("base64",), "document": ("base64", "content", "text")}


def check_cloud_body(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 for top-level fields and sources that a cloud does not take."""
    for name in _NOT_TAKEN:
        if name in body:
            raise invalid(f"{name}: Extra inputs are not permitted")
    for place, block in _blocks(body):
        kind = block.get("type")
        source = block.get("source")
        taken = _TAKEN_SOURCES.get(kind) if isinstance(kind, str) else None
        if taken and isinstance(source, Mapping) and source.get("type") not in taken:
            raise invalid(
                f"{place}.{kind}.source: Input tag '{source.get('type')}' found using 'type' does not match any of the "
                f"expected tags: {', '.join(map(repr, taken))}"
            )


def check_tool_types(body: Mapping[str, Any], beginnings: tuple[str, ...]) -> None:
    """Raise ApiError 400 for tools of a type that does not begin as a cloud takes it."""
    tools = body.get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        kind = tool.get("type", "custom") if isinstance(tool, Mapping) else "custom"
        if not str(kind).startswith(beginnings):
            raise invalid(
                f"tools.{number}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                f"{', '.join(map(repr, beginnings))}"
            )


def check_no_schema_is_enforced(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 for strict tools and a schema for the answer."""
    tools = body.get("tools")
    for number, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, Mapping) and "strict" in tool:
            raise invalid(f"tools.{number}.custom.strict: Extra inputs are not permitted")
    config = body.get("output_config")
    if isinstance(config, Mapping) and "format" in config:
        raise invalid("output_config.format: Extra inputs are not permitted")


def check_no_ttl_is_set(body: Mapping[str, Any]) -> None:
    """Raise ApiError 400 for a cache whose lifetime is named."""
    marked = (*_within(body.get("tools"), "tools"), *_within(body.get("system"), "system"), *_blocks(body))
    for place, block in marked:
        control = block.get("cache_control")
        if isinstance(control, Mapping) and "ttl" in control:
            raise invalid(f"{place}.cache_control.ephemeral.ttl: Extra inputs are not permitted")


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    messages = body.get("messages")
    for at, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, Mapping) else None
        yield from _within(content, f"messages.{at}.content")


def _within(content: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if isinstance(block, Mapping):
            yield f"{place}.{number}", block
            yield from _within(block.get("content"), f"{place}.{number}.{block.get('type')}.content")
