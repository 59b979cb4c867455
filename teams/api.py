"""Gateway keys, which are called ``api-keys`` here, and the projects they belong to, over the REST API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Router
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field
from pydantic_core import PydanticCustomError

from catalog.regions import read_regions
from teams.models import LAST_EXPIRY_YEAR, GatewayKey, GatewayKeyQuerySet, Project, ProjectQuerySet
from teams.projects import archive_project, create_project, edit_project, restore_project
from teams.rest import ApiError, ApiRequest, Line, Name, StrictBody, Timestamp
from teams.scopes import MAX_PATTERNS, read_model_patterns
from teams.services import KeyScope, create_gateway_key, edit_gateway_key, revoke_gateway_key
from usage.models import LastUse

router = Router(tags=["Gateway keys"])
projects_router = Router(tags=["Projects"])

Regions = Annotated[list[Line], Field(max_length=200, description="Areas and regions; none allows all.")]
Patterns = Annotated[
    list[Line], Field(max_length=MAX_PATTERNS, description="Models, or patterns as anthropic/*; none allows all.")
]


def _of_our_age(moment: datetime) -> datetime:
    if moment.year > LAST_EXPIRY_YEAR:
        raise PydanticCustomError("moment", f"Write a time before {LAST_EXPIRY_YEAR + 1}, or null for no end.")
    return moment


Expiry = Annotated[AwareDatetime, AfterValidator(_of_our_age)]


class NewGatewayKey(StrictBody):
    name: Name
    expires_at: Expiry | None = None
    project: UUID | None = None
    allowed_regions: Regions = []
    models_allowed: Patterns = []


class GatewayKeyChange(StrictBody):
    """What is left out stays as it is; a ``project`` of null takes the key out of its project."""

    name: Name = ""
    project: UUID | None = None
    allowed_regions: Regions = []
    models_allowed: Patterns = []


class GatewayKeyShown(BaseModel):
    """A gateway key without its text."""

    id: UUID
    name: str
    masked: str
    status: str
    owner: str | None
    project: UUID | None
    project_name: str | None
    allowed_regions: list[str]
    models_allowed: list[str]
    expires_at: Timestamp | None
    created_at: Timestamp
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None


class GatewayKeyCreated(GatewayKeyShown):
    """A new gateway key; ``key`` is its text, in this answer and never again."""

    key: str


class GatewayKeyList(BaseModel):
    data: list[GatewayKeyShown]


class NewProject(StrictBody):
    name: Name
    allowed_regions: Regions = []


class ProjectChange(StrictBody):
    """What is left out stays as it is; an ``archived`` project takes no more keys, those it has go on working."""

    name: Name = ""
    allowed_regions: Regions = []
    archived: bool = False


class ProjectShown(BaseModel):
    """A project."""

    id: UUID
    name: str
    allowed_regions: list[str]
    archived: bool
    created_at: Timestamp
    archived_at: Timestamp | None


class ProjectList(BaseModel):
    data: list[ProjectShown]


@router.get("", response=GatewayKeyList)
def api_key_list(request: ApiRequest) -> GatewayKeyList:
    """Return all gateway keys, the newest first; expired and revoked ones too."""
    keys = list(_keys(request).order_by("-created_at", "pk"))
    used_at = dict(LastUse.objects.filter(key_id__in=[key.pk for key in keys]).values_list("key_id", "at"))
    return GatewayKeyList(data=[GatewayKeyShown(**_shown(key, used_at)) for key in keys])


@router.post("", response={201: GatewayKeyCreated})
def api_key_create(request: ApiRequest, body: NewGatewayKey) -> GatewayKeyCreated:
    """Make a key that works at once. ``key`` is its text: keep it, it is not shown again."""
    if body.expires_at and body.expires_at <= timezone.now():
        raise ApiError(422, "invalid_request", "This time has passed already.", field="expires_at")
    created = create_gateway_key(
        request.auth.workspace,
        name=body.name,
        expires_at=body.expires_at,
        scope=_scope(request, body),
        actor=request.auth,
    )
    return GatewayKeyCreated(**_shown(created.key, {}), key=created.token.text)


@router.get("/{key_id}", response=GatewayKeyShown)
def api_key_get(request: ApiRequest, key_id: UUID) -> GatewayKeyShown:
    """Return one gateway key."""
    return _answer(get_object_or_404(_keys(request), pk=key_id))


@router.patch("/{key_id}", response=GatewayKeyShown)
@transaction.atomic
def api_key_edit(request: ApiRequest, key_id: UUID, body: GatewayKeyChange) -> GatewayKeyShown:
    """Change what a key is called, belongs to and may do; the gateway goes by it within a second."""
    # Locked before it is read, so that what is left out keeps what another change makes of it.
    key = get_object_or_404(_keys(request).select_for_update(of=("self",)), pk=key_id)
    as_it_is = {name: _shown(key, {})[name] for name in GatewayKeyChange.model_fields}
    # What stays is not read again: a name of earlier days may hold what no body may bring.
    asked = GatewayKeyChange.model_construct(**as_it_is | body.model_dump(exclude_unset=True))
    # A management key acts as admin.
    scope = _scope(request, asked)
    return _answer(edit_gateway_key(key, name=asked.name, scope=scope, actor=request.auth, may_widen=True))


@router.post("/{key_id}/revoke", response={201: GatewayKeyShown})
def api_key_revoke(request: ApiRequest, key_id: UUID) -> GatewayKeyShown:
    """End a key for good; the gateway refuses it within a second."""
    key = revoke_gateway_key(get_object_or_404(_keys(request), pk=key_id), actor=request.auth)
    return _answer(key)


@projects_router.get("", response=ProjectList)
def project_list(request: ApiRequest) -> ProjectList:
    """Return all projects by name, archived ones too."""
    return ProjectList(data=[_project_shown(project) for project in _projects(request)])


@projects_router.post("", response={201: ProjectShown})
def project_create(request: ApiRequest, body: NewProject) -> ProjectShown:
    """Make a project that gateway keys can be given to."""
    regions = read_regions(body.allowed_regions)
    project = create_project(request.auth.workspace, name=body.name, allowed_regions=regions, actor=request.auth)
    return _project_shown(project)


@projects_router.get("/{project_id}", response=ProjectShown)
def project_get(request: ApiRequest, project_id: UUID) -> ProjectShown:
    """Return one project."""
    return _project_shown(get_object_or_404(_projects(request), pk=project_id))


@projects_router.patch("/{project_id}", response=ProjectShown)
@transaction.atomic
def project_edit(request: ApiRequest, project_id: UUID, body: ProjectChange) -> ProjectShown:
    """Change a project, archive it or take it out of the archive."""
    # Locked before it is read, so that what is left out keeps what another change makes of it.
    project = get_object_or_404(_projects(request).select_for_update(), pk=project_id)
    asked = body.model_dump(exclude_unset=True)
    if asked.keys() & {"name", "allowed_regions"}:
        regions = read_regions(asked.get("allowed_regions", project.allowed_regions))
        name = asked.get("name", project.name)
        project = edit_project(project, name=name, allowed_regions=regions, actor=request.auth)
    if "archived" in asked:
        change = archive_project if asked["archived"] else restore_project
        project = change(project, actor=request.auth)
    return _project_shown(project)


def _keys(request: ApiRequest) -> GatewayKeyQuerySet:
    return GatewayKey.objects.in_workspace(request.auth.workspace).for_clients().select_related("owner", "project")


def _projects(request: ApiRequest) -> ProjectQuerySet:
    return Project.objects.in_workspace(request.auth.workspace)


def _scope(request: ApiRequest, asked: NewGatewayKey | GatewayKeyChange) -> KeyScope:
    project = None
    if asked.project:
        project = _projects(request).filter(pk=asked.project).first()
        if project is None:
            raise ApiError(422, "invalid_request", "There is no such project.", field="project")
    return KeyScope(project, read_regions(asked.allowed_regions), read_model_patterns(asked.models_allowed))


def _answer(key: GatewayKey) -> GatewayKeyShown:
    used_at = dict(LastUse.objects.filter(key_id=key.pk).values_list("key_id", "at"))
    return GatewayKeyShown(**_shown(key, used_at))


def _project_shown(project: Project) -> ProjectShown:
    return ProjectShown(
        id=project.pk,
        name=project.name,
        allowed_regions=project.allowed_regions,
        archived=project.is_archived,
        created_at=project.created_at,
        archived_at=project.archived_at,
    )


def _shown(key: GatewayKey, used_at: Mapping[UUID, datetime]) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "masked": key.masked,
        "status": key.status,
        "owner": key.owner.email if key.owner else None,
        "project": key.project_id,
        "project_name": key.project.name if key.project else None,
        "allowed_regions": key.allowed_regions,
        "models_allowed": key.models_allowed,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
        "last_used_at": used_at.get(key.pk),
    }
