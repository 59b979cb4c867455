"""The first steps that Overview reminds owners and admins of, until all are done or somebody dismisses them."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from keys.models import KeyVersion, ProviderKey
from teams.access import RIGHTS_OF, Right
from teams.models import AuditEvent, GatewayKey, Membership, Workspace
from teams.services import MASTER_KEY_COPIED
from usage.models import Rollup


@dataclass(frozen=True)
class Step:
    """Something to do once, where it is done, and whether it is."""

    title: str
    hint: str
    href: str
    is_done: bool


def checklist_for(request: HttpRequest) -> list[Step]:
    """Return the steps of this page's workspace; empty where this member need not be reminded. Five queries."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None or Right.MANAGE_WORKSPACE not in RIGHTS_OF[membership.role]:
        return []
    workspace = membership.workspace
    if workspace.checklist_dismissed_at:
        return []
    steps = _steps(workspace)
    return [] if all(step.is_done for step in steps) else steps


def _steps(workspace: Workspace) -> list[Step]:
    provider_keys = reverse("keys:list", args=[workspace.slug])
    keys = ProviderKey.objects.in_workspace(workspace)
    return [
        Step(
            "Connect a provider",
            "Paste a key of yours, or use the simulated provider.",
            provider_keys,
            KeyVersion.objects.in_workspace(workspace).active().exists(),
        ),
        Step(
            "Create a gateway key",
            "One per application; usage is listed by it.",
            reverse("teams:gateway_key_create", args=[workspace.slug]),
            GatewayKey.objects.in_workspace(workspace).for_clients().exists(),
        ),
        Step(
            "Send the first request",
            "The page of a new gateway key has the code to copy.",
            reverse("teams:gateway_key_list", args=[workspace.slug]),
            Rollup.objects.filter(workspace_id=workspace.pk, kind="live").exists(),
        ),
        Step(
            "Save the master key",
            "Without it nobody can open the stored provider keys, not even from a backup.",
            reverse("teams:settings", args=[workspace.slug]) + "#master-keys",
            AuditEvent.objects.filter(workspace=workspace, action=MASTER_KEY_COPIED).exists(),
        ),
        Step(
            "Plan rotation",
            "Edit a provider key and say how old its secret may get.",
            provider_keys,
            keys.filter(rotate_every_days__isnull=False).exists(),
        ),
    ]
