"""Signatures of thinking: they prove that a replayed thought is one this simulator had."""

import base64
import binascii
import hashlib

# Real signatures begin with other bytes, and clients may hold placeholders: only ours are checked.
_MARK = "SIM"
_DIGEST_BYTES = 64


def sign(thinking: str) -> str:
    """Return the signature of a thinking text, or what stands for the text where it is redacted."""
    digest = hashlib.sha512(f"simulated thinking {thinking}".encode("utf-8", "surrogatepass")).digest()
    return _MARK + base64.b64encode(digest * 2).decode()


def is_own_signature(signature: str) -> bool:
    """True if the signature was made here."""
    return signature.startswith(_MARK)


def is_intact(signature: str) -> bool:
    """True if a signature made here has not been changed; it says nothing about the text it belongs to."""
    try:
        content = base64.b64decode(signature.removeprefix(_MARK), validate=True)
    except binascii.Error:
        return False
    return len(content) == 2 * _DIGEST_BYTES and content[:_DIGEST_BYTES] == content[_DIGEST_BYTES:]
