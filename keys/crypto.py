"""Envelope encryption of provider credentials and stored prompts.

Each version of a credential, and the stored prompts of each workspace, have a random data key of their own; the data
key is wrapped by the primary master key. Both layers are AES-256-GCM with 96-bit random nonces, stored in front of the
ciphertext. The additional data names the row a ciphertext belongs to, so that it opens nowhere else. Pure but for
reading the key file.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from providers.secret import Secret

KEY_BYTES, NONCE_BYTES = 32, 12


class CryptoError(Exception):
    """Something is wrong with a key or a ciphertext; never carries either."""


class MasterKeysInvalid(CryptoError):
    """ORQADMIN_MASTER_KEYS, or the file in its place, cannot be used; the text says why."""


class UnknownMasterKey(CryptoError):
    """A ciphertext was wrapped by a master key that is not among the configured ones."""


class CannotOpen(CryptoError):
    """The ciphertext was made for another row, origin or version, or it was changed."""


@dataclass(frozen=True, slots=True)
class SealContext:
    """The row a ciphertext belongs to. None of it is secret."""

    workspace: UUID
    provider_key: UUID
    provider: str
    origin: str
    version: int

    def additional_data(self, purpose: str) -> bytes:
        """Return the fields for ``purpose``."""
        fields = ("orqadmin/1", purpose, "keys_keyversion", self.workspace.hex, self.provider_key.hex)
        return _join((*fields, self.provider, self.origin, str(self.version)))


@dataclass(frozen=True, slots=True)
class PromptKeyContext:
    """The row of the key that a workspace's stored prompts are sealed with. None of it is secret."""

    workspace: UUID
    prompt_key: UUID

    def additional_data(self, purpose: str, *place: str) -> bytes:
        """Return the fields for ``purpose``; ``place`` says what more is bound: the request a prompt belongs to."""
        return _join(("orqadmin/1", purpose, "keys_promptkey", self.workspace.hex, self.prompt_key.hex, *place))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed credential: what the database keeps."""

    ciphertext: bytes
    wrapped_data_key: bytes
    master_key_id: str


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the database keeps it."""

    wrapped_data_key: bytes
    master_key_id: str


class Keyring:
    """The master keys: the first encrypts, all decrypt."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise MasterKeysInvalid("There is no master key.")
        self.primary_id = next(iter(keys))
        self._wrapping = {key_id: AESGCM(_derive(key, b"orqadmin/wrap/1")) for key_id, key in keys.items()}
        self._fingerprint_keys = {key_id: _derive(key, b"orqadmin/fingerprint/1") for key_id, key in keys.items()}

    @property
    def ids(self) -> list[str]:
        """The ids of the master keys, the primary first."""
        return list(self._wrapping)

    def seal(self, secret: Secret, context: SealContext) -> Sealed:
        """Encrypt ``secret`` so that it opens only with ``context``."""
        data_key = secrets.token_bytes(KEY_BYTES)
        ciphertext = encrypt(AESGCM(data_key), secret.reveal().encode(), context.additional_data("secret"))
        wrapped = encrypt(self._wrapping[self.primary_id], data_key, context.additional_data("data-key"))
        return Sealed(ciphertext, wrapped, self.primary_id)

    def new_data_key(self, context: PromptKeyContext) -> WrappedKey:
        """Make a random data key, wrapped so that it opens only with ``context``."""
        data_key = secrets.token_bytes(KEY_BYTES)
        wrapped = encrypt(self._wrapping[self.primary_id], data_key, context.additional_data("data-key"))
        return WrappedKey(wrapped, self.primary_id)

    def unwrap(self, sealed: Sealed | WrappedKey, context: SealContext | PromptKeyContext) -> AESGCM:
        """Return the data key of ``sealed``, ready to decrypt.

        Raises UnknownMasterKey or CannotOpen.
        """
        wrapping = self._wrapping.get(sealed.master_key_id)
        if wrapping is None:
            raise UnknownMasterKey(sealed.master_key_id)
        return AESGCM(decrypt(wrapping, sealed.wrapped_data_key, context.additional_data("data-key")))

    def open(self, sealed: Sealed, context: SealContext) -> Secret:
        """Decrypt ``sealed``.

        Raises UnknownMasterKey, or CannotOpen if it was made for another row or was changed.
        """
        return open_with(self.unwrap(sealed, context), sealed.ciphertext, context.additional_data("secret"))

    def fingerprint(self, secret: Secret, workspace: UUID) -> bytes:
        """Return 32 bytes that are equal for equal secrets in one workspace and tell nothing else.

        Keyed by the primary master key: after a rotation, secrets sealed before and after no longer compare.
        """
        key = self._fingerprint_keys[self.primary_id]
        return hmac.digest(key, workspace.bytes + secret.reveal().encode(), hashlib.sha256)


def open_with(data_key: AESGCM, ciphertext: bytes, additional_data: bytes) -> Secret:
    """Decrypt ``ciphertext`` with an unwrapped data key and its context's data for ``secret``; raises CannotOpen."""
    return Secret(decrypt(data_key, ciphertext, additional_data).decode())


def parse_master_keys(text: str) -> dict[str, bytes]:
    """Read ``id:base64,…`` (commas or lines) into keys by id, the primary first.

    Raises MasterKeysInvalid for an empty list, a repeated id, bad base64, or a key that is not 32 bytes or is
    all one byte.
    """
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not key_id:
            raise MasterKeysInvalid("Each master key is written id:base64.")
        if key_id in keys:
            raise MasterKeysInvalid(f"Master key id {key_id} stands there twice.")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise MasterKeysInvalid(f"Master key {key_id} is not base64.") from None
        if len(key) != KEY_BYTES:
            raise MasterKeysInvalid(f"Master key {key_id} has {len(key)} bytes; it needs {KEY_BYTES}.")
        if len(set(key)) == 1:
            raise MasterKeysInvalid(f"Master key {key_id} is not random.")
        keys[key_id] = key
    if not keys:
        raise MasterKeysInvalid("There is no master key.")
    return keys


def load_keyring(text: str, file: Path) -> Keyring:
    """Return the keyring of ``text`` or, if that is empty, of ``file``, which the first call makes (0600)."""
    if text.strip():
        return Keyring(parse_master_keys(text))
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Keyring(parse_master_keys(file.read_text()))
    key_id = "k" + secrets.token_hex(3)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n")
    return Keyring(parse_master_keys(file.read_text()))


def _derive(key: bytes, purpose: bytes) -> bytes:
    # One key per purpose, so that nothing made for one can serve in another.
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _join(values: Iterable[str]) -> bytes:
    """Return the values, each with its length in front: joined text could be cut elsewhere and collide."""
    encoded = [value.encode() for value in values]
    return b"".join(len(value).to_bytes(4, "big") + value for value in encoded)


def encrypt(key: AESGCM, plaintext: bytes, additional_data: bytes) -> bytes:
    """Return a random nonce and ``plaintext`` encrypted under it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plaintext, additional_data)


def decrypt(key: AESGCM, blob: bytes, additional_data: bytes) -> bytes:
    """Return what ``encrypt`` made ``blob`` of; raises CannotOpen."""
    try:
        return key.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], additional_data)
    except (InvalidTag, ValueError):
        raise CannotOpen from None
