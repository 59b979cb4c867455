"""Switching the storage of prompts and answers, deleting what is stored, and reading one of them: each is audited."""

from dataclasses import dataclass

from django.db import transaction

from keys.crypto import CannotOpen
from keys.models import PromptKey
from keys.prompts import Side, ensure_prompt_key, forget_prompt_key, open_prompt_key
from teams.audit import Actor, record_event
from teams.models import Workspace
from usage.exchanges import delete_exchanges, shorten_retention
from usage.models import StoredExchange


@dataclass(frozen=True, slots=True)
class Exchange:
    """A stored prompt and its answer, opened: both hold whatever people wrote."""

    stored: StoredExchange
    request: bytes
    answer: bytes


@transaction.atomic
def set_prompt_storage(workspace: Workspace, *, store: bool, retention_days: int, actor: Actor | None) -> Workspace:
    """Store prompts and answers from now on, each for ``retention_days``, or store none.

    What is stored already stays, but no longer than ``retention_days`` allow. Gateways follow within a second.
    """
    workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
    before = _told(workspace)
    workspace.store_prompts, workspace.prompt_retention_days = store, retention_days
    workspace.save(update_fields=["store_prompts", "prompt_retention_days"])
    if store:
        ensure_prompt_key(workspace)
    shorten_retention(workspace, retention_days)
    record_event(
        actor, "workspace.set_prompt_storage", workspace, workspace=workspace, before=before, after=_told(workspace)
    )
    return workspace


@transaction.atomic
def delete_stored_prompts(workspace: Workspace, *, actor: Actor | None) -> int:
    """Delete all that is stored and the key that opens it; return how many exchanges those were.

    Copies elsewhere, such as those on their way from a gateway, cannot be opened any more.
    """
    workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
    # The key first: a shipper that holds it has its rows in before they are deleted.
    forget_prompt_key(workspace)
    deleted = delete_exchanges(workspace)
    if workspace.store_prompts:
        ensure_prompt_key(workspace)
    record_event(
        actor, "workspace.delete_stored_prompts", workspace, workspace=workspace, before={"exchanges": deleted}
    )
    return deleted


@transaction.atomic
def read_stored(stored: StoredExchange, workspace: Workspace, *, actor: Actor | None) -> Exchange:
    """Open a stored exchange for somebody to read, and note in the audit log that they did.

    Raises CannotOpen if its key is gone or it was changed, and UnknownMasterKey.
    """
    key = PromptKey.objects.filter(pk=stored.prompt_key_id, workspace=workspace).first()
    if key is None:
        raise CannotOpen
    sealer, request_id, attempt = open_prompt_key(key), stored.request_id, stored.id
    exchange = Exchange(
        stored,
        request=sealer.open(Side.REQUEST, bytes(stored.sealed_request), request_id=request_id, attempt=attempt),
        answer=sealer.open(Side.ANSWER, bytes(stored.sealed_answer), request_id=request_id, attempt=attempt),
    )
    record_event(actor, "prompt.read", stored, workspace=workspace, after={"request": stored.request_id})
    return exchange


def _told(workspace: Workspace) -> dict[str, object]:
    return {"store_prompts": workspace.store_prompts, "retention_days": workspace.prompt_retention_days}
