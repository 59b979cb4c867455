"""The keys that stored prompts and answers are sealed with: one per workspace, wrapped by the master keys.

The gateway seals with them before anything is written. A workspace whose key is gone can read nothing of what was
stored before, wherever a copy of it lies: that is how stored prompts are deleted at once.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction

from keys.crypto import CryptoError, PromptKeyContext, WrappedKey, decrypt, encrypt
from keys.models import PromptKey
from keys.services import keyring
from teams.models import Workspace

logger = logging.getLogger(__name__)


class Side(StrEnum):
    """Which half of an exchange: what the client sent, or what it was answered."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class PromptSealer:
    """An opened key of one workspace: seals what its requests say, and opens it again. Pure."""

    context: PromptKeyContext
    retention_days: int
    data_key: AESGCM

    @property
    def workspace(self) -> UUID:
        return self.context.workspace

    @property
    def key_id(self) -> UUID:
        return self.context.prompt_key

    def seal(self, side: Side, plaintext: bytes, *, request_id: str, attempt: UUID) -> bytes:
        """Encrypt one side of an exchange so that it opens only as that side of that request."""
        return encrypt(self.data_key, plaintext, self._bound_to(side, request_id, attempt))

    def open(self, side: Side, sealed: bytes, *, request_id: str, attempt: UUID) -> bytes:
        """Decrypt what ``seal`` made; raises CannotOpen if it was made for another request or was changed."""
        return decrypt(self.data_key, sealed, self._bound_to(side, request_id, attempt))

    def _bound_to(self, side: Side, request_id: str, attempt: UUID) -> bytes:
        return self.context.additional_data(f"prompt-{side}", request_id, attempt.hex)


@transaction.atomic
def ensure_prompt_key(workspace: Workspace) -> PromptKey:
    """Return the workspace's key, made here if there is none."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    key = PromptKey.objects.filter(workspace=workspace).first()
    if key is None:
        key = PromptKey(workspace=workspace)
        wrapped = keyring().new_data_key(key.seal_context)
        key.wrapped_data_key, key.master_key_id = wrapped.wrapped_data_key, wrapped.master_key_id
        key.save(force_insert=True)
    return key


def forget_prompt_key(workspace: Workspace) -> None:
    """Delete the workspace's key: what it sealed, a gateway's outbox included, cannot be opened again."""
    PromptKey.objects.filter(workspace=workspace).delete()


def open_prompt_key(key: PromptKey) -> PromptSealer:
    """Return ``key``, ready to seal and to open. Raises UnknownMasterKey or CannotOpen."""
    wrapped = WrappedKey(bytes(key.wrapped_data_key), key.master_key_id)
    data_key = keyring().unwrap(wrapped, key.seal_context)
    return PromptSealer(key.seal_context, key.workspace.prompt_retention_days, data_key)


def load_sealers() -> dict[UUID, PromptSealer]:
    """Return by workspace what seals its prompts, of those workspaces that store them.

    One whose key cannot be opened is left out: nothing of it is stored then, and its traffic goes on.
    """
    sealers = {}
    for key in PromptKey.objects.filter(workspace__store_prompts=True).select_related("workspace"):
        try:
            sealers[key.workspace_id] = open_prompt_key(key)
        except CryptoError as error:
            logger.error("Prompts of %s cannot be stored: %s", key.workspace_id, type(error).__name__)
    return sealers
