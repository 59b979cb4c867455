"""Finding the key or version that a page is about."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from keys.models import KeyVersion, ProviderKey
from teams.access import WorkspaceRequest


def find_key(request: WorkspaceRequest, key_id: UUID) -> ProviderKey:
    """Return the key; one of another workspace, or a deleted one, is a 404."""
    return get_object_or_404(ProviderKey.objects.in_workspace(request.workspace).select_related("workspace"), pk=key_id)


def find_version(request: WorkspaceRequest, key_id: UUID, number: int) -> KeyVersion:
    """Return a version of the key; Http404 as for the key itself."""
    versions = KeyVersion.objects.in_workspace(request.workspace).select_related("provider_key__workspace")
    return get_object_or_404(versions, provider_key=key_id, number=number)
