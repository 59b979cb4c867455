"""Bringing the catalog's tables to what its files and the price package say. Safe to repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from django.db import connection, models, transaction
from django.utils import timezone

from catalog.files import CatalogFile, ListedModel, ListedOffering, model_string, read_catalog_files
from catalog.models import Model, Offering, Price
from catalog.periods import Period, plan_succession, published_periods
from catalog.prices import RATE_LABELS
from catalog.queries import read_price

Row = TypeVar("Row", bound=models.Model)

# The simulator stands in for this provider: the same models at the same prices.
_SIMULATED, _STANDS_IN_FOR = "simulated", "anthropic"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did, in rows written."""

    models: int
    offerings: int
    prices: int

    def __str__(self) -> str:
        if not (self.models or self.offerings or self.prices):
            return "The catalog is up to date."
        return f"The catalog changed: {self.models} models, {self.offerings} offerings, {self.prices} prices."


@transaction.atomic
def sync_catalog() -> SyncResult:
    """Make the tables say what the files and the package say, and return what that took.

    Where they say it already nothing is written, so that no gateway reloads. An offering that they dropped
    stays unlisted with its prices, for the ledger refers to them.
    """
    with connection.cursor() as cursor:
        # Two servers may start at once; readers are not held up.
        cursor.execute("LOCK TABLE catalog_model IN SHARE ROW EXCLUSIVE MODE")
    file = read_catalog_files()
    changed_models = _sync_models(file.models)
    changed_offerings = _sync_offerings(file.models)
    return SyncResult(changed_models, changed_offerings, _sync_prices(file))


def _sync_models(listed: Sequence[ListedModel]) -> int:
    wanted = {
        model.slug: {
            "slug": model.slug,
            "name": model.name,
            "family": model.family,
            "rank": rank,
            "context_tokens": model.context_tokens,
            "max_output_tokens": model.max_output_tokens,
            "default_max_tokens": model.default_max_tokens,
            "min_cacheable_tokens": model.min_cacheable_tokens,
            "strengths": model.strengths,
            "best_for": model.best_for,
            "capabilities": [str(capability) for capability in model.capabilities],
            "refuses_temperature_with_top_p": model.refuses_temperature_with_top_p,
            "aliases": list(model.aliases),
            "released_on": model.released_on,
            "efforts": list(model.efforts),
            "structured_outputs": model.structured_outputs,
            "takes_sampling": model.takes_sampling,
            "forces_tools": model.forces_tools,
            "thinking_off": str(model.thinking_off),
            "thinking_off_up_to": model.thinking_off_up_to,
        }
        for rank, model in enumerate(listed, start=1)
    }
    return _write_differences(Model, {model.slug: model for model in Model.objects.all()}, wanted)


def _sync_offerings(listed: Sequence[ListedModel]) -> int:
    ids = dict(Model.objects.values_list("slug", "pk"))
    wanted = {
        (offering.provider, offering.region, ids[model.slug]): {
            "model_id": ids[model.slug],
            "provider": offering.provider,
            "region": offering.region,
            "upstream_id": offering.upstream_id,
            "model_string": model_string(model, offering),
            "retires_on": offering.retires_on,
            "lacks": [str(lack) for lack in model.lacks.get(offering.provider, ())],
            "is_listed": True,
        }
        for model in map(_with_simulated, listed)
        for offering in model.offerings
    }
    existing = {(row.provider, row.region, row.model_id): row for row in Offering.objects.all()}
    dropped = [row for key, row in existing.items() if key not in wanted and row.is_listed]
    for row in dropped:
        row.is_listed = False
    if dropped:
        Offering.objects.bulk_update(dropped, ["is_listed"])
    return len(dropped) + _write_differences(Offering, existing, wanted)


def _with_simulated(model: ListedModel) -> ListedModel:
    mirrored = tuple(
        ListedOffering(provider=_SIMULATED, upstream_id=offering.upstream_id, region=offering.region)
        for offering in model.offerings
        if offering.provider == _STANDS_IN_FOR
    )
    return msgspec.structs.replace(model, offerings=(*model.offerings, *mirrored))


def _sync_prices(file: CatalogFile) -> int:
    now = timezone.now()
    surcharges = _surcharges(file)
    written = 0
    for offering in Offering.objects.listed().select_related("model").prefetch_related("prices"):
        rows = {row.pk: row for row in offering.prices.all()}
        plan = plan_succession([read_price(row) for row in rows.values()], _published(offering, file, surcharges), now)
        withdrawn = {price.id for price in plan.withdrawn if price.id is not None}
        if withdrawn:
            Price.objects.filter(pk__in=withdrawn).delete()
        kept = [row for row in rows.values() if row.pk not in withdrawn]
        if kept and (plan.added or plan.reopened):
            kept[-1].effective_to = plan.added[0].start if plan.added else None
            kept[-1].save(update_fields=["effective_to"])
        Price.objects.bulk_create(_price_rows(offering, plan.added))
        written += len(withdrawn) + len(plan.added)
    return written


def _surcharges(file: CatalogFile) -> dict[tuple[str, str, str], int]:
    return {
        (offering.provider, offering.region, model.slug): offering.surcharge_percent
        for model in file.models
        for offering in model.offerings
    }


def _published(offering: Offering, file: CatalogFile, surcharges: Mapping[tuple[str, str, str], int]) -> list[Period]:
    provider = _STANDS_IN_FOR if offering.provider == _SIMULATED else offering.provider
    percent = surcharges.get((offering.provider, offering.region, offering.model.slug), 0)
    return published_periods(provider, offering.upstream_id, file.price_overrides, surcharge_percent=percent)


def _price_rows(offering: Offering, periods: Sequence[Period]) -> list[Price]:
    ends = [*(period.start for period in periods[1:]), None]
    return [
        Price(
            offering=offering,
            effective_from=period.start,
            effective_to=end,
            source=period.source,
            tiers=[
                {"above_input_tokens": tier.above_input_tokens}
                | {name: _text(getattr(tier.rates, name)) for name in RATE_LABELS}
                for tier in period.tiers
            ],
            **{name: getattr(period.base, name) for name in RATE_LABELS},
        )
        for period, end in zip(periods, ends, strict=False)
    ]


def _text(rate: object) -> str | None:
    return None if rate is None else str(rate)


def _write_differences(table: type[Row], existing: Mapping[Any, Row], wanted: Mapping[Any, Mapping[str, Any]]) -> int:
    """Create the rows of ``wanted`` that lack and update those that differ; return how many those were."""
    created = [table(**fields) for key, fields in wanted.items() if key not in existing]
    changed = []
    for key, fields in wanted.items():
        row = existing.get(key)
        if row is None or all(getattr(row, name) == value for name, value in fields.items()):
            continue
        for name, value in fields.items():
            setattr(row, name, value)
        changed.append(row)
    manager = table._default_manager
    manager.bulk_create(created)
    if changed:
        manager.bulk_update(changed, list(next(iter(wanted.values()))))
    return len(created) + len(changed)
