"""Keeping a provider's credential out of what it sends back: some repeat what they were sent."""

from collections.abc import Iterable

import msgspec

from router.attempt import Attempt


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
