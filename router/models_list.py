"""The lists of models a gateway key can call: what it may, of what a provider key in use can serve. Pure."""

from collections.abc import Sequence

import msgspec

from catalog.index import CatalogEntry, is_passable_id
from catalog.models import ROUTE_PREFIX
from catalog.regions import is_region_allowed
from providers.base import WrongRegion
from providers.registry import PROVIDER_APIS
from router.dialects.base import RequestRefused
from router.snapshot import GatewayKeyEntry, ProviderKeyEntry, RouteEntry, Snapshot
from teams.scopes import is_model_allowed

# Models have no creation time of their own here; clients want the field to be there.
_CREATED = 0
_CREATED_AT = "1970-01-01T00:00:00Z"


def router_models(snapshot: Snapshot, key: GatewayKeyEntry) -> bytes:
    """Return the list in OpenAI's shape: models, then routes."""
    data = [_as_router_model(entry) for entry in _callable(snapshot, key)]
    data += [_as_router_route(route) for route in _routes(snapshot, key)]
    return msgspec.json.encode({"object": "list", "data": data})


def router_model(snapshot: Snapshot, key: GatewayKeyEntry, name: str) -> bytes:
    """Return one model or route in OpenAI's shape; raises RequestRefused (404)."""
    for entry in _callable(snapshot, key):
        if entry.model_string == name:
            return msgspec.json.encode(_as_router_model(entry))
    for route in _routes(snapshot, key):
        if _model_string(route).lower() == name.lower():
            return msgspec.json.encode(_as_router_route(route))
    raise RequestRefused(f"There is no model {name} for this key.", status=404, code="model_not_found")


def native_models(snapshot: Snapshot, key: GatewayKeyEntry) -> bytes:
    """Return the list in Anthropic's shape; Anthropic's own models under their bare ids."""
    data = [_as_native_model(entry) for entry in _callable(snapshot, key)]
    data += [_as_native_route(route) for route in _routes(snapshot, key)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return msgspec.json.encode({"data": data, "has_more": False, "first_id": first, "last_id": last})


def native_model(snapshot: Snapshot, key: GatewayKeyEntry, name: str) -> bytes:
    """Return one model in Anthropic's shape, by any name the catalog has for it; raises RequestRefused (404)."""
    provider, slash, rest = name.partition("/")
    wanted = snapshot.catalog.find(provider, rest) if slash else snapshot.catalog.find("anthropic", name)
    for entry in _callable(snapshot, key):
        if entry is wanted:
            return msgspec.json.encode(_as_native_model(entry))
    for route in _routes(snapshot, key):
        if _model_string(route).lower() == name.lower():
            return msgspec.json.encode(_as_native_route(route))
    raise RequestRefused(f"model: {name}", status=404, code="model_not_found")


def _callable(snapshot: Snapshot, key: GatewayKeyEntry) -> list[CatalogEntry]:
    return [entry for entry in snapshot.catalog.callable_entries() if _can_call(snapshot, key, entry)]


def _can_call(snapshot: Snapshot, key: GatewayKeyEntry, entry: CatalogEntry) -> bool:
    if not is_model_allowed(entry.model_string, key.models_allowed):
        return False
    provider_keys = snapshot.provider_keys.get((key.workspace, entry.provider), ())
    return any(_can_serve(snapshot, key, entry, provider_key) for provider_key in provider_keys)


def _can_serve(
    snapshot: Snapshot,
    key: GatewayKeyEntry,
    entry: CatalogEntry,
    provider_key: ProviderKeyEntry,
    route_regions: Sequence[str] = (),
) -> bool:
    try:
        region = PROVIDER_APIS[entry.provider].region_of(entry.upstream_id, provider_key.target)
    except WrongRegion:
        return False
    workspace = snapshot.workspaces[key.workspace]
    rules = (workspace.allowed_regions, key.project_regions, key.allowed_regions, route_regions)
    return all(is_region_allowed(region, allowed) for allowed in rules)


def _routes(snapshot: Snapshot, key: GatewayKeyEntry) -> list[RouteEntry]:
    """Return the routes of the key's workspace that it may call, with a target that can be served."""
    return [
        route
        for (workspace, _), route in snapshot.routes.items()
        if workspace == key.workspace
        and is_model_allowed(_model_string(route), key.models_allowed)
        and any(_can_reach(snapshot, key, route, target.model) for target in route.targets)
    ]


def _can_reach(snapshot: Snapshot, key: GatewayKeyEntry, route: RouteEntry, target: str) -> bool:
    provider, _, name = target.partition("/")
    entry = snapshot.catalog.find(provider, name)
    provider_keys = snapshot.provider_keys.get((key.workspace, provider), ())
    if entry is None:
        # An id that only its provider knows; nobody can tell where it is served.
        return bool(provider_keys) and is_passable_id(provider, name)
    return any(_can_serve(snapshot, key, entry, each, route.allowed_regions) for each in provider_keys)


def _model_string(route: RouteEntry) -> str:
    return f"{ROUTE_PREFIX}{route.name}"


def _as_router_model(entry: CatalogEntry) -> dict[str, object]:
    return {"id": entry.model_string, "object": "model", "created": _CREATED, "owned_by": entry.provider}


def _as_router_route(route: RouteEntry) -> dict[str, object]:
    return {"id": _model_string(route), "object": "model", "created": _CREATED, "owned_by": "route"}


def _as_native_model(entry: CatalogEntry) -> dict[str, str]:
    return {
        "type": "model",
        "id": entry.upstream_id if entry.provider == "anthropic" else entry.model_string,
        "display_name": entry.info.name,
        "created_at": _CREATED_AT,
    }


def _as_native_route(route: RouteEntry) -> dict[str, str]:
    return {"type": "model", "id": _model_string(route), "display_name": route.name, "created_at": _CREATED_AT}
