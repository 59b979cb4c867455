"""Which models a route can lead to, and why one of them cannot be called now. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from catalog.index import CatalogEntry, CatalogIndex, UnknownModel, is_passable_id
from catalog.providers import PROVIDERS, Provider
from catalog.regions import is_region_allowed
from providers.base import Target, WrongRegion
from providers.registry import PROVIDER_APIS


@dataclass(frozen=True, slots=True)
class Reach:
    """What a workspace can call: where the keys in use of each provider lead, and each list of allowed regions.

    ``failing`` are the providers none of whose keys works.
    """

    targets: Mapping[str, Sequence[Target]]
    allowed_regions: Sequence[Sequence[str]] = ()
    failing: Collection[str] = ()

    def allows(self, region: str) -> bool:
        """Whether every list of allowed regions lets a call be served in ``region``."""
        return all(is_region_allowed(region, allowed) for allowed in self.allowed_regions)


@dataclass(frozen=True, slots=True)
class TargetOption:
    """A model as a route's form offers it; ``why_not`` is half a sentence, '' where it can be called now."""

    model_string: str
    why_not: str = ""

    @property
    def label(self) -> str:
        """Both in one line."""
        return f"{self.model_string} ({self.why_not})" if self.why_not else self.model_string


def target_options(index: CatalogIndex, reach: Reach, now: datetime) -> list[TargetOption]:
    """Return every model string, in the catalog's order; one that means several offerings goes by the first."""
    first = {entry.model_string: entry for entry in reversed(index.entries)}
    strings = dict.fromkeys(entry.model_string for entry in index.entries)
    return [TargetOption(string, why_not_callable(first[string], reach, now)) for string in strings]


def why_not(model_string: str, index: CatalogIndex, reach: Reach, now: datetime) -> str:
    """Return why a call of ``model_string`` would fail now, '' if it would not."""
    provider, _, name = model_string.partition("/")
    try:
        return why_not_callable(index.resolve(model_string), reach, now)
    except UnknownModel:
        passes = is_passable_id(provider, name)
        return _why_out_of_reach(PROVIDERS[provider], name, reach) if passes else "no longer in the catalog"


def why_not_callable(entry: CatalogEntry, reach: Reach, now: datetime) -> str:
    """Return why a call of the offering would fail now, '' if it would not."""
    if entry.is_retired_at(now):
        return f"retired since {entry.retires_on}"
    return _why_out_of_reach(entry.provider_info, entry.upstream_id, reach)


def _why_out_of_reach(provider: Provider, upstream_id: str, reach: Reach) -> str:
    targets = reach.targets.get(provider.slug)
    if not provider.is_callable:
        return f"{provider.name} is coming"
    if not targets:
        return f"{provider.name} is not connected"
    if provider.slug in reach.failing:
        return f"no key of {provider.name} works"
    regions = list(_regions(provider, upstream_id, targets))
    if not regions:
        return f"no key of {provider.name} has a region for it"
    return "" if any(map(reach.allows, regions)) else "outside the allowed regions"


def _regions(provider: Provider, upstream_id: str, targets: Sequence[Target]) -> Iterator[str]:
    """Return where the model is served by each key that can call it."""
    for target in targets:
        with suppress(WrongRegion):
            yield PROVIDER_APIS[provider.slug].region_of(upstream_id, target)
