"""Stored prompts and answers as people read them: indented JSON, the text of a stream, or what is there. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from providers.base import UnreadableAnswer
from providers.sse import SSEDecoder, decode_event


@dataclass(frozen=True, slots=True)
class Readable:
    """``text`` is the whole as it was sent, indented where it is JSON; ``said`` only what a stream's pieces say."""

    text: str
    said: str = ""


def readable(body: bytes) -> Readable:
    """Return ``body`` for people; what is cut or broken is shown as far as it goes."""
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith(("event:", "data:", ":")):
        return Readable(text, "".join(_pieces(body)))
    try:
        return Readable(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return Readable(text)


def _pieces(stream: bytes) -> Iterator[str]:
    for data in SSEDecoder().feed(stream):
        try:
            yield _said_in(decode_event(data))
        except (UnreadableAnswer, AttributeError, TypeError, IndexError, KeyError):
            # Not an event of ours to read: the end mark, or a shape from elsewhere.
            continue


def _said_in(event: dict[str, Any]) -> str:
    """Return the text that one event of a Messages, Responses or Chat Completions stream adds."""
    if event.get("type") == "content_block_delta":
        return str(event["delta"].get("text", ""))
    if event.get("type") == "response.output_text.delta":
        return str(event["delta"])
    choices = event.get("choices")
    return str(choices[0]["delta"].get("content") or "") if choices else ""
