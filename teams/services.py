"""Changes to workspaces and the keys they hand out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from teams.audit import Actor, record_event
from teams.models import GatewayKey, GatewayKeySecret, Membership, Project, Role, SetupLink, User, Workspace
from teams.scopes import EVERYTHING, scope_of, widens
from teams.scopes import KeyScope as KeyScope
from teams.tokens import MintedToken, TokenKind, hash_token, mint_token

# The audit event that says so; the first steps look for it.
MASTER_KEY_COPIED = "workspace.master_key_copied"


class TeamsError(Exception):
    """A change to a team that cannot be made; the text is for people."""


class NameTaken(TeamsError):
    """Another key in use has this name."""


class SetupLinkUsed(TeamsError):
    """The set-up link was used or replaced by a newer one."""


class KeyRevoked(TeamsError):
    """The gateway key was revoked already."""


class ProjectArchived(TeamsError):
    """No more keys can be given to this project."""


class ScopeWidened(TeamsError):
    """The gateway key would be allowed more than it is, by somebody who may only narrow it."""


@dataclass(frozen=True)
class CreatedKey:
    """A gateway key and its text, which is shown once and kept nowhere."""

    key: GatewayKey
    token: MintedToken


def setup_link() -> str | None:
    """Return a new link that lets whoever opens it first become the owner; None once there is a user.

    The link of an earlier start stops working.
    """
    if User.objects.exists():
        return None
    token = token_urlsafe(24)
    with transaction.atomic():
        SetupLink.objects.all().delete()
        SetupLink.objects.create(sha256=hash_token(token))
    return settings.PUBLIC_URL + reverse("setup", args=[token])


def is_setup_link_valid(token: str) -> bool:
    """Whether ``token`` is the one of the link printed last and nobody has used it."""
    return SetupLink.objects.filter(sha256=hash_token(token)).exists()


@transaction.atomic
def set_up(token: str, *, email: str, password: str, workspace_name: str, time_zone: str) -> tuple[User, Workspace]:
    """Use up the set-up link: make the owner and the first workspace.

    Raises SetupLinkUsed if somebody was faster.
    """
    used, _ = SetupLink.objects.filter(sha256=hash_token(token)).delete()
    if not used:
        raise SetupLinkUsed("This set-up link was used already. Sign in instead, or restart to print a new one.")
    return _make_owner(email, password, workspace_name=workspace_name, time_zone=time_zone)


def ensure_admin(email: str, password: str) -> User:
    """Make the owner named by the environment, and the default workspace, unless they are there already."""
    with transaction.atomic():
        _lock_setup()
        user = User.objects.filter(email=email.lower()).first()
        if user:
            return user
        SetupLink.objects.all().delete()
        workspace = Workspace.objects.order_by("created_at").first()
        if workspace is None:
            zone = settings.DEFAULT_WORKSPACE_TIME_ZONE
            return _make_owner(email, password, workspace_name="Default", time_zone=zone)[0]
        user = User.objects.create_user(email, password)
        Membership.objects.create(user=user, workspace=workspace, role=Role.OWNER)
        return user


def ensure_workspace() -> Workspace:
    """Return the first workspace, made here if nobody has set one up yet; set-up then names it."""
    with transaction.atomic():
        _lock_setup()
        workspace = Workspace.objects.order_by("created_at").first()
        if workspace is None:
            workspace = Workspace.objects.create(
                slug="default", name="Default", time_zone=settings.DEFAULT_WORKSPACE_TIME_ZONE
            )
        return workspace


@transaction.atomic
def create_gateway_key(
    workspace: Workspace,
    *,
    name: str,
    actor: Actor | None,
    owner: User | None = None,
    expires_at: datetime | None = None,
    kind: GatewayKey.Kind = GatewayKey.Kind.GATEWAY,
    scope: KeyScope = EVERYTHING,
) -> CreatedKey:
    """Make a key that works at once; its text is in the result and nowhere else.

    Raises NameTaken if a key in use has the name, ProjectArchived if its project takes no more keys.
    """
    _check_project(scope.project)
    token = mint_token(TokenKind.GATEWAY if kind == GatewayKey.Kind.GATEWAY else TokenKind.MANAGEMENT)
    try:
        with transaction.atomic():
            key = GatewayKey.objects.create(
                workspace=workspace,
                kind=kind,
                name=name,
                owner=owner,
                public_id=token.public_id,
                last4=token.last4,
                expires_at=expires_at,
                project=scope.project,
                allowed_regions=list(scope.allowed_regions),
                models_allowed=list(scope.models_allowed),
            )
    except IntegrityError:
        raise _key_name_taken(name) from None
    GatewayKeySecret.objects.create(key=key, sha256=token.sha256)
    after = {**_key_values(key), "key": key.masked}
    record_event(actor, f"{kind}_key.create", key, workspace=workspace, after=after)
    return CreatedKey(key, token)


@transaction.atomic
def edit_gateway_key(
    key: GatewayKey, *, name: str, scope: KeyScope, actor: Actor | None, may_widen: bool
) -> GatewayKey:
    """Set what ``key`` is called, belongs to and may do; the gateway goes by it within a second.

    Raises KeyRevoked, NameTaken if another key in use has the name, ProjectArchived if it is to move to a project
    that takes no more keys, and ScopeWidened if it would be allowed more and ``may_widen`` is false.
    """
    key = GatewayKey.objects.select_for_update(of=("self",)).select_related("project", "workspace").get(pk=key.pk)
    if key.revoked_at:
        raise KeyRevoked(f"{key.name} was revoked already.")
    # Compared with what holds now: the form may be older than an admin's limit.
    if not may_widen and widens(scope_of(key), scope):
        raise ScopeWidened("Only an admin can allow more. Ask one, or revoke this key.")
    if scope.project != key.project:
        _check_project(scope.project)
    before = _key_values(key)
    key.name, key.project = name, scope.project
    key.allowed_regions, key.models_allowed = list(scope.allowed_regions), list(scope.models_allowed)
    try:
        with transaction.atomic():
            key.save(update_fields=["name", "project", "allowed_regions", "models_allowed"])
    except IntegrityError:
        raise _key_name_taken(name) from None
    record_event(actor, f"{key.kind}_key.edit", key, workspace=key.workspace, before=before, after=_key_values(key))
    return key


@transaction.atomic
def revoke_gateway_key(key: GatewayKey, *, actor: Actor | None) -> GatewayKey:
    """End ``key`` for good; the gateway refuses it within a second.

    Raises KeyRevoked if it was revoked before.
    """
    key = GatewayKey.objects.select_for_update().get(pk=key.pk)
    if key.revoked_at:
        raise KeyRevoked(f"{key.name} was revoked already.")
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    record_event(actor, f"{key.kind}_key.revoke", key, workspace=key.workspace, before={"key": key.masked})
    return key


@transaction.atomic
def edit_workspace(workspace: Workspace, *, name: str, time_zone: str, actor: Actor | None) -> Workspace:
    """Set the workspace's name and zone."""
    workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
    before = {"name": workspace.name, "time_zone": workspace.time_zone}
    workspace.name, workspace.time_zone = name, time_zone
    workspace.save(update_fields=["name", "time_zone"])
    after = {"name": name, "time_zone": time_zone}
    record_event(actor, "workspace.edit", workspace, workspace=workspace, before=before, after=after)
    return workspace


@transaction.atomic
def edit_call_rules(
    workspace: Workspace,
    *,
    allowed_regions: Sequence[str],
    fetch_urls: bool,
    same_model_fallback: bool,
    actor: Actor | None,
) -> Workspace:
    """Set what holds for every call of the workspace; the gateway goes by it within a second.

    ``allowed_regions`` as ``catalog.regions.read_regions`` returns them.
    """
    workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
    before = _call_rules(workspace)
    workspace.allowed_regions = list(allowed_regions)
    workspace.fetch_urls, workspace.same_model_fallback = fetch_urls, same_model_fallback
    workspace.save(update_fields=["allowed_regions", "fetch_urls", "same_model_fallback"])
    after = _call_rules(workspace)
    record_event(actor, "workspace.edit_call_rules", workspace, workspace=workspace, before=before, after=after)
    return workspace


@transaction.atomic
def confirm_master_key_copy(workspace: Workspace, *, actor: Actor | None) -> None:
    """Note that somebody keeps a copy of the master keys elsewhere: without one, a lost disk loses every secret."""
    record_event(actor, MASTER_KEY_COPIED, workspace, workspace=workspace)


@transaction.atomic
def dismiss_checklist(workspace: Workspace, *, actor: Actor | None) -> None:
    """Stop showing the first steps on Overview."""
    workspace.checklist_dismissed_at = timezone.now()
    workspace.save(update_fields=["checklist_dismissed_at"])
    record_event(actor, "workspace.dismiss_checklist", workspace, workspace=workspace)


def _check_project(project: Project | None) -> None:
    if project and project.is_archived:
        raise ProjectArchived(f"{project.name} is archived. Restore it first, or choose another project.")


def _key_name_taken(name: str) -> NameTaken:
    return NameTaken(f"A key named “{name}” exists already. Choose another name.")


def _key_values(key: GatewayKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "project": key.project and key.project.name,
        "allowed_regions": key.allowed_regions,
        "models_allowed": key.models_allowed,
    }


def _call_rules(workspace: Workspace) -> dict[str, Any]:
    return {
        "allowed_regions": workspace.allowed_regions,
        "fetch_urls": workspace.fetch_urls,
        "same_model_fallback": workspace.same_model_fallback,
    }


def _lock_setup() -> None:
    # Two processes starting at once must not both make the first workspace.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('orqadmin.setup'))")


def _make_owner(email: str, password: str, *, workspace_name: str, time_zone: str) -> tuple[User, Workspace]:
    user = User.objects.create_user(email, password)
    workspace = ensure_workspace()
    workspace.name, workspace.time_zone = workspace_name, time_zone
    workspace.save(update_fields=["name", "time_zone"])
    Membership.objects.create(user=user, workspace=workspace, role=Role.OWNER)
    record_event(user, "workspace.set_up", workspace, workspace=workspace, after={"name": workspace_name})
    return user, workspace
