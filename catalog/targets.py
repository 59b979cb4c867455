"""Which models a route can lead to, and why one of them cannot be called now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.index import CatalogEntry, CatalogIndex, UnknownModel
from catalog.regions import is_region_allowed
from providers.base import Target
from providers.registry import PROVIDER_APIS


@dataclass(frozen=True, slots=True)
class Reach:
    """What a workspace can call: where the keys in use of each provider lead, and each list of allowed regions."""

    targets: Mapping[str, Sequence[Target]]
    allowed_regions: Sequence[Sequence[str]] = ()

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
    try:
        entry = index.resolve(model_string)
    except UnknownModel:
        return "no longer in the catalog"
    return why_not_callable(entry, reach, now)


def why_not_callable(entry: CatalogEntry, reach: Reach, now: datetime) -> str:
    """Return why a call of the offering would fail now, '' if it would not."""
    provider = entry.provider_info
    if not entry.is_callable:
        return f"{provider.name} is coming"
    if entry.is_retired_at(now):
        return f"retired since {entry.retires_on}"
    targets = reach.targets.get(entry.provider)
    if not targets:
        return f"{provider.name} is not connected"
    regions = [PROVIDER_APIS[entry.provider].region_of(entry.upstream_id, target) for target in targets]
    if not any(map(reach.allows, regions)):
        return "outside the allowed regions"
    return ""
