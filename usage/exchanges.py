"""Stored prompts and answers: what the shipper writes, how long they stay, and finding one. All of it is sealed."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone

from teams.models import Workspace
from usage.models import StoredExchange
from usage.records import ExchangeRecord, time_of


@transaction.atomic
def store_exchanges(records: Sequence[ExchangeRecord]) -> int:
    """Write ``records``; return how many were wanted. Safe to repeat.

    Those whose time is up, or whose key was forgotten since they were sealed, are left out: nobody may read them.
    """
    keys = _hold_keys({record.prompt_key for record in records})
    now = timezone.now()
    wanted = [record for record in records if record.prompt_key in keys and time_of(record.expires_at_us) > now]
    StoredExchange.objects.bulk_create([_row(record) for record in wanted], ignore_conflicts=True)
    return len(wanted)


def delete_exchanges(workspace: Workspace) -> int:
    """Delete all that ``workspace`` has stored; return how many those were."""
    deleted, _ = StoredExchange.objects.filter(workspace_id=workspace.pk).delete()
    return deleted


def shorten_retention(workspace: Workspace, days: int) -> None:
    """Let what is stored already end no later than ``days`` after it was said; a longer time changes nothing."""
    kept = StoredExchange.objects.filter(workspace_id=workspace.pk)
    kept.update(expires_at=Least(F("expires_at"), F("at") + timedelta(days=days)))


def forget_expired_exchanges() -> int:
    """Delete what has been stored long enough; return how many those were."""
    deleted, _ = StoredExchange.objects.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _hold_keys(ids: set[UUID]) -> set[UUID]:
    """Return which of the prompt keys are there, and keep those from being deleted until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM keys_promptkey WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [list(ids)])
        return {key for (key,) in cursor.fetchall()}


def _row(record: ExchangeRecord) -> StoredExchange:
    return StoredExchange(
        id=record.attempt,
        request_id=record.request_id,
        workspace_id=record.workspace,
        gateway_key_id=record.gateway_key,
        prompt_key_id=record.prompt_key,
        at=time_of(record.at_us),
        expires_at=time_of(record.expires_at_us),
        sealed_request=record.sealed_request,
        sealed_answer=record.sealed_answer,
        request_bytes=record.request_bytes,
        answer_bytes=record.answer_bytes,
        is_request_cut=record.is_request_cut,
        is_answer_cut=record.is_answer_cut,
    )
