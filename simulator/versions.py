"""What a version of the Messages API refuses that the one before it took.

Source: Anthropic documentation, "Versions" and "Migrating to API version 2026-10-21".
"""

from collections.abc import Mapping
from typing import Any

from simulator.errors import invalid

NEWEST = "2026-10-21"
VERSIONS = ("2023-06-01", NEWEST)
_REMOVED = ("temperature", "top_p", "top_k")


def check_version_rules(body: Mapping[str, Any], version: str) -> None:
    """Raise ApiError 400 for what ``version`` does not take any more, in a body whose shape has been checked."""
    if version != NEWEST:
        return
    for name in _REMOVED:
        if name in body:
            raise invalid(f"{name}: Extra inputs are not permitted")
    for at, message in enumerate(body["messages"]):
        content = message["content"]
        for number, block in enumerate(content if isinstance(content, list) else ()):
            place = f"messages.{at}.content.{number}"
            if message["role"] == "assistant" and block["type"] == "document":
                raise invalid(f"{place}: `document` blocks are not permitted in assistant messages")
            if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
                raise invalid(f"{place}.text.citations: citations are not permitted in user messages")
