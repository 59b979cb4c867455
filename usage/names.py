"""The names of the keys whose ids stand in the ledger, those of deleted and revoked keys too."""

from collections.abc import Iterable
from uuid import UUID

from keys.models import ProviderKey
from teams.models import GatewayKey, Workspace

# These dimensions are ids; a name stands beside them.
NAMED_DIMENSIONS = ("provider_key", "gateway_key")


def names_of(workspace: Workspace, dimension: str, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of those ``ids`` that are keys of ``workspace``; ``dimension`` says of which sort."""
    wanted = [one for one in ids if one is not None]
    if not wanted:
        return {}
    if dimension == "provider_key":
        return dict(ProviderKey.objects.filter(workspace=workspace, pk__in=wanted).values_list("pk", "name"))
    return dict(GatewayKey.objects.filter(workspace=workspace, pk__in=wanted).values_list("pk", "name"))
