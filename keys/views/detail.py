"""The page of one provider key: its state, versions, checks and changes, and what can be done to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from keys.changes import change_words
from keys.forms import DeleteForm, EditKeyForm, MessageForm
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import (
    NameTaken,
    SecretRequired,
    VersionRevoked,
    delete_provider_key,
    edit_provider_key,
    request_test_call,
    set_provider_key_enabled,
    use_provider_key_again,
)
from keys.status import Status, status_of_call, word_of_version
from keys.views.finding import find_key, unless_deleted
from keys.views.listing import key_rows
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog
from teams.models import AuditEvent
from usage.models import LastUse
from usage.queries import usage_report
from usage.ranges import Grain

SHOWN_CALLS, SHOWN_EVENTS = 20, 20


@dataclass(frozen=True)
class VersionRow:
    """A version as the key's page shows it."""

    version: KeyVersion
    status: Status
    last_call: TestCall | None
    check: Status
    last_used_at: datetime | None


@dataclass(frozen=True)
class CallRow:
    """A test call as the key's page shows it."""

    call: TestCall
    status: Status


@dataclass(frozen=True)
class ChangeRow:
    """A change as the key's page shows it."""

    event: AuditEvent
    words: str


@require_safe
@requires(Right.READ_PROVIDER_KEYS)
def key_detail(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    key = find_key(request, key_id)
    [row] = key_rows(request.workspace, [key])
    calls = list(
        TestCall.objects.filter(version__provider_key=key).select_related("version__provider_key")[:SHOWN_CALLS]
    )
    events = AuditEvent.objects.filter(workspace=request.workspace, object_id=str(key.pk))
    context = {
        "key": key,
        "row": row,
        "versions": _version_rows(key),
        "calls": [CallRow(call, status_of_call(call)) for call in calls],
        "is_waiting": any(not call.is_done for call in calls),
        "changes": [ChangeRow(event, change_words(event)) for event in events[:SHOWN_EVENTS]],
        "message_form": MessageForm(key=key),
        "may_manage": request.may(Right.MANAGE_PROVIDER_KEYS),
    }
    return render(request, "keys/detail.html", context)


@require_POST
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_check(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Queue a free check of the version in use, or of the one named by ``version``."""
    return _queue_call(request, find_key(request, key_id), TestCall.Kind.CHECK)


@require_POST
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_message(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Queue one small message to the chosen model."""
    key = find_key(request, key_id)
    form = MessageForm(request.POST, key=key)
    if not form.is_valid():
        messages.error(request, "Choose a model of this provider for the test message.")
        return redirect(key)
    return _queue_call(request, key, TestCall.Kind.MESSAGE, model=form.cleaned_data["model"])


@never_cache
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_edit(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Change everything but the secret, which is asked for only when the key moves to another origin."""
    key = find_key(request, key_id)
    form = EditKeyForm(request.POST or None, request.FILES or None, key=key)
    if form.is_valid():
        try:
            edit_provider_key(key, changes=form.changes(), secret=form.cleaned_data["secret"], actor=request.user)
        except NameTaken as error:
            form.add_error("name", str(error))
        except SecretRequired as error:
            form.add_error(form.first_credential_field, str(error))
        else:
            messages.success(request, "Saved.")
            return leave_dialog(request, key.get_absolute_url())
    return render(request, "keys/edit.html", {"key": key, "form": form}, status=422 if form.is_bound else 200)


@require_POST
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_use_again(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Let the gateway call with all that it had set aside of this key."""
    key = find_key(request, key_id)
    use_provider_key_again(key, actor=request.user)
    messages.success(request, f"“{key.name}” is used again. What still fails is set aside again.")
    return redirect(key)


@require_POST
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_enable(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    key = set_provider_key_enabled(find_key(request, key_id), enabled=True, actor=request.user)
    messages.success(request, f"“{key.name}” is enabled: the gateway uses it again.")
    return redirect(key)


@require_POST
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_disable(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    key = set_provider_key_enabled(find_key(request, key_id), enabled=False, actor=request.user)
    messages.success(request, f"“{key.name}” is disabled: the gateway does not use it until it is enabled.")
    return redirect(key)


@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_delete(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Ask for the name, then take the key out of service and wipe its secrets."""
    key = find_key(request, key_id)
    form = DeleteForm(request.POST or None, key=key)
    if form.is_valid():
        delete_provider_key(key, actor=request.user)
        messages.success(request, f"“{key.name}” is deleted. Its usage stays.")
        return leave_dialog(request, reverse("keys:list", args=[request.workspace.slug]))
    others = ProviderKey.objects.in_workspace(request.workspace).filter(provider=key.provider, enabled=True)
    context = {
        "key": key,
        "form": form,
        "recent_requests": _requests_of_last_day(key),
        "has_others": others.exclude(pk=key.pk).exists(),
    }
    return render(request, "keys/delete.html", context, status=422 if form.is_bound else 200)


def _queue_call(request: WorkspaceRequest, key: ProviderKey, kind: TestCall.Kind, *, model: str = "") -> HttpResponse:
    number = request.POST.get("version", "")
    version = get_object_or_404(key.versions, number=number) if number.isdecimal() else key.versions.active().first()
    try:
        if version is None:
            raise VersionRevoked("No version is in use. Rotate: paste a secret first.")
        request_test_call(version, kind=kind, model=model, actor=request.user)
    except VersionRevoked as error:
        messages.error(request, str(error))
    return redirect(key)


def _version_rows(key: ProviderKey) -> list[VersionRow]:
    used: Mapping[int, datetime] = dict(LastUse.objects.filter(key_id=key.pk).values_list("version", "at"))
    # Of each version by itself: many calls of one would leave none of another among the newest.
    calls = TestCall.objects.filter(version__provider_key=key).select_related("version__provider_key")
    last_calls = calls.order_by("version_id", "-queued_at").distinct("version_id")
    newest = {call.version_id: call for call in last_calls}
    versions = key.versions.defer("ciphertext", "wrapped_data_key", "fingerprint")
    return [
        VersionRow(
            version=version,
            status=word_of_version(version),
            last_call=newest.get(version.pk),
            check=status_of_call(newest.get(version.pk)),
            last_used_at=used.get(version.number),
        )
        for version in versions
    ]


def _requests_of_last_day(key: ProviderKey) -> int:
    begin = timezone.now() - timedelta(days=1)
    filters = {"provider_key": str(key.pk)}
    return usage_report(key.workspace, begin=begin, grain=Grain.TOTAL, filters=filters).totals.requests
