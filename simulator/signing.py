"""Signatures of thinking: they prove that a replayed thought is one this simulator had."""

import base64
import hashlib

# Real signatures begin with other bytes, and clients may hold placeholders: only ours are checked.
_MARK = "SIM"


def sign(thinking: str) -> str:
    """Return the signature of a thinking text."""
    digest = hashlib.sha512(f"simulated thinking {thinking}".encode()).digest()
    return _MARK + base64.b64encode(digest * 2).decode()


def is_own_signature(signature: str) -> bool:
    """True if the signature was made here."""
    return signature.startswith(_MARK)
