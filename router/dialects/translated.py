"""What chat and responses share: the frame around a request read, an answer rendered and a stream followed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from providers.base import UnreadableAnswer
from providers.sse import merge_usage
from providers.usage import parse_usage
from router.dialects import envelope
from router.dialects.answer import (
    CUT_SHORT,
    UNREADABLE,
    Answer,
    Ending,
    is_rendered,
    parse_answer,
    parse_ending,
    stream_error,
)
from router.dialects.base import ModelFacts, ParsedRequest, ReplyContext
from router.dialects.fates import Fates
from router.dialects.fetching import refuse_urls
from router.dialects.fields import Fields
from router.dialects.options import parse_request
from router.dialects.settings import SAMPLING, Asked, build_body

KEEP_ALIVE = b": ping\n\n"
# What an answer of an unforeseen shape raises while it is rendered.
_UNFORESEEN = (KeyError, TypeError, AttributeError, RecursionError)


class Translated(ABC):
    """A dialect that is not the inner language. See ``Dialect``."""

    name: str
    gateway_fields: frozenset[str]
    body_fates: ClassVar[Fates]
    render_error = staticmethod(envelope.render_error)

    def parse(self, raw: bytes) -> ParsedRequest:
        """Return the request in ``raw``. See ``Dialect.parse``."""
        return parse_request(raw)

    def to_messages(self, parsed: ParsedRequest, facts: ModelFacts) -> dict[str, Any]:
        """Return the Messages body. See ``Dialect.to_messages``."""
        request = Fields(parsed.body)
        self.body_fates.refuse(request)
        body = build_body(request, self._read(request), facts)
        if not facts.takes_urls:
            refuse_urls(body)
        return body

    def left_out(self, parsed: ParsedRequest, facts: ModelFacts) -> list[str]:
        """Return the top-level fields of the request that have no effect on its answer."""
        return self.body_fates.left_out_of(Fields(parsed.body), () if facts.takes_sampling else SAMPLING)

    def render_answer(self, answer: bytes | Mapping[str, Any], context: ReplyContext) -> bytes:
        """Return the client's JSON for a Messages answer. See ``Dialect.render_answer``."""
        message = parse_answer(answer)
        try:
            return msgspec.json.encode(self._render(message, context))
        except _UNFORESEEN:
            raise UnreadableAnswer(UNREADABLE) from None

    @abstractmethod
    def _read(self, request: Fields) -> Asked:
        """Return what the request asks for."""

    @abstractmethod
    def _render(self, answer: Answer, context: ReplyContext) -> dict[str, Any]:
        """Return the dialect's own object for an answer."""


class TranslatedStream(ABC):
    """Follows one Messages stream: usage, ending and the blocks that have no place in it. See ``StreamRenderer``."""

    def __init__(self, context: ReplyContext) -> None:
        self._context = context
        self._usage: dict[str, Any] = {}
        self._ending = Ending()
        self._provider_blocks: list[dict[str, Any]] = []
        self._provider_block: _ProviderBlock | None = None
        self._has_ended = False

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """Return what the client gets for one Messages event. See ``StreamRenderer.feed``."""
        if self._has_ended:
            return b""
        try:
            return self._follow(event)
        except _UNFORESEEN:
            return self.fail("provider_error", UNREADABLE)

    def finish(self) -> bytes:
        """Return what is still owed once the provider has closed. See ``StreamRenderer.finish``."""
        return b"" if self._has_ended else self.fail("provider_error", CUT_SHORT)

    def fail(self, code: str, message: str) -> bytes:
        """Return what tells the client that the answer broke off. See ``StreamRenderer.fail``."""
        if self._has_ended:
            return b""
        self._has_ended = True
        return self._failure(code, message)

    def _follow(self, event: Mapping[str, Any]) -> bytes:
        kind = event.get("type")
        if kind == "content_block_delta":
            if self._provider_block is None:
                return self._delta(event["delta"])
            self._provider_block.receive(event["delta"])
        elif kind == "content_block_start":
            return self._start_block(event["content_block"])
        elif kind == "content_block_stop":
            return self._stop_block()
        elif kind == "message_start":
            self._usage = merge_usage(self._usage, event["message"].get("usage"))
            return self._begin()
        elif kind == "message_delta":
            self._usage = merge_usage(self._usage, event.get("usage"))
            self._ending = parse_ending(event["delta"])
        elif kind == "message_stop":
            self._has_ended = True
            return self._end()
        elif kind == "error":
            return self.fail(*stream_error(event))
        return KEEP_ALIVE if kind == "ping" else b""

    def _start_block(self, block: Mapping[str, Any]) -> bytes:
        if is_rendered(block):
            return self._block_start(block)
        self._provider_block = _ProviderBlock(block)
        return b""

    def _stop_block(self) -> bytes:
        if self._provider_block is None:
            return self._block_stop()
        self._provider_blocks.append(self._provider_block.whole())
        self._provider_block = None
        return b""

    def _counts(self) -> Any:
        return parse_usage(self._usage)

    @abstractmethod
    def _begin(self) -> bytes:
        """Return what opens the stream."""

    @abstractmethod
    def _block_start(self, block: Mapping[str, Any]) -> bytes:
        """Return what a text, thinking or tool_use block begins with."""

    @abstractmethod
    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        """Return what a fragment of the open block becomes."""

    @abstractmethod
    def _block_stop(self) -> bytes:
        """Return what ends the open block."""

    @abstractmethod
    def _end(self) -> bytes:
        """Return what closes a whole answer."""

    @abstractmethod
    def _failure(self, code: str, message: str) -> bytes:
        """Return what closes an answer that broke off."""


class _ProviderBlock:
    """A block as it comes in that the client's shape has no words for."""

    def __init__(self, block: Mapping[str, Any]) -> None:
        self._block = dict(block)
        self._input = ""

    def receive(self, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "partial_json":
                self._input += value
            elif name != "type" and isinstance(value, str):
                self._block[name] = (self._block.get(name) or "") + value
            elif name != "type":
                self._block[name] = value

    def whole(self) -> dict[str, Any]:
        if self._input:
            try:
                self._block["input"] = msgspec.json.decode(self._input)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise TypeError("the input of a provider's tool is not JSON") from None
        return self._block
