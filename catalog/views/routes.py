"""Routes: the list, a new one, changing one, and how to call it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.index import CatalogIndex
from catalog.models import Route, RouteTarget
from catalog.queries import load_index
from catalog.regions import describe_regions
from catalog.route_forms import RouteForms
from catalog.routes import RouteError, RouteSpec, create_route, delete_route, edit_route, spec_of
from catalog.snippets import build_snippets, origin_of
from catalog.targets import Reach, target_options, why_not
from keys.connections import workspace_reach
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog


@dataclass(frozen=True)
class TargetRow:
    """A model of a route. ``share`` is in percent, None where the order decides; ``why_not`` as in catalog.targets."""

    model_string: str
    share: int | None
    why_not: str


@dataclass(frozen=True)
class RouteRow:
    """A route as the list shows it."""

    route: Route
    targets: list[TargetRow]
    regions: str

    @property
    def is_usable(self) -> bool:
        """Whether any of its models can be called now."""
        return any(not target.why_not for target in self.targets)


@dataclass(frozen=True)
class RouteFilters:
    """What the list was asked for. ``sort`` is name, or -name for the other way round."""

    query: str = ""
    sort: str = "name"

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Return the filters in a query string; what is not one of ours is left at its default."""
        return cls(values.get("q", "").strip()[:100], "-name" if values.get("sort") == "-name" else cls.sort)

    def apply(self, routes: list[Route]) -> list[Route]:
        """Return those whose name or models have the text, in order."""
        wanted = self.query.casefold()
        fitting = [route for route in routes if any(wanted in text for text in _texts_of(route))]
        return sorted(fitting, key=lambda route: route.name.casefold(), reverse=self.sort == "-name")


@require_safe
@requires(Right.READ_ROUTES)
def route_list(request: WorkspaceRequest) -> HttpResponse:
    """All routes of the workspace, each with what can be called of it now."""
    filters = RouteFilters.read(request.GET)
    routes = list(Route.objects.in_workspace(request.workspace).prefetch_related("targets"))
    index, reach, now = load_index(), workspace_reach(request.workspace), timezone.now()
    context = {
        "rows": [_row(route, index, reach, now) for route in filters.apply(routes)],
        "filters": filters,
        "has_routes": bool(routes),
        "may_manage": request.may(Right.MANAGE_ROUTES),
        "workspace_regions": describe_regions(request.workspace.allowed_regions),
    }
    return render(request, "catalog/routes/list.html", context)


@never_cache
@requires(Right.MANAGE_ROUTES)
def route_create(request: WorkspaceRequest) -> HttpResponse:
    """Make a route."""
    forms = _forms(request)
    if forms.is_valid():
        try:
            route = create_route(request.workspace, forms.spec(), actor=request.user)
        except RouteError as error:
            forms.add_error(error)
        else:
            messages.success(request, f"Call it as the model “{route.model_string}”.")
            return leave_dialog(request, _list_url(request))
    return _answer(request, "catalog/routes/create.html", forms)


@never_cache
@requires(Right.MANAGE_ROUTES)
def route_edit(request: WorkspaceRequest, route_id: UUID) -> HttpResponse:
    """Change everything about a route."""
    route = _find(request, route_id)
    forms = _forms(request, spec_of(route))
    if forms.is_valid():
        try:
            edit_route(route, forms.spec(), actor=request.user)
        except RouteError as error:
            forms.add_error(error)
        else:
            messages.success(request, "Saved. The gateway goes by it from now on.")
            return leave_dialog(request, _list_url(request))
    return _answer(request, "catalog/routes/edit.html", forms, route=route)


@requires(Right.MANAGE_ROUTES)
def route_delete(request: WorkspaceRequest, route_id: UUID) -> HttpResponse:
    """Ask, then delete the route."""
    route = _find(request, route_id)
    if request.method != "POST":
        return render(request, "catalog/routes/delete.html", {"route": route})
    delete_route(route, actor=request.user)
    messages.success(request, f"“{route.name}” is deleted. Its usage stays.")
    return leave_dialog(request, _list_url(request))


@require_safe
@requires(Right.READ_ROUTES)
def route_call(request: WorkspaceRequest, route_id: UUID) -> HttpResponse:
    """The code that calls the route, to copy."""
    route = _find(request, route_id)
    context = {"route": route, "snippets": build_snippets(route.model_string, origin_of(request))}
    return render(request, "catalog/routes/call.html", context)


def _find(request: WorkspaceRequest, route_id: UUID) -> Route:
    routes = Route.objects.in_workspace(request.workspace).select_related("workspace").prefetch_related("targets")
    return get_object_or_404(routes, pk=route_id)


def _forms(request: WorkspaceRequest, spec: RouteSpec | None = None) -> RouteForms:
    options = target_options(load_index(), workspace_reach(request.workspace), timezone.now())
    return RouteForms.read(request.POST, options) if request.method == "POST" else RouteForms.of(spec, options)


def _answer(request: WorkspaceRequest, template: str, forms: RouteForms, **context: Any) -> HttpResponse:
    return render(request, template, {"forms": forms, **context}, status=422 if forms.is_bound else 200)


def _list_url(request: WorkspaceRequest) -> str:
    return reverse("catalog:route_list", args=[request.workspace.slug])


def _row(route: Route, index: CatalogIndex, reach: Reach, now: datetime) -> RouteRow:
    targets = list(route.targets.all())
    within = replace(reach, allowed_regions=[*reach.allowed_regions, route.allowed_regions])
    total = sum(target.weight for target in targets)
    rows = [
        TargetRow(
            target.model_string,
            share=round(100 * target.weight / total) if route.is_weighted else None,
            why_not=why_not(target.model_string, index, within, now),
        )
        for target in targets
    ]
    return RouteRow(route, rows, describe_regions(route.allowed_regions))


def _texts_of(route: Route) -> list[str]:
    targets: list[RouteTarget] = list(route.targets.all())
    return [text.casefold() for text in (route.model_string, *(target.model_string for target in targets))]
