"""Writing the audit log."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from teams.models import AuditEvent, GatewayKey, User, Workspace

# Whoever may change things: a person on a page, or a management key over the REST API.
Actor = User | GatewayKey


def record_event(
    actor: Actor | None,
    action: str,
    subject: models.Model,
    *,
    workspace: Workspace,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write one audit row; call it inside the transaction of the change. Never pass a secret."""
    return AuditEvent.objects.create(
        workspace=workspace,
        actor=_name_of(actor),
        action=action,
        object_type=subject._meta.model_name or "",
        object_id=str(subject.pk),
        object_name=str(subject)[:200],
        before=dict(before or {}),
        after=dict(after or {}),
    )


def _name_of(actor: Actor | None) -> str:
    if actor is None:
        return "system"
    return actor.email if isinstance(actor, User) else f"management key {actor.name}"
