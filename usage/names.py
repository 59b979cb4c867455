"""The names of the keys and projects whose ids stand in the ledger, those of deleted, revoked and archived ones too."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
# What people know two of one name apart by; a project has nothing but its id.
_TELLING = {"provider_key": "provider", "gateway_key": "public_id", "project": "name"}
_ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Naming:
    """What a key or project is called, and the same as pages show it: told apart from others of its name."""

    name: str
    label: str


def names_of(workspace: Workspace, dimension: str, ids: Iterable[UUID | None]) -> dict[UUID, Naming]:
    """Return the names of those ``ids`` that are of ``workspace``; ``dimension`` is one of NAMED_DIMENSIONS."""
    wanted = [one for one in ids if one is not None]
    if not wanted:
        return {}
    named = _MODELS[dimension]._default_manager.filter(workspace=workspace, pk__in=wanted)
    return _told_apart(list(named.values_list("pk", "name", _TELLING[dimension])))


def _told_apart(rows: list[tuple[UUID, str, str]]) -> dict[UUID, Naming]:
    names, told = Counter(name for _, name, _ in rows), Counter((name, telling) for _, name, telling in rows)
    namings = {}
    for pk, name, telling in rows:
        addition = telling if told[name, telling] == 1 else str(pk)[:_ID_DIGITS]
        namings[pk] = Naming(name, name if names[name] == 1 else f"{name} ({addition})")
    return namings
