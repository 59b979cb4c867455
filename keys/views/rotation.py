"""Rotation: a new secret beside the old one, the switch, and the end of a version."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from keys.credential_forms import CredentialForm
from keys.forms import SimulatedSecretForm, SwitchForm
from keys.models import KeyVersion, ProviderKey
from keys.services import VersionRevoked, add_version, promote_version, revoke_version, versions_with_same_secret
from keys.status import status_of_call
from keys.views.finding import find_key, find_version, unless_deleted
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog


@never_cache
@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def key_rotate(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Store a new secret as a draft and check it; traffic stays on the version in use until the switch."""
    key = find_key(request, key_id)
    form = _secret_form(request, key)
    same_secret: list[KeyVersion] = []
    if form.is_valid():
        if "save_anyway" not in request.POST:
            same_secret = versions_with_same_secret(request.workspace, form.cleaned_data["secret"])
        if not same_secret:
            add_version(key, secret=form.cleaned_data["secret"], actor=request.user)
            return leave_dialog(request, key.get_absolute_url())
    context = {"key": key, "form": form, "same_secret": same_secret}
    return render(request, "keys/rotate.html", context, status=422 if form.is_bound else 200)


def _secret_form(request: WorkspaceRequest, key: ProviderKey) -> CredentialForm | SimulatedSecretForm:
    # A simulated key's form has no fields: only the method tells whether it was sent.
    data = request.POST if request.method == "POST" else None
    if key.provider_info.is_simulated:
        return SimulatedSecretForm(data)
    return CredentialForm(data, request.FILES or None, provider=key.provider_info, base_url=key.base_url)


@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def version_switch(request: WorkspaceRequest, key_id: UUID, number: int) -> HttpResponse:
    """Send traffic with this version; the one in use stands by for a while."""
    version = find_version(request, key_id, number)
    key = version.provider_key
    form = SwitchForm(request.POST or None)
    if form.is_valid():
        try:
            promote_version(version, grace=form.cleaned_data["grace"], actor=request.user)
        except VersionRevoked as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Version {version.number} is in use now.")
        return leave_dialog(request, key.get_absolute_url())
    call = version.test_calls.first()
    context = {
        "key": key,
        "version": version,
        "form": form,
        "check": status_of_call(call),
        "in_use": key.versions.active().first(),
    }
    return render(request, "keys/switch.html", context, status=422 if form.is_bound else 200)


@requires(Right.MANAGE_PROVIDER_KEYS)
@unless_deleted
def version_revoke(request: WorkspaceRequest, key_id: UUID, number: int) -> HttpResponse:
    """Ask, then end this version here."""
    version = find_version(request, key_id, number)
    if request.method == "POST":
        revoke_version(version, actor=request.user)
        messages.success(request, f"Version {version.number} is revoked.")
        return leave_dialog(request, version.provider_key.get_absolute_url())
    return render(request, "keys/revoke.html", {"key": version.provider_key, "version": version})
