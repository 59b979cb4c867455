"""Keeping a provider's credential out of what it sends back: some repeat what they were sent."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from providers.base import UnreadableAnswer
from router.attempt import Attempt

_ERROR: Final = b"error"
# An empty line: two line ends follow each other, of which CR LF is one.
_EVENT_END: Final = re.compile(rb"(?>\r\n|\n|\r){2}")
_LONGEST_END: Final = 3
# What a provider says in one event, with room to spare.
LONGEST_EVENT: Final = 16 * 1024 * 1024


def mask(texts: Iterable[bytes], attempt: Attempt) -> list[bytes]:
    """Return ``texts`` of the provider with the credential of ``attempt`` masked wherever it stands."""
    candidate, masked = attempt.candidate, list(texts)
    parts = list(candidate.offered.api.sensitive_parts(candidate.version.open()))
    if candidate.offered.api.token_exchange is not None and attempt.credential is not None:
        parts.append(attempt.credential.reveal())
    for part in parts:
        # In JSON some characters are escaped.
        in_json, plain = msgspec.json.encode(part)[1:-1], part.encode()
        masked = [text.replace(in_json, b"***").replace(plain, b"***") for text in masked]
    return masked


class StreamMask:
    """Masks the credential of ``attempt`` in what follows the word "error" in a stream's event, however it is cut.

    All other bytes pass at once; from that word on an event is held until it is whole.
    """

    __slots__ = ("_attempt", "_held", "_tail")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._held, self._tail = bytearray(), b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may go on of ``chunk`` and of what was held before it, possibly nothing.

        Raises UnreadableAnswer for an event that does not end.
        """
        # The word itself may be cut in two.
        if not self._held and _ERROR not in (seen := self._tail + chunk):
            self._tail = seen[1 - len(_ERROR) :]
            return chunk
        # What was looked through before is not looked through again, but for an end that is cut in two.
        begin = max(len(self._held) - _LONGEST_END, 0)
        self._held += chunk
        end = _last_event_end(self._held, begin)
        if end and _ERROR not in self._held[end:]:
            end = len(self._held)
        if len(self._held) - end > LONGEST_EVENT:
            raise UnreadableAnswer("An event of the stream does not end.")
        whole = bytes(self._held[:end])
        del self._held[:end]
        self._tail = whole[1 - len(_ERROR) :]
        return self._masked(whole)

    def finish(self) -> bytes:
        """Return what is still held once nothing more comes: an event that broke off."""
        held = bytes(self._held)
        self._held.clear()
        return self._masked(held)

    def _masked(self, text: bytes) -> bytes:
        if not text:
            return b""
        [masked] = mask([text], self._attempt)
        return masked


def _last_event_end(text: bytearray, begin: int) -> int:
    """Return where the last event that ends at ``begin`` or later ends, 0 if none does."""
    if text.find(b"\r", begin) < 0:
        # Nearly every stream, and far faster to search.
        at = text.rfind(b"\n\n", begin)
        return at + 2 if at >= 0 else 0
    return max((found.end() for found in _EVENT_END.finditer(text, begin)), default=0)
