"""The model catalog over the REST API: one entry per offering, by the string a client writes to get it."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from django.utils import timezone
from ninja import Query, Router
from pydantic import BaseModel, PlainSerializer

from catalog.index import CatalogEntry
from catalog.prices import Rates
from catalog.queries import load_index
from teams.rest import ApiRequest

router = Router(tags=["Models"])

# As plain digits: JSON numbers would be read as binary fractions.
Usd = Annotated[Decimal, PlainSerializer(lambda amount: f"{amount.normalize():f}", return_type=str)]


class RatesShown(BaseModel):
    """USD per million tokens by class; null where no rate is known, which does not mean free."""

    uncached_input: Usd | None
    cache_read_input: Usd | None
    cache_write_5m_input: Usd | None
    cache_write_1h_input: Usd | None
    output: Usd | None


class TierShown(RatesShown):
    """Rates for a request whose input, all four classes together, is above so many tokens."""

    above_input_tokens: int


class ModelShown(BaseModel):
    """A model at one provider. ``is_callable`` is false where this gateway cannot call the provider yet."""

    id: str
    provider: str
    region: str | None
    upstream_id: str
    model: str
    name: str
    family: str
    is_callable: bool
    context_tokens: int
    max_output_tokens: int | None
    min_cacheable_tokens: int | None
    capabilities: list[str]
    strengths: str
    best_for: str
    released_on: date | None
    retires_on: date | None
    usd_per_million_tokens: RatesShown
    long_context_tiers: list[TierShown]


class ModelList(BaseModel):
    data: list[ModelShown]


@router.get("", response=ModelList)
def model_list(request: ApiRequest, provider: Annotated[str | None, Query()] = None) -> ModelList:
    """Return every offering with the prices in force now, best known models first."""
    entries = load_index().entries
    return ModelList(data=[_shown(entry) for entry in entries if provider in (None, entry.provider)])


def _shown(entry: CatalogEntry) -> ModelShown:
    price, info = entry.price_at(timezone.now()), entry.info
    return ModelShown(
        id=entry.model_string,
        provider=entry.provider,
        region=entry.region or None,
        upstream_id=entry.upstream_id,
        model=entry.model,
        name=info.name,
        family=info.family,
        is_callable=entry.is_callable,
        context_tokens=info.context_tokens,
        max_output_tokens=info.max_output_tokens,
        min_cacheable_tokens=info.min_cacheable_tokens,
        capabilities=sorted(info.capabilities),
        strengths=info.strengths,
        best_for=info.best_for,
        released_on=info.released_on,
        retires_on=entry.retires_on,
        usd_per_million_tokens=RatesShown(**_rates_shown(price.base)),
        long_context_tiers=[
            TierShown(above_input_tokens=tier.above_input_tokens, **_rates_shown(tier.rates)) for tier in price.tiers
        ],
    )


def _rates_shown(rates: Rates) -> dict[str, Decimal | None]:
    return {name: getattr(rates, name) for name in RatesShown.model_fields}
