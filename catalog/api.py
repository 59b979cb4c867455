"""The model catalog over the REST API, one entry per offering, by the string a client writes to get it; and routes."""

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router
from pydantic import BaseModel, PlainSerializer

from catalog.index import CatalogEntry
from catalog.models import Route, RouteQuerySet
from catalog.prices import Rates
from catalog.queries import load_index
from catalog.routes import RouteSpec, TargetSpec, create_route, delete_route, edit_route, spec_of
from teams.rest import ApiRequest, Line, StrictBody, Timestamp

router = Router(tags=["Models"])
routes_router = Router(tags=["Routes"])

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
    """A model at one provider. ``is_callable`` is false where this gateway cannot call the provider yet.

    ``region`` is where it is served: null for wherever the provider sends the call, "regional" for the single region
    that the provider key names. ``id`` and ``region`` together occur once.
    """

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
    efforts: list[str]
    structured_outputs: bool
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
        efforts=list(info.efforts),
        structured_outputs=entry.structured_outputs,
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


class TargetBody(StrictBody):
    """A model by the string a client would write; ``weight`` is its share where the route is weighted."""

    model: Line
    weight: int = 1


class NewRoute(StrictBody):
    """Targets in the order in which they are tried."""

    name: Line
    targets: list[TargetBody]
    strategy: str = Route.Strategy.ORDERED
    retries: int = 1
    allowed_regions: list[Line] = []
    same_model_fallback: bool = False
    enabled: bool = True


class RouteChange(StrictBody):
    """What is left out stays as it is; ``targets`` are replaced as a whole."""

    name: Line = ""
    targets: list[TargetBody] = []
    strategy: str = ""
    retries: int = 0
    allowed_regions: list[Line] = []
    same_model_fallback: bool = False
    enabled: bool = False


class RouteShown(BaseModel):
    """A route; ``model`` is what a client writes to call it."""

    id: UUID
    name: str
    model: str
    strategy: str
    retries: int
    allowed_regions: list[str]
    same_model_fallback: bool
    enabled: bool
    targets: list[TargetBody]
    created_at: Timestamp


class RouteList(BaseModel):
    data: list[RouteShown]


@routes_router.get("", response=RouteList)
def route_list(request: ApiRequest) -> RouteList:
    """Return all routes by name."""
    return RouteList(data=[_route_shown(route) for route in _routes(request)])


@routes_router.post("", response={201: RouteShown})
def route_create(request: ApiRequest, body: NewRoute) -> RouteShown:
    """Make a route that can be called within a second."""
    route = create_route(request.auth.workspace, _spec(body), actor=request.auth)
    return _route_shown(route)


@routes_router.get("/{route_id}", response=RouteShown)
def route_get(request: ApiRequest, route_id: UUID) -> RouteShown:
    """Return one route."""
    return _route_shown(_route(request, route_id))


@routes_router.patch("/{route_id}", response=RouteShown)
@transaction.atomic
def route_edit(request: ApiRequest, route_id: UUID, body: RouteChange) -> RouteShown:
    """Change a route; requests that come in a second later go by it."""
    # Locked before it is read, so that what is left out keeps what another change makes of it.
    route = get_object_or_404(_routes(request).select_for_update(of=("self",)), pk=route_id)
    as_it_is = {name: value for name, value in _route_shown(route) if name in NewRoute.model_fields}
    asked = NewRoute(**as_it_is).model_copy(update={name: getattr(body, name) for name in body.model_fields_set})
    return _route_shown(edit_route(route, _spec(asked), actor=request.auth))


@routes_router.delete("/{route_id}", response={204: None})
def route_delete(request: ApiRequest, route_id: UUID) -> None:
    """Delete a route: whoever calls it a second later is told that there is no such model. Its usage stays."""
    delete_route(_route(request, route_id), actor=request.auth)


def _routes(request: ApiRequest) -> RouteQuerySet:
    return Route.objects.in_workspace(request.auth.workspace).select_related("workspace").prefetch_related("targets")


def _route(request: ApiRequest, route_id: UUID) -> Route:
    return get_object_or_404(_routes(request), pk=route_id)


def _spec(body: NewRoute) -> RouteSpec:
    targets = [TargetSpec(target.model, target.weight) for target in body.targets]
    return RouteSpec(**{**dict(body), "targets": targets})


def _route_shown(route: Route) -> RouteShown:
    spec = spec_of(route)
    targets = [TargetBody(model=target.model_string, weight=target.weight) for target in spec.targets]
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return RouteShown(
        **{**values, "targets": targets}, id=route.pk, model=route.model_string, created_at=route.created_at
    )
