"""Finding the key or version that a page is about, and what to do once it is gone."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from keys.models import KeyVersion, ProviderKey
from keys.services import KeyDeleted
from teams.access import WorkspaceRequest
from teams.dialogs import leave_dialog

P = ParamSpec("P")


def find_key(request: WorkspaceRequest, key_id: UUID) -> ProviderKey:
    """Return the key; one of another workspace, or a deleted one, is a 404."""
    return get_object_or_404(ProviderKey.objects.in_workspace(request.workspace).select_related("workspace"), pk=key_id)


def find_version(request: WorkspaceRequest, key_id: UUID, number: int) -> KeyVersion:
    """Return a version of the key; Http404 as for the key itself."""
    versions = KeyVersion.objects.in_workspace(request.workspace).select_related("provider_key__workspace")
    return get_object_or_404(versions, provider_key=key_id, number=number)


def unless_deleted(
    view: Callable[Concatenate[WorkspaceRequest, P], HttpResponse],
) -> Callable[Concatenate[WorkspaceRequest, P], HttpResponse]:
    """Lead to the list of keys, and say why, where somebody deletes the key while ``view`` is about to change it."""

    @wraps(view)
    def guarded(request: WorkspaceRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except KeyDeleted as error:
            messages.error(request, str(error))
            return leave_dialog(request, reverse("keys:list", args=[request.workspace.slug]))

    return guarded
