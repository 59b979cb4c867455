"""Gateway and management keys as text: made, read and hashed. Pure.

Form: ``sk-orq-`` or ``mk-orq-``, 8 base62 characters of public id, ``-``, 43 of secret, 6 of checksum. The CRC-32
checksum lets scanners and the gateway refuse a mistyped key without a look-up. One SHA-256 is the right hash
for 256 random bits: a slow one would only slow every request.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from enum import StrEnum

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PUBLIC_ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 8, 43, 6
PREFIX_LENGTH = len("sk-orq-")
# Where the public id stands in a key's text.
PUBLIC_ID = slice(PREFIX_LENGTH, PREFIX_LENGTH + PUBLIC_ID_LENGTH)
TOKEN_LENGTH = PREFIX_LENGTH + PUBLIC_ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH


_SHOWN = re.compile(rf"(?<![0-9A-Za-z])[sm]k-orq-([0-9A-Za-z]{{0,{PUBLIC_ID_LENGTH}}})")


class TokenKind(StrEnum):
    """What a key opens: the gateway (models) or the REST API (no model)."""

    GATEWAY = "sk-orq-"
    MANAGEMENT = "mk-orq-"


class MalformedToken(ValueError):
    """The text is not a key of ours: wrong prefix, length, characters or checksum."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A fresh key. ``text`` is shown once and never stored; the rest is."""

    text: str
    public_id: str
    sha256: bytes
    last4: str

    def __repr__(self) -> str:
        return f"MintedToken({self.public_id})"


def mint_token(kind: TokenKind) -> MintedToken:
    """Return a new random key of ``kind``."""
    public_id, secret = _random(PUBLIC_ID_LENGTH), _random(SECRET_LENGTH)
    body = f"{kind}{public_id}-{secret}"
    text = body + _checksum(body)
    return MintedToken(text, public_id, hash_token(text), text[-4:])


def read_public_id(text: str, kind: TokenKind) -> str:
    """Return the public id in ``text``.

    Raises MalformedToken unless prefix, length and checksum are those of a ``kind`` key.
    """
    if len(text) != TOKEN_LENGTH or not text.startswith(kind) or text[PREFIX_LENGTH + PUBLIC_ID_LENGTH] != "-":
        raise MalformedToken
    body = text[:-CHECKSUM_LENGTH]
    if not text.isascii() or _checksum(body) != text[-CHECKSUM_LENGTH:]:
        raise MalformedToken
    return text[PUBLIC_ID]


def cut_to_public_id(text: str) -> str:
    """Return ``text``, or, where it holds a key, its beginning or what lists show of it, the public id alone."""
    found = _SHOWN.search(text)
    return found[1] if found else text


def hash_token(text: str) -> bytes:
    """Return the 32 bytes a key is stored and compared as."""
    return hashlib.sha256(text.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        number, remainder = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[remainder])
    return "".join(reversed(digits))
