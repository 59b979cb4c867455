"""The names of the keys and projects whose ids stand in the ledger, those of deleted, revoked and archived ones too."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from keys.models import ProviderKey
from teams.models import GatewayKey, Project, Workspace

# These dimensions are ids; a name stands beside them.
_MODELS: Mapping[str, type[ProviderKey | GatewayKey | Project]] = {
    "provider_key": ProviderKey,
    "gateway_key": GatewayKey,
    "project": Project,
}
NAMED_DIMENSIONS = tuple(_MODELS)


def names_of(workspace: Workspace, dimension: str, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of those ``ids`` that are of ``workspace``; ``dimension`` is one of NAMED_DIMENSIONS."""
    wanted = [one for one in ids if one is not None]
    if not wanted:
        return {}
    named = _MODELS[dimension]._default_manager.filter(workspace=workspace, pk__in=wanted)
    return dict(named.values_list("pk", "name"))
