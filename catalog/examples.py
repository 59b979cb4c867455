"""Which model the snippets of a new gateway key ask for. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from catalog.index import CatalogIndex
from catalog.models import ROUTE_PREFIX
from catalog.providers import PROVIDERS
from catalog.routes import RouteSpec
from catalog.targets import Reach, why_not
from teams.scopes import is_model_allowed

# The product page's own example.
_FAVOURITE_MODEL: Final = "/claude-sonnet-4-6"


def choose_example(
    index: CatalogIndex,
    reach: Reach,
    routes: Sequence[RouteSpec],
    *,
    models_allowed: Sequence[str],
    checked: Collection[str],
    now: datetime,
) -> str:
    """Return the model string to try first with a key whose ``models_allowed`` these are, else the first route's.

    Empty if no call can succeed within ``reach``. Providers none of whose keys works go last, those in ``checked``,
    whose key passed a check, first, and then real ones before the simulated.
    """

    def rank(model_string: str) -> tuple[bool, bool, bool, bool]:
        provider = model_string.partition("/")[0]
        is_simulated = PROVIDERS[provider].is_simulated
        is_favourite = model_string.endswith(_FAVOURITE_MODEL)
        return provider in reach.failing, provider not in checked, is_simulated, not is_favourite

    # A key that fails may work in a minute, and its error says more than no example would.
    hoped = replace(reach, failing=())
    models = _models(index, hoped, models_allowed, now)
    return min(models, key=rank, default="") or next(_routes(index, hoped, routes, models_allowed, now), "")


def _models(index: CatalogIndex, reach: Reach, allowed: Sequence[str], now: datetime) -> list[str]:
    listed = [entry.model_string for entry in index.callable_entries() if is_model_allowed(entry.model_string, allowed)]
    # A whole model string may be one that no catalog lists.
    written = [name for name in allowed if not name.endswith("*") and not name.startswith(ROUTE_PREFIX)]
    return [name for name in dict.fromkeys([*listed, *written]) if not why_not(name, index, reach, now)]


def _routes(
    index: CatalogIndex, reach: Reach, routes: Sequence[RouteSpec], allowed: Sequence[str], now: datetime
) -> Iterator[str]:
    for route in routes:
        name = f"{ROUTE_PREFIX}{route.name}"
        within = replace(reach, allowed_regions=[*reach.allowed_regions, route.allowed_regions])
        leads = any(not why_not(target.model_string, index, within, now) for target in route.targets)
        if route.enabled and leads and is_model_allowed(name, allowed):
            yield name
