"""Streams of chat completions into the events of a streamed Messages answer.

Source: OpenAI API reference, "Chat", streaming; Anthropic API reference, "Streaming messages", version 2023-06-01.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.base import ModelCall, StreamError, TokenCounts, UnreadableAnswer
from providers.openai_answer import UNSIGNED, call_id, stop_reason
from providers.openai_errors import messages_error
from providers.openai_stream import ChatReading, DataLines, objects, reasoning_of, text_of
from providers.openai_usage import messages_usage


class MessagesStream:
    """Turns the chunks of a chat completion into Messages events, and meters them. See ``AnswerStream``."""

    def __init__(self, call: ModelCall) -> None:
        self.first_token_seen = False
        self._lines = DataLines()
        self._reading = ChatReading()
        self._writer = _Writer(call.model)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, cut anywhere, and return the events they make. Raises UnreadableAnswer."""
        out = b"".join(map(self._translate, self._lines.feed(chunk)))
        self.first_token_seen = self._reading.first_token_seen
        return out

    def end(self) -> bytes:
        """Take the end, which some servers reach without the mark for it. Raises UnreadableAnswer."""
        out = b"".join(map(self._translate, self._lines.end()))
        self._reading.end()
        if self._writer.has_ended or not self._reading.is_complete:
            return out
        return out + self._writer.end(self._reading.stop_reason, self._reading.counts)

    @property
    def counts(self) -> TokenCounts:
        """The counts as last reported."""
        return self._reading.counts

    @property
    def model(self) -> str | None:
        """The model that the provider says answers."""
        return self._reading.model

    @property
    def stop_reason(self) -> str | None:
        """Why the answer ended, in the word of Messages."""
        return self._writer.stop_reason(self._reading.stop_reason) if self._reading.stop_reason else None

    @property
    def error(self) -> StreamError | None:
        """The failure inside the stream, if there was one."""
        return self._reading.error

    @property
    def is_complete(self) -> bool:
        """True once the provider said that nothing more comes."""
        return self._reading.is_complete

    @property
    def text_chars(self) -> int:
        """Characters of text, reasoning and tool arguments received so far, exactly."""
        return self._reading.text_chars

    def _translate(self, data: bytes) -> bytes:
        if self._writer.has_ended:
            return b""
        event = self._reading.take(data)
        if self._reading.error:
            return self._writer.fail(self._reading.error)
        if self._reading.is_complete:
            return self._writer.end(self._reading.stop_reason, self._reading.counts)
        return self._writer.write(event)


class _Writer:
    """Writes the blocks of one answer, one after the other, as Messages has them.

    Chat completions may interleave the calls they make. Only the first block that is not finished is written as it
    comes; what comes for a later one waits.
    """

    def __init__(self, model: str) -> None:
        self.has_ended = False
        self._model = model
        self._answer_id = ""
        self._has_begun = False
        self._blocks: list[_Block] = []
        self._finished = 0
        self._calls: dict[int, _Block] = {}
        self._refuses = False

    def write(self, event: Mapping[str, Any]) -> bytes:
        """Return what one chunk adds."""
        choice = next((choice for choice in objects(event.get("choices")) if not choice.get("index")), None)
        if choice is None:
            return b""
        begun = self._begin(event)
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._add(delta)
        return begun + self._flush()

    def end(self, finish: str | None, counts: TokenCounts) -> bytes:
        """Return what is still owed, and the end. Raises UnreadableAnswer for a call that never got its name."""
        out = self._begin({}) + self._flush(is_last=True)
        self.has_ended = True
        delta = {"stop_reason": self.stop_reason(finish), "stop_sequence": None}
        out += _event({"type": "message_delta", "delta": delta, "usage": messages_usage(counts)})
        return out + _event({"type": "message_stop"})

    def fail(self, error: StreamError) -> bytes:
        """Return the event for a failure; nothing may follow."""
        self.has_ended = True
        return _event(messages_error(error))

    def stop_reason(self, finish: str | None) -> str:
        """Return the Messages stop reason."""
        return stop_reason(finish, calls_tools=bool(self._calls), refuses=self._refuses)

    def _begin(self, event: Mapping[str, Any]) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        self._answer_id = text_of(event.get("id"))
        message: dict[str, Any] = {
            "id": self._answer_id,
            "type": "message",
            "role": "assistant",
            "model": text_of(event.get("model")) or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            # Chat completions tell the usage only at the end.
            "usage": messages_usage(TokenCounts()),
        }
        return _event({"type": "message_start", "message": message})

    def _add(self, delta: Mapping[str, Any]) -> None:
        self._add_text("thinking", reasoning_of(delta))
        refusal = text_of(delta.get("refusal"))
        self._refuses = self._refuses or bool(refusal)
        self._add_text("text", text_of(delta.get("content")) + refusal)
        for call in objects(delta.get("tool_calls")):
            function = call.get("function")
            self._add_call(call, function if isinstance(function, Mapping) else {})

    def _add_text(self, kind: str, text: str) -> None:
        if not text:
            return
        if not self._blocks or self._blocks[-1].kind != kind:
            self._append(_Block(kind, len(self._blocks)))
        self._blocks[-1].add(text)

    def _add_call(self, call: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        given, name = text_of(call.get("id")), text_of(function.get("name"))
        # Some servers leave the index out, or give every call the same one.
        index = call.get("index")
        key = index if type(index) is int else 0
        block = self._calls.get(key)
        if block is None or (given and name and block.given_id not in ("", given)):
            block = self._append(_Block("tool_use", len(self._blocks)))
            block.call_id = call_id(given, self._answer_id, len(self._blocks))
            self._calls[key] = block
        block.given_id = block.given_id or given
        block.name = block.name or name
        block.add(text_of(function.get("arguments")))

    def _append(self, block: "_Block") -> "_Block":
        self._blocks.append(block)
        return block

    def _flush(self, *, is_last: bool = False) -> bytes:
        out = b""
        while self._finished < len(self._blocks):
            block = self._blocks[self._finished]
            out += block.write()
            has_follower = self._finished + 1 < len(self._blocks)
            if not is_last and not (has_follower and block.is_whole):
                break
            out += block.stop()
            self._finished += 1
        return out


class _Block:
    """One content block: what has come of it, and what of that is still to be written."""

    def __init__(self, kind: str, index: int) -> None:
        self.kind = kind
        self.given_id = self.call_id = self.name = ""
        self._index = index
        self._text = ""
        self._waiting = ""
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        """True if nothing can be added once another block has begun: a call is whole when its arguments are."""
        if self.kind != "tool_use":
            return True
        if not self._text.endswith("}"):
            return False
        try:
            msgspec.json.decode(self._text, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True

    def add(self, text: str) -> None:
        """Take the next piece."""
        if self.kind == "tool_use":
            self._text += text
        self._waiting += text

    def write(self) -> bytes:
        """Return what can be written of it now."""
        if self.kind == "tool_use" and not self.name:
            return b""
        out = b"" if self._has_begun else self._event("content_block_start", content_block=self._head())
        self._has_begun = True
        if self._waiting:
            out += self._event("content_block_delta", delta=self._delta(self._waiting))
            self._waiting = ""
        return out

    def stop(self) -> bytes:
        """Return its end. Raises UnreadableAnswer if it never got the name it needs."""
        if not self._has_begun:
            raise UnreadableAnswer("The provider's answer calls a tool without its name.")
        signed = b""
        if self.kind == "thinking":
            signed = self._event("content_block_delta", delta={"type": "signature_delta", "signature": UNSIGNED})
        return signed + self._event("content_block_stop")

    def _head(self) -> dict[str, Any]:
        if self.kind == "tool_use":
            return {"type": "tool_use", "id": self.call_id, "name": self.name, "input": {}}
        if self.kind == "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        return {"type": "text", "text": ""}

    def _delta(self, text: str) -> dict[str, str]:
        if self.kind == "tool_use":
            return {"type": "input_json_delta", "partial_json": text}
        if self.kind == "thinking":
            return {"type": "thinking_delta", "thinking": text}
        return {"type": "text_delta", "text": text}

    def _event(self, kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, "index": self._index, **fields})


def _event(event: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
