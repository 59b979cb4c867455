"""The configured master keys, read once."""

from functools import cache

from django.conf import settings

from keys.crypto import Keyring, load_keyring


@cache
def keyring() -> Keyring:
    """Return the configured master keys."""
    return load_keyring(settings.MASTER_KEYS, settings.MASTER_KEYS_FILE)
