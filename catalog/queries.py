"""Questions about the catalog, answered as plain objects."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from catalog import models
from catalog.index import Capability, CatalogEntry, CatalogIndex, Lack, ModelEntry, ThinkingOff, index_by_name
from catalog.models import Offering, OfferingQuerySet
from catalog.prices import RATE_LABELS, Price, PriceTable, Rates, Tier, price_in_force

_FINGERPRINT_SQL = """
    SELECT (SELECT md5(string_agg(price::text, '' ORDER BY id)) FROM catalog_price AS price),
           (SELECT md5(string_agg(offering::text, '' ORDER BY id)) FROM catalog_offering AS offering),
           (SELECT md5(string_agg(slug || aliases::text, '' ORDER BY id)) FROM catalog_model)
"""
_last_price_table: tuple[Any, PriceTable] | None = None


def load_index() -> CatalogIndex:
    """Return the offerings the catalog lists, with their prices, in the pages' order. Three queries."""
    return CatalogIndex(_load_entries(Offering.objects.listed()))


def price_table() -> PriceTable:
    """Return all prices there ever were, for pricing attempts in bulk.

    One query while nothing has changed: whoever ships usage asks several times a second.
    """
    global _last_price_table
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT_SQL)
        fingerprint = cursor.fetchone()
    if _last_price_table is None or _last_price_table[0] != fingerprint:
        _last_price_table = fingerprint, _read_price_table()
    return _last_price_table[1]


def _read_price_table() -> PriceTable:
    entries = _load_entries(Offering.objects.all())
    # What is listed comes first, so that a dropped offering never takes a name from one that is there.
    prices = {name: entry.prices for name, entry in index_by_name(entries).items()}
    regional: dict[tuple[str, str, str], Sequence[Price]] = {}
    for entry in entries:
        for name in (entry.model, *entry.names) if entry.region else ():
            regional.setdefault((entry.provider, name, entry.region), entry.prices)
    return PriceTable(prices, regional)


def price_at(offering_id: int, when: datetime) -> Price:
    """Return the price of one offering in force at ``when``, else NO_PRICE."""
    return price_in_force(map(read_price, models.Price.objects.filter(offering=offering_id)), when)


def read_rates(values: Mapping[str, Any]) -> Rates:
    """Return the five rates in ``values``, as decimals; what is absent or null is unknown."""
    return Rates(**{name: _decimal(values.get(name)) for name in RATE_LABELS})


def _load_entries(offerings: OfferingQuerySet) -> list[CatalogEntry]:
    infos = {model.pk: _model_entry(model) for model in models.Model.objects.all()}
    rows = offerings.prefetch_related("prices").order_by("-is_listed", "model__rank", "pk")
    return [
        CatalogEntry(
            id=row.pk,
            provider=row.provider,
            region=row.region,
            upstream_id=row.upstream_id,
            model_string=row.model_string,
            is_callable=row.is_callable,
            retires_on=row.retires_on,
            info=infos[row.model_id],
            prices=tuple(map(read_price, row.prices.all())),
            lacks=frozenset(map(Lack, row.lacks)),
        )
        for row in rows
    ]


def _model_entry(model: models.Model) -> ModelEntry:
    return ModelEntry(
        slug=model.slug,
        name=model.name,
        family=model.family,
        rank=model.rank,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        default_max_tokens=model.default_max_tokens,
        min_cacheable_tokens=model.min_cacheable_tokens,
        strengths=model.strengths,
        best_for=model.best_for,
        capabilities=frozenset(map(Capability, model.capabilities)),
        refuses_temperature_with_top_p=model.refuses_temperature_with_top_p,
        aliases=tuple(model.aliases),
        released_on=model.released_on,
        efforts=tuple(model.efforts),
        structured_outputs=model.structured_outputs,
        takes_sampling=model.takes_sampling,
        forces_tools=model.forces_tools,
        thinking_off=ThinkingOff(model.thinking_off),
        thinking_off_up_to=model.thinking_off_up_to,
    )


def read_price(row: models.Price) -> Price:
    return Price(
        id=row.pk,
        base=read_rates({name: getattr(row, name) for name in RATE_LABELS}),
        tiers=tuple(Tier(tier["above_input_tokens"], read_rates(tier)) for tier in row.tiers),
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        source=row.source,
    )


def _decimal(value: Decimal | str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
