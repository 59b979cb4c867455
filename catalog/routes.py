"""Making, changing and deleting routes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction

from catalog.index import CatalogIndex, UnknownModel, is_passable_id
from catalog.models import MAX_RETRIES, ROUTE_PREFIX, Route, RouteTarget
from catalog.queries import load_index
from catalog.regions import UnknownRegion, read_regions
from teams.audit import Actor, record_event
from teams.models import Workspace

MAX_TARGETS = 20
MAX_WEIGHT = 1000
NO_TARGETS = "A route needs at least one model."
_MAX_NAME = 64
_MAX_MODEL_STRING = 200


class RouteError(Exception):
    """A route that cannot be as asked for; the text is for people, ``field`` is the dotted path of the value."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class NameTaken(RouteError):
    """The workspace has a route of this name."""


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A model to call, by the string a client would write, and its share where the route is weighted."""

    model_string: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """All that a route is; ``targets`` in the order in which they are tried."""

    name: str
    targets: Sequence[TargetSpec]
    strategy: str = Route.Strategy.ORDERED
    retries: int = 1
    allowed_regions: Sequence[str] = ()
    same_model_fallback: bool = False
    enabled: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values, as the audit log keeps it."""
        return {**asdict(self), "strategy": str(self.strategy), "allowed_regions": list(self.allowed_regions)}


def spec_of(route: Route) -> RouteSpec:
    """Return what ``route`` is now; its targets may have been fetched with it."""
    return RouteSpec(
        name=route.name,
        targets=[TargetSpec(target.model_string, target.weight) for target in route.targets.all()],
        strategy=route.strategy,
        retries=route.retries,
        allowed_regions=route.allowed_regions,
        same_model_fallback=route.same_model_fallback,
        enabled=route.enabled,
    )


@transaction.atomic
def create_route(workspace: Workspace, spec: RouteSpec, *, actor: Actor | None) -> Route:
    """Make a route that can be called within a second.

    Raises RouteError for what cannot be, NameTaken among it.
    """
    route = Route(workspace=workspace)
    _write(route, spec)
    record_event(actor, "route.create", route, workspace=workspace, after=spec_of(route).as_dict())
    return route


@transaction.atomic
def edit_route(route: Route, spec: RouteSpec, *, actor: Actor | None) -> Route:
    """Make ``route`` what ``spec`` says; requests that come in a second later go by it. Raises RouteError."""
    route = Route.objects.select_for_update().select_related("workspace").get(pk=route.pk)
    before = spec_of(route).as_dict()
    _write(route, spec)
    record_event(actor, "route.edit", route, workspace=route.workspace, before=before, after=spec_of(route).as_dict())
    return route


@transaction.atomic
def delete_route(route: Route, *, actor: Actor | None) -> None:
    """Delete ``route``: whoever asks for it a second later is told that it is not there. Its usage stays.

    Safe to repeat.
    """
    found = Route.objects.select_for_update(of=("self",)).select_related("workspace").filter(pk=route.pk).first()
    if found is None:
        return
    record_event(actor, "route.delete", found, workspace=found.workspace, before=spec_of(found).as_dict())
    found.delete()


def _write(route: Route, spec: RouteSpec) -> None:
    _check(spec)
    route.name, route.strategy, route.retries = spec.name, spec.strategy, spec.retries
    route.allowed_regions = _read_regions(spec.allowed_regions)
    route.same_model_fallback, route.enabled = spec.same_model_fallback, spec.enabled
    try:
        with transaction.atomic():
            route.save()
    except IntegrityError:
        raise NameTaken(f"A route named “{spec.name}” exists already. Choose another name.", field="name") from None
    RouteTarget.objects.filter(route=route).delete()
    RouteTarget.objects.bulk_create(
        RouteTarget(route=route, model_string=target.model_string, position=position, weight=target.weight)
        for position, target in enumerate(spec.targets)
    )


def _check(spec: RouteSpec) -> None:
    _check_name(spec.name)
    if spec.strategy not in Route.Strategy.values:
        raise RouteError(f"A strategy is one of {', '.join(Route.Strategy.values)}.", field="strategy")
    if not 0 <= spec.retries <= MAX_RETRIES:
        raise RouteError(f"Retries are 0 to {MAX_RETRIES}.", field="retries")
    _check_targets(spec.targets, is_weighted=spec.strategy == Route.Strategy.WEIGHTED)


def _check_name(name: str) -> None:
    try:
        validate_slug(name)
    except ValidationError:
        message = "A route's name has letters, digits, hyphens and underscores: clients write it as a model."
        raise RouteError(message, field="name") from None
    if len(name) > _MAX_NAME:
        raise RouteError(f"A route's name has at most {_MAX_NAME} characters.", field="name")


def _read_regions(names: Sequence[str]) -> list[str]:
    try:
        return read_regions(names)
    except UnknownRegion as error:
        raise RouteError(str(error), field="allowed_regions") from None


def _check_targets(targets: Sequence[TargetSpec], *, is_weighted: bool) -> None:
    if not targets:
        raise RouteError(NO_TARGETS, field="targets")
    if len(targets) > MAX_TARGETS:
        raise RouteError(f"A route takes at most {MAX_TARGETS} models.", field="targets")
    [(twice, times)] = Counter(target.model_string for target in targets).most_common(1)
    index = load_index()
    for position, target in enumerate(targets):
        _check_model(target.model_string, index, field=f"targets.{position}.model")
        if not 0 < target.weight <= MAX_WEIGHT:
            raise RouteError(f"A weight is 1 to {MAX_WEIGHT}.", field=f"targets.{position}.weight")
    if times > 1:
        last = max(position for position, target in enumerate(targets) if target.model_string == twice)
        instead = "Give it a larger weight." if is_weighted else "To try it more often, set Retries."
        raise RouteError(f"{twice} is there already. {instead}", field=f"targets.{last}.model")


def _check_model(model_string: str, index: CatalogIndex, *, field: str) -> None:
    if model_string.startswith(ROUTE_PREFIX):
        raise RouteError("A route leads to models, not to other routes.", field=field)
    if len(model_string) > _MAX_MODEL_STRING:
        raise RouteError(f"A model's string has at most {_MAX_MODEL_STRING} characters.", field=field)
    provider, _, name = model_string.partition("/")
    try:
        index.resolve(model_string)
    except UnknownModel as error:
        if not is_passable_id(provider, name):
            raise RouteError(str(error), field=field) from None
