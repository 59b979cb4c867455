"""Simulated AWS credentials: an access key id names its organisation, and its secret follows from it.

``AKIASIM``, the organisation, and if the key is to fail the word for it (see instructions), each followed by a zero:
``AKIASIMACME000000000`` works, ``AKIASIMACME0OVERLOADED0`` is overloaded. Bedrock API keys read ``ABSKSIM-acme`` and
``ABSKSIM-acme-overloaded``.
"""

import base64
import hashlib

from simulator.call import Caller
from simulator.instructions import KEY_ENDINGS

ACCESS_KEY_PREFIX = "AKIASIM"
API_KEY_PREFIX = "ABSKSIM"
_ACCESS_KEY_LENGTH = 20


def make_access_key(organisation: str, ending: str = "") -> tuple[str, str]:
    """Return an access key id and its secret; ``ending`` is one of KEY_ENDINGS for a key that fails.

    Raises ValueError for an organisation that is not letters and digits without a zero.
    """
    if not organisation.isalnum() or not organisation.isascii() or "0" in organisation:
        raise ValueError("an organisation is ASCII letters and digits other than 0")
    key_id = "".join(f"{part.upper()}0" for part in (f"{ACCESS_KEY_PREFIX}{organisation}", ending) if part)
    key_id = key_id.ljust(_ACCESS_KEY_LENGTH, "0")
    return key_id, secret_of(key_id)


def secret_of(access_key_id: str) -> str:
    """Return the secret of a simulated access key id: 40 characters, as real ones have."""
    digest = hashlib.sha256(f"simulated secret of {access_key_id}".encode()).digest()
    return base64.b64encode(digest[:30]).decode()


def caller_of_access_key(access_key_id: str) -> Caller | None:
    """Return whose access key this is, None if it is not one of ours or its organisation begins with BAD."""
    if not access_key_id.startswith(ACCESS_KEY_PREFIX):
        return None
    organisation, _, ending = access_key_id.removeprefix(ACCESS_KEY_PREFIX).lower().partition("0")
    return _caller(organisation, ending.strip("0"))


def caller_of_api_key(api_key: str) -> Caller | None:
    """Return whose Bedrock API key this is, None if it is not one of ours or its organisation begins with bad."""
    if not api_key.startswith(API_KEY_PREFIX):
        return None
    organisation, _, rest = api_key.removeprefix(API_KEY_PREFIX).lower().lstrip("-").partition("-")
    return _caller(organisation, rest.rpartition("-")[2])


def _caller(organisation: str, ending: str) -> Caller | None:
    if not organisation or organisation.startswith("bad"):
        return None
    return Caller(f"aws/{organisation}", KEY_ENDINGS.get(ending, ""))
