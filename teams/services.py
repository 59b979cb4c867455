"""Changes to workspaces and the keys they hand out."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from teams.audit import Actor, record_event
from teams.models import GatewayKey, GatewayKeySecret, Membership, Role, SetupLink, User, Workspace
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
) -> CreatedKey:
    """Make a key that works at once; its text is in the result and nowhere else.

    Raises NameTaken if a key in use has the name.
    """
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
            )
    except IntegrityError:
        raise NameTaken(f"A key named “{name}” exists already. Choose another name.") from None
    GatewayKeySecret.objects.create(key=key, sha256=token.sha256)
    record_event(actor, f"{kind}_key.create", key, workspace=workspace, after={"name": name, "key": key.masked})
    return CreatedKey(key, token)


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
def confirm_master_key_copy(workspace: Workspace, *, actor: Actor | None) -> None:
    """Note that somebody keeps a copy of the master keys elsewhere: without one, a lost disk loses every secret."""
    record_event(actor, MASTER_KEY_COPIED, workspace, workspace=workspace)


@transaction.atomic
def dismiss_checklist(workspace: Workspace, *, actor: Actor | None) -> None:
    """Stop showing the first steps on Overview."""
    workspace.checklist_dismissed_at = timezone.now()
    workspace.save(update_fields=["checklist_dismissed_at"])
    record_event(actor, "workspace.dismiss_checklist", workspace, workspace=workspace)


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
