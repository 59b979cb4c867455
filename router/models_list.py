"""The lists of models a gateway key can call: those of the catalog whose provider has a key in use. Pure."""

from uuid import UUID

import msgspec

from catalog.index import CatalogEntry
from router.dialects.base import RequestRefused
from router.snapshot import Snapshot

# Models have no creation time of their own here; clients want the field to be there.
_CREATED = 0
_CREATED_AT = "1970-01-01T00:00:00Z"


def router_models(snapshot: Snapshot, workspace: UUID) -> bytes:
    """Return the list in OpenAI's shape."""
    data = [_as_router_model(entry) for entry in _callable(snapshot, workspace)]
    return msgspec.json.encode({"object": "list", "data": data})


def router_model(snapshot: Snapshot, workspace: UUID, name: str) -> bytes:
    """Return one model in OpenAI's shape; raises RequestRefused (404)."""
    for entry in _callable(snapshot, workspace):
        if entry.model_string == name:
            return msgspec.json.encode(_as_router_model(entry))
    raise RequestRefused(f"There is no model {name} for this key.", status=404, code="model_not_found")


def native_models(snapshot: Snapshot, workspace: UUID) -> bytes:
    """Return the list in Anthropic's shape; Anthropic's own models under their bare ids."""
    data = [_as_native_model(entry) for entry in _callable(snapshot, workspace)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return msgspec.json.encode({"data": data, "has_more": False, "first_id": first, "last_id": last})


def native_model(snapshot: Snapshot, workspace: UUID, name: str) -> bytes:
    """Return one model in Anthropic's shape, by any name the catalog has for it; raises RequestRefused (404)."""
    provider, slash, rest = name.partition("/")
    wanted = snapshot.catalog.find(provider, rest) if slash else snapshot.catalog.find("anthropic", name)
    for entry in _callable(snapshot, workspace):
        if entry is wanted:
            return msgspec.json.encode(_as_native_model(entry))
    raise RequestRefused(f"model: {name}", status=404, code="model_not_found")


def _callable(snapshot: Snapshot, workspace: UUID) -> list[CatalogEntry]:
    connected = {provider for owner, provider in snapshot.provider_keys if owner == workspace}
    return [entry for entry in snapshot.catalog.callable_entries() if entry.provider in connected]


def _as_router_model(entry: CatalogEntry) -> dict[str, object]:
    return {"id": entry.model_string, "object": "model", "created": _CREATED, "owned_by": entry.provider}


def _as_native_model(entry: CatalogEntry) -> dict[str, str]:
    return {
        "type": "model",
        "id": entry.upstream_id if entry.provider == "anthropic" else entry.model_string,
        "display_name": entry.info.name,
        "created_at": _CREATED_AT,
    }
