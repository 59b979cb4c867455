"""Keeping a provider's credential out of what it sends back: some repeat what they were sent."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from router.attempt import Attempt

_ERROR: Final = b"error"
# An empty line; two line ends follow each other, of which CR LF is one.
_EVENT_END: Final = re.compile(rb"(?>\r\n|\n|\r){2}")


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
    """Masks the credential of ``attempt`` in the events of a stream that tell of an error, wherever the chunks end.

    All other bytes pass at once; an event with the word in it is held until it is whole.
    """

    __slots__ = ("_attempt", "_held", "_tail")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._held = self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may go on of ``chunk`` and of what was held before it, possibly nothing."""
        # The word itself may be cut in two.
        if not self._held and _ERROR not in (seen := self._tail + chunk):
            self._tail = seen[1 - len(_ERROR) :]
            return chunk
        self._held += chunk
        end = max((found.end() for found in _EVENT_END.finditer(self._held)), default=0)
        if end and _ERROR not in self._held[end:]:
            end = len(self._held)
        whole, self._held = self._held[:end], self._held[end:]
        self._tail = whole[1 - len(_ERROR) :]
        return self._masked(whole)

    def finish(self) -> bytes:
        """Return what is still held once nothing more comes: an event that broke off."""
        held, self._held = self._held, b""
        return self._masked(held)

    def _masked(self, text: bytes) -> bytes:
        if not text:
            return b""
        [masked] = mask([text], self._attempt)
        return masked
