"""Which models a visitor asked to see, and in what order. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from catalog.index import Capability, CatalogEntry, CatalogIndex, ModelEntry
from catalog.prices import Price, Rates
from catalog.providers import Provider
from catalog.targets import Reach, why_not_callable

# Whose price a row shows unless a provider is asked for: the makers' own.
_SHOWN_FIRST = ("anthropic", "openai")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; an empty value does not narrow. ``min_context`` is in tokens."""

    text: str = ""
    provider: str = ""
    capability: str = ""
    min_context: int = 0
    connected_only: bool = False

    @property
    def is_narrowing(self) -> bool:
        """Whether any model may be left out."""
        return self != Filters()


@dataclass(frozen=True, slots=True)
class BarredProvider:
    """A provider whose keys work, but not for this model; ``why_not`` is half a sentence, as in catalog.targets."""

    provider: Provider
    why_not: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list, with the offering whose price is shown and who else offers it, each provider once."""

    info: ModelEntry
    shown: CatalogEntry
    price: Price
    is_retired: bool
    connected_providers: list[Provider]
    barred_providers: list[BarredProvider]
    failing_providers: list[Provider]
    other_providers: list[Provider]

    @property
    def rates(self) -> Rates:
        """The rates of an ordinary request, one below every long-context bound."""
        return self.price.base

    @property
    def open_providers(self) -> list[Provider]:
        """Those that could be connected."""
        return [provider for provider in self.other_providers if provider.is_callable]

    @property
    def coming_providers(self) -> list[Provider]:
        """Those that this product cannot call yet."""
        return [provider for provider in self.other_providers if not provider.is_callable]


def browse(
    index: CatalogIndex,
    filters: Filters,
    *,
    reach: Reach,
    now: datetime,
    sort: str = "",
) -> list[ModelRow]:
    """Return the models that ``filters`` leaves, each with its price at ``now``.

    ``reach`` is what the workspace's keys let it call. ``sort`` is a name of SORTS, with ``-`` in front for
    descending; anything else is the newest first. Models without the value sorted by come last either way.
    """
    rows: dict[str, ModelRow] = {}
    for entry in index.entries:
        if entry.model not in rows and _has_what_is_asked(entry.info, filters):
            offerings = [each for each in index.of_model(entry.model) if _is_asked_for(each, filters, reach, now)]
            if offerings:
                rows[entry.model] = _row(offerings, reach, now)
    return _sorted(list(rows.values()), sort)


def _has_what_is_asked(model: ModelEntry, filters: Filters) -> bool:
    words = filters.text.lower().split()
    about = " ".join([model.name, model.slug, *model.aliases, model.strengths, model.best_for]).lower()
    return (
        all(word in about for word in words)
        and (not filters.capability or model.can(Capability(filters.capability)))
        and model.context_tokens >= filters.min_context
    )


def _is_asked_for(entry: CatalogEntry, filters: Filters, reach: Reach, now: datetime) -> bool:
    is_right_provider = not filters.provider or entry.provider == filters.provider
    return is_right_provider and (not filters.connected_only or not why_not_callable(entry, reach, now))


def _row(offerings: list[CatalogEntry], reach: Reach, now: datetime) -> ModelRow:
    shown = next((entry for entry in offerings if entry.provider in _SHOWN_FIRST), offerings[0])
    whys: dict[Provider, str] = {}
    for entry in offerings:
        # One offering that can be called is enough.
        whys[entry.provider_info] = whys.get(entry.provider_info, "?") and why_not_callable(entry, reach, now)
    keyed = [provider for provider in whys if provider.slug in reach.targets]
    working = [provider for provider in keyed if provider.slug not in reach.failing]
    return ModelRow(
        info=shown.info,
        shown=shown,
        price=shown.price_at(now),
        is_retired=shown.is_retired_at(now),
        connected_providers=[provider for provider in working if not whys[provider]],
        barred_providers=[BarredProvider(provider, whys[provider]) for provider in working if whys[provider]],
        failing_providers=[provider for provider in keyed if provider not in working],
        other_providers=[provider for provider in whys if provider not in keyed],
    )


# The columns of numbers that the list can be sorted by, besides the name; short, for there are many.
NUMBER_COLUMNS = {
    "context": "Context",
    "max_output": "Max output",
    "uncached_input": "Uncached input",
    "cache_read_input": "Read",
    "cache_write_5m_input": "Write 5 m",
    "cache_write_1h_input": "Write 1 h",
    "output": "Output",
}


SORTS: dict[str, Callable[[ModelRow], Any]] = {
    "name": lambda row: row.info.name.lower(),
    "context": lambda row: row.info.context_tokens,
    "max_output": lambda row: row.info.max_output_tokens,
    "uncached_input": lambda row: row.rates.uncached_input,
    "cache_read_input": lambda row: row.rates.cache_read_input,
    "cache_write_5m_input": lambda row: row.rates.cache_write_5m_input,
    "cache_write_1h_input": lambda row: row.rates.cache_write_1h_input,
    "output": lambda row: row.rates.output,
}


def _newest_first(rows: list[ModelRow]) -> list[ModelRow]:
    """Return the rows by the day they came out; where nobody published it, behind the one before in the catalog."""
    days, last = [], date.max
    for row in rows:
        last = row.info.released_on or last
        days.append(last)
    order = sorted(range(len(rows)), key=days.__getitem__, reverse=True)
    return [rows[place] for place in order]


def _sorted(rows: list[ModelRow], sort: str) -> list[ModelRow]:
    value = SORTS.get(sort.removeprefix("-"))
    if value is None:
        return _newest_first(rows)
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    return sorted(known, key=value, reverse=sort.startswith("-")) + unknown
