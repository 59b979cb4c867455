"""Making, changing and archiving projects."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from teams.audit import Actor, record_event
from teams.models import Project, Workspace
from teams.services import NameTaken


@transaction.atomic
def create_project(
    workspace: Workspace, *, name: str, allowed_regions: Sequence[str] = (), actor: Actor | None
) -> Project:
    """Make a project that gateway keys can be given to.

    ``allowed_regions`` as ``catalog.regions.read_regions`` returns them. Raises NameTaken if one in use has the name.
    """
    project = Project(workspace=workspace, name=name, allowed_regions=list(allowed_regions))
    _save(project)
    record_event(actor, "project.create", project, workspace=workspace, after=_values(project))
    return project


@transaction.atomic
def edit_project(project: Project, *, name: str, allowed_regions: Sequence[str], actor: Actor | None) -> Project:
    """Set the project's name, and where calls with its keys may be served; it holds within a second.

    Raises NameTaken if another one in use has the name.
    """
    project = _locked(project)
    before = _values(project)
    project.name, project.allowed_regions = name, list(allowed_regions)
    _save(project)
    record_event(actor, "project.edit", project, workspace=project.workspace, before=before, after=_values(project))
    return project


@transaction.atomic
def archive_project(project: Project, *, actor: Actor | None) -> Project:
    """Let no more keys be given to the project; those it has go on working, and are charged to it. Safe to repeat."""
    project = _locked(project)
    if not project.is_archived:
        project.archived_at = timezone.now()
        project.save(update_fields=["archived_at"])
        record_event(actor, "project.archive", project, workspace=project.workspace)
    return project


@transaction.atomic
def restore_project(project: Project, *, actor: Actor | None) -> Project:
    """Take the project out of the archive. Safe to repeat. Raises NameTaken if another one has its name by now."""
    project = _locked(project)
    if project.is_archived:
        project.archived_at = None
        _save(project)
        record_event(actor, "project.restore", project, workspace=project.workspace)
    return project


def _locked(project: Project) -> Project:
    return Project.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=project.pk)


def _save(project: Project) -> None:
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError:
        raise NameTaken(f"A project named “{project.name}” exists already. Choose another name.") from None


def _values(project: Project) -> dict[str, Any]:
    return {"name": project.name, "allowed_regions": project.allowed_regions}
