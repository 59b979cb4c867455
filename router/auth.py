"""Who is calling: a gateway key's text checked against the snapshot. Pure."""

import hmac
from collections.abc import Mapping, Sequence

from router.dialects.base import RequestRefused
from router.snapshot import GatewayKeyEntry
from teams.tokens import PUBLIC_ID, MalformedToken, TokenKind, hash_token, read_public_id

_BEARER = "bearer "


def read_token(authorization: str, api_key: str = "") -> str:
    """Return the key in an ``Authorization: Bearer`` or ``x-api-key`` header's value.

    Raises RequestRefused (401) if there is none.
    """
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    if api_key:
        return api_key.strip()
    raise _unauthorized("authentication_required", "Send your gateway key as “Authorization: Bearer sk-orq-…”.")


def authenticate(token: str, keys: Mapping[str, GatewayKeyEntry], *, now: float) -> GatewayKeyEntry:
    """Return the gateway key whose text ``token`` is; ``now`` is in Unix seconds.

    Raises RequestRefused (401): malformed, unknown or revoked, or expired. Unknown and revoked read the same.
    """
    entry = keys.get(token[PUBLIC_ID])
    digest = hash_token(token)
    if entry is None or not _is_one_of(digest, entry.sha256s):
        raise _not_ours(token)
    if entry.expires_at is not None and entry.expires_at <= now:
        raise _unauthorized("expired_api_key", "This gateway key has expired. Create a new one under API Keys.")
    return entry


def _is_one_of(digest: bytes, known: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(digest, sha256) for sha256 in known)


def _not_ours(token: str) -> RequestRefused:
    try:
        read_public_id(token, TokenKind.GATEWAY)
    except MalformedToken:
        is_mistyped = token.startswith(TokenKind.GATEWAY)
        what = "incomplete or mistyped" if is_mistyped else "not a gateway key, which begins with sk-orq-"
        return _unauthorized("authentication_required", f"The key sent is {what}. Copy it again from API Keys.")
    return _unauthorized("invalid_api_key", "This gateway key is unknown or was revoked.")


def _unauthorized(code: str, message: str) -> RequestRefused:
    return RequestRefused(message, status=401, code=code)
