"""A message as server-sent events, and those as the pieces in which a network delivers them.

Source: Anthropic API reference, "Streaming messages": message_start, ping, content blocks, message_delta (whose usage
is cumulative), message_stop. Real frames carry blanks before their last brace; ours do too.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from simulator.errors import ApiError
from simulator.http import to_json
from simulator.tokens import split_text

_MAX_TOKENS_PER_DELTA = 8
# Up to so many bytes of a frame stay behind and travel with the next one.
_MAX_HELD_BYTES = 48
Event = Mapping[str, Any]
_PING: Event = {"type": "ping"}


def events_of(message: Mapping[str, Any], dice: random.Random, pings: int = 0) -> Iterator[Event]:
    """Yield the events that stream ``message``; ``pings`` come beside the usual one."""
    usage = message["usage"]
    opening_usage = {**usage, "output_tokens": 1}
    opening_usage.pop("output_tokens_details", None)
    opened = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    opened["usage"] = opening_usage
    yield {"type": "message_start", "message": opened}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if index == 0:
            yield from [_PING] * (1 + pings)
        for delta in deltas_of(block, dice):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    if not message["content"]:
        yield _PING
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    reported = {name: value for name, value in usage.items() if name not in ("cache_creation", "service_tier")}
    yield {"type": "message_delta", "delta": ending, "usage": reported}
    yield {"type": "message_stop"}


def frame(event: Event, dice: random.Random) -> bytes:
    """Return an event as it stands in the stream."""
    blanks = b"" if event["type"] == "ping" else b" " * dice.randint(0, 14)
    return b"event: %b\ndata: %b%b}\n\n" % (event["type"].encode(), to_json(event)[:-1], blanks)


class EventFraming:
    """The rest of a stream of server-sent events: see sending.Framing."""

    def __init__(self, request_id: str, dice: random.Random) -> None:
        self._request_id = request_id
        self._dice = dice
        self.ping = frame(_PING, dice)
        self.broken = b'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n'

    def failed(self, error: ApiError, sent: int) -> bytes:
        return frame(error.envelope(self._request_id), self._dice)


class NetworkChunks:
    """Cuts a stream of frames anew, so that no reader can count on a chunk being an event.

    Now and then the last bytes of a frame are held back and sent with the next. Each frame still sends something.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._held = b""

    def push(self, data: bytes) -> list[bytes]:
        """Return the chunks that leave now that ``data`` has been written."""
        data = self._held + data
        keep = self._dice.choice((0, 0, 1, self._dice.randint(1, _MAX_HELD_BYTES)))
        sent, self._held = (data[:-keep], data[-keep:]) if 0 < keep < len(data) else (data, b"")
        if self._dice.random() < 0.2:
            middle = self._dice.randint(0, len(sent))
            return [chunk for chunk in (sent[:middle], sent[middle:]) if chunk]
        return [sent]

    def flush(self) -> bytes:
        """Return what was still held back."""
        held, self._held = self._held, b""
        return held


def _opened(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a block as its start event shows it; encrypted thinking comes whole."""
    match block["type"]:
        case "text":
            return {**block, "text": "", **({"citations": []} if "citations" in block else {})}
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "tool_use" | "server_tool_use":
            return {**block, "input": {}}
        case _:
            return block


def deltas_of(block: Mapping[str, Any], dice: random.Random) -> Iterator[Mapping[str, Any]]:
    """Yield the deltas of one block."""
    match block["type"]:
        case "text":
            for citation in block.get("citations") or ():
                yield {"type": "citations_delta", "citation": citation}
            for text in _grouped(split_text(block["text"]), dice):
                yield {"type": "text_delta", "text": text}
        case "thinking":
            for text in _grouped(split_text(block["thinking"]), dice):
                yield {"type": "thinking_delta", "thinking": text}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use" | "server_tool_use":
            yield {"type": "input_json_delta", "partial_json": ""}
            for text in _grouped(list(json.dumps(block["input"], ensure_ascii=False)), dice):
                yield {"type": "input_json_delta", "partial_json": text}


def _grouped(pieces: Sequence[str], dice: random.Random) -> Iterable[str]:
    at = 0
    while at < len(pieces):
        size = dice.randint(1, _MAX_TOKENS_PER_DELTA)
        yield "".join(pieces[at : at + size])
        at += size
