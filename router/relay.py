"""One streamed answer on its way through the gateway: metered, masked, and put into the client's own language."""

from typing import Final

from providers.base import AnswerStream
from providers.sse import SSEDecoder
from router.attempt import Attempt
from router.masking import StreamMask
from router.request import Request
from router.translation import Translation

# A client that waits should hear before long that its answer is being worked on.
_HOLDS_COMMENTS_MS: Final = 30_000
_COMMENT: Final = b": still waiting\n\n"
_BROKE_OFF: Final = "The provider broke the answer off."


class StreamRelay:
    """Turns what the provider sends into what the client gets. ``meter`` tells what is known of the answer."""

    __slots__ = ("_attempt", "_decoder", "_has_begun", "_held", "_mask", "_renderer", "_request", "meter")

    def __init__(self, request: Request, attempt: Attempt, translation: Translation) -> None:
        self._request, self._attempt = request, attempt
        self.meter: AnswerStream = attempt.candidate.offered.api.answer_stream(translation.call)
        attempt.meter = self.meter
        self._mask = StreamMask(attempt)
        self._held, self._has_begun = b"", False
        self._decoder = SSEDecoder()
        self._renderer = None
        if translation.is_rendered:
            self._renderer = request.dialect.stream_renderer(request.reply_context(attempt.candidate))

    @property
    def has_failed_at_once(self) -> bool:
        """Whether the provider failed before it said anything of the answer."""
        return self.meter.error is not None and not self.meter.counts.is_known

    def take(self, received: bytes) -> bytes:
        """Return what goes to the client for the next bytes, possibly nothing; b"" is the end. Raises UnreadableAnswer.

        Comments before the first event are held with it: while nothing has gone to the client, another may answer.
        """
        attempt, meter = self._attempt, self.meter
        out = self._mask.feed(meter.feed(received) if received else meter.end())
        if attempt.ttft_ms is None and meter.first_token_seen:
            attempt.ttft_ms = attempt.elapsed_ms()
        if self._renderer is not None:
            out = b"".join(map(self._renderer.feed, self._decoder.events(out)))
        if self._has_begun:
            return out
        self._held += out
        if not self._has_event:
            if attempt.elapsed_ms() < _HOLDS_COMMENTS_MS:
                return b""
            # Of a translated stream the provider's comments are no part.
            self._held = self._held or _COMMENT
        self._has_begun = True
        return self._held

    @property
    def _has_event(self) -> bool:
        meter = self.meter
        return bool(meter.model or meter.error or meter.first_token_seen or meter.counts.is_known)

    def end(self) -> bytes:
        """Return what closes the stream."""
        # What is still held of an event is no event to who reads events.
        return self._renderer.finish() if self._renderer is not None else self._mask.finish()

    def break_off(self, *, is_at_boundary: bool) -> bytes:
        """Return what tells the client that the answer is not whole; ``is_at_boundary``: no event is half sent."""
        if self._renderer is not None:
            return self._renderer.fail("provider_error", _BROKE_OFF)
        # A stream that passes as it is would end like a whole one.
        telling = self._request.dialect.stream_renderer(self._request.reply_context(self._attempt.candidate))
        begun, end = self._mask.finish(), telling.fail("provider_error", _BROKE_OFF)
        return end if is_at_boundary and not begun else begun + b"\n\n" + end
