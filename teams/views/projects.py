"""Projects: the list, a new one, changing one, and the archive."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from catalog.regions import describe_regions
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog
from teams.forms import ProjectForm
from teams.models import GatewayKey, Project, Workspace
from teams.projects import archive_project, create_project, edit_project, restore_project
from teams.services import NameTaken
from usage.queries import usage_report
from usage.ranges import Grain

COST_DAYS = 30


@dataclass(frozen=True)
class ProjectRow:
    """A project as the list shows it. ``keys`` are the usable ones, ``cost_usd`` is that of the last 30 days."""

    project: Project
    keys: int
    cost_usd: Decimal

    @property
    def regions(self) -> str:
        """Where calls with its keys may be served, in words; empty for everywhere."""
        return describe_regions(self.project.allowed_regions)

    def rank(self, column: str) -> Any:
        """Return what ``column`` sorts this row by."""
        return {
            "name": self.project.name.casefold(),
            "keys": self.keys,
            "cost": self.cost_usd,
            "created": self.project.created_at,
        }[column]


@dataclass(frozen=True)
class ProjectFilters:
    """What the list was asked for. ``sort`` is a column, with ``-`` in front for the other way round."""

    query: str = ""
    status: str = "active"
    sort: str = "name"

    COLUMNS: ClassVar = ("name", "keys", "cost", "created")
    STATUSES: ClassVar = {"active": "In use", "archived": "Archived", "all": "All"}

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Return the filters in a query string; what is not one of ours is left at its default."""
        status, sort = values.get("status", ""), values.get("sort", "")
        return cls(
            query=values.get("q", "").strip()[:100],
            status=status if status in cls.STATUSES else cls.status,
            sort=sort if sort.removeprefix("-") in cls.COLUMNS else cls.sort,
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether projects may be hidden by what was asked for."""
        return bool(self.query) or self.status != ProjectFilters.status

    def fits(self, project: Project) -> bool:
        """Whether the project is among what was asked for."""
        is_right_status = self.status == "all" or project.is_archived == (self.status == "archived")
        return is_right_status and self.query.casefold() in project.name.casefold()


@require_safe
@requires(Right.READ_PROJECTS)
def project_list(request: WorkspaceRequest) -> HttpResponse:
    """The projects, with how many keys each has and what it cost."""
    filters, rows = ProjectFilters.read(request.GET), _rows(request.workspace)
    fitting = [row for row in rows if filters.fits(row.project)]
    fitting.sort(key=lambda row: row.rank(filters.sort.removeprefix("-")), reverse=filters.sort.startswith("-"))
    context = {
        "rows": fitting,
        "filters": filters,
        "has_projects": bool(rows),
        "may_manage": request.may(Right.MANAGE_PROJECTS),
        "cost_days": COST_DAYS,
    }
    return render(request, "teams/project_list.html", context)


@requires(Right.MANAGE_PROJECTS)
def project_create(request: WorkspaceRequest) -> HttpResponse:
    """Make a project."""
    form = ProjectForm(request.POST or None)
    if form.is_valid():
        try:
            project = create_project(request.workspace, **form.cleaned_data, actor=request.user)
        except NameTaken as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"“{project.name}” is there. Give it gateway keys under API Keys.")
            return leave_dialog(request, _list_url(request))
    return render(request, "teams/project_create.html", {"form": form}, status=422 if form.is_bound else 200)


@requires(Right.MANAGE_PROJECTS)
def project_edit(request: WorkspaceRequest, project_id: UUID) -> HttpResponse:
    """Change the project's name and regions."""
    project = _find(request, project_id)
    initial = {"name": project.name, "allowed_regions": project.allowed_regions}
    form = ProjectForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            edit_project(project, **form.cleaned_data, actor=request.user)
        except NameTaken as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Saved. The gateway goes by it from now on.")
            return leave_dialog(request, _list_url(request))
    context = {"project": project, "form": form}
    return render(request, "teams/project_edit.html", context, status=422 if form.is_bound else 200)


@requires(Right.MANAGE_PROJECTS)
def project_archive(request: WorkspaceRequest, project_id: UUID) -> HttpResponse:
    """Ask, then archive the project."""
    project = _find(request, project_id)
    if request.method != "POST":
        keys = project.gateway_keys.for_clients().usable().count()
        return render(request, "teams/project_archive.html", {"project": project, "keys": keys})
    archive_project(project, actor=request.user)
    messages.success(request, f"“{project.name}” is archived. Its usage stays.")
    return redirect(_list_url(request))


@require_POST
@requires(Right.MANAGE_PROJECTS)
def project_restore(request: WorkspaceRequest, project_id: UUID) -> HttpResponse:
    """Take the project out of the archive."""
    project = _find(request, project_id)
    try:
        restore_project(project, actor=request.user)
    except NameTaken:
        messages.error(request, f"Another project is named “{project.name}” by now. Rename one of the two first.")
    else:
        messages.success(request, f"“{project.name}” takes gateway keys again.")
    return redirect(_list_url(request))


def _find(request: WorkspaceRequest, project_id: UUID) -> Project:
    return get_object_or_404(Project.objects.in_workspace(request.workspace), pk=project_id)


def _rows(workspace: Workspace) -> list[ProjectRow]:
    """Return a row per project. The number of queries does not depend on how many there are."""
    usable = GatewayKey.objects.in_workspace(workspace).for_clients().usable()
    keys = dict(usable.order_by().values_list("project").annotate(Count("pk")))
    begin = timezone.now() - timedelta(days=COST_DAYS)
    report = usage_report(workspace, begin=begin, grain=Grain.TOTAL, group_by=["project"])
    costs = {row.dimensions["project"]: row.measures.cost_usd for row in report.rows}
    return [
        ProjectRow(project, keys.get(project.pk, 0), costs.get(str(project.pk), Decimal(0)))
        for project in Project.objects.in_workspace(workspace)
    ]


def _list_url(request: WorkspaceRequest) -> str:
    return reverse("teams:project_list", args=[request.workspace.slug])
