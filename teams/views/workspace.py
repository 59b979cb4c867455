"""A workspace's settings, and the first steps that Overview reminds of."""

from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalog.regions import describe_regions
from keys.models import KeyVersion, PromptKey
from keys.services import keyring
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog
from teams.forms import CallRulesForm, WorkspaceForm
from teams.models import Workspace
from teams.services import confirm_master_key_copy, dismiss_checklist, edit_call_rules, edit_workspace
from usage.models import StoredExchange


@dataclass(frozen=True)
class MasterKeyRow:
    """A master key by its id, and how many secrets of this workspace it wraps."""

    id: str
    is_primary: bool
    is_configured: bool
    secrets: int


@requires(Right.MANAGE_WORKSPACE)
def settings_page(request: WorkspaceRequest) -> HttpResponse:
    """The workspace's name and zone, and the master keys its secrets are sealed with."""
    workspace = request.workspace
    form = WorkspaceForm(request.POST or None, initial={"name": workspace.name, "time_zone": workspace.time_zone})
    if form.is_valid():
        edit_workspace(workspace, **form.cleaned_data, actor=request.user)
        messages.success(request, "Saved.")
        return redirect("teams:settings", workspace.slug)
    context = {
        "form": form,
        "allowed_regions": describe_regions(workspace.allowed_regions),
        "master_keys": _master_keys(workspace),
        "stored_prompts": StoredExchange.objects.in_workspace(workspace).count(),
        "master_keys_file": "" if settings.MASTER_KEYS else settings.MASTER_KEYS_FILE,
    }
    return render(request, "teams/settings.html", context, status=422 if form.is_bound else 200)


@requires(Right.MANAGE_WORKSPACE)
def call_rules(request: WorkspaceRequest) -> HttpResponse:
    """Where models may be called, and what the gateway does of its own accord."""
    workspace = request.workspace
    # With nothing ticked a browser posts no field of this form, which is an answer too.
    posted = request.POST if request.method == "POST" else None
    form = CallRulesForm(posted, initial={name: getattr(workspace, name) for name in CallRulesForm.base_fields})
    if form.is_valid():
        edit_call_rules(workspace, **form.cleaned_data, actor=request.user)
        messages.success(request, "Saved. The gateway goes by it from now on.")
        return leave_dialog(request, reverse("teams:settings", args=[workspace.slug]))
    return render(request, "teams/call_rules.html", {"form": form}, status=422 if form.is_bound else 200)


@require_POST
@requires(Right.MANAGE_WORKSPACE)
def master_key_copied(request: WorkspaceRequest) -> HttpResponse:
    confirm_master_key_copy(request.workspace, actor=request.user)
    messages.success(request, "Noted: a copy of the master key is kept elsewhere.")
    return redirect("teams:settings", request.workspace.slug)


@require_POST
@requires(Right.MANAGE_WORKSPACE)
def checklist_dismiss(request: WorkspaceRequest) -> HttpResponse:
    dismiss_checklist(request.workspace, actor=request.user)
    return redirect(request.workspace)


def _master_keys(workspace: Workspace) -> list[MasterKeyRow]:
    """Return the configured master keys, then those that stored secrets need and nobody configured."""
    usable = KeyVersion.objects.in_workspace(workspace).exclude(state=KeyVersion.State.REVOKED)
    wrapped = Counter(usable.values_list("master_key_id", flat=True))
    wrapped.update(PromptKey.objects.filter(workspace=workspace).values_list("master_key_id", flat=True))
    configured = keyring().ids
    missing = sorted(wrapped.keys() - set(configured))
    return [
        MasterKeyRow(key_id, key_id == configured[0], key_id in configured, wrapped[key_id])
        for key_id in [*configured, *missing]
    ]
