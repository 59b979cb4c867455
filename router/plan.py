"""From a request and the snapshot to the attempts worth making, in order. Pure."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from catalog.index import CatalogEntry, CatalogIndex, UnknownModel
from catalog.providers import PROVIDERS
from router.dialects.base import RequestRefused
from router.snapshot import ProviderKeyEntry, Snapshot, VersionEntry


class Candidate(msgspec.Struct, frozen=True):
    """One attempt that can be made: which key's version to send, and what the model is called there."""

    key: ProviderKeyEntry
    version: VersionEntry
    upstream_model: str


class Plan(msgspec.Struct, frozen=True):
    """What answers a request. ``entry`` is None for a model the catalog does not know (native dialect only)."""

    provider: str
    model: str
    entry: CatalogEntry | None
    candidates: Sequence[Candidate]


def make_plan(
    model: str, snapshot: Snapshot, workspace: UUID, *, is_native: bool, integration_id: str | None, now: float
) -> Plan:
    """Return the provider, the model and the keys to try for ``model`` as the client named it.

    Raises RequestRefused: 400 for a name without its provider, 404 for an unknown model, 422 without a usable key.
    """
    provider, slug, upstream_model, entry = _find(model, snapshot.catalog, is_native=is_native)
    keys = snapshot.provider_keys.get((workspace, provider), ())
    if integration_id is not None:
        keys = [key for key in keys if integration_id in (str(key.id), key.name)]
    candidates = [
        Candidate(key, version, upstream_model) for key in keys for version in key.versions if version.usable_at(now)
    ]
    if not candidates:
        raise _no_key(provider, integration_id)
    return Plan(provider, slug, entry, candidates)


def _find(model: str, catalog: CatalogIndex, *, is_native: bool) -> tuple[str, str, str, CatalogEntry | None]:
    if is_native and "/" not in model:
        # The native endpoint's clients send bare ids, and a new model must work on the day it comes out.
        known = catalog.find("anthropic", model)
        if known is None:
            return "anthropic", model, model, None
        return "anthropic", known.model, known.upstream_id, known
    try:
        entry = catalog.resolve(model)
    except UnknownModel as unknown:
        provider, _, name = model.partition("/")
        if is_native and provider in PROVIDERS and PROVIDERS[provider].is_callable and name.startswith("claude-"):
            return provider, name, name, None
        raise RequestRefused(str(unknown), param="model", status=unknown.status, code=unknown.code) from None
    return entry.provider, entry.model, entry.upstream_id, entry


def _no_key(provider: str, integration_id: str | None) -> RequestRefused:
    name = PROVIDERS[provider].name
    if integration_id is not None:
        message = f"No provider key of {name} in use is named “{integration_id}”. See AI Gateway > BYOK."
    elif not PROVIDERS[provider].is_callable:
        message = f"{name} cannot be called by this gateway yet."
    else:
        message = f"No provider key for {name} is in use. Add or enable one under AI Gateway > BYOK."
    return RequestRefused(message, param="model", status=422, code="model_configuration_missing")
