"""Who is here: users, workspaces, members and their roles, the keys they hand out, and what they did."""

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from teams.tokens import TokenKind

# Clocks and databases of our age end beyond these years.
LAST_EXPIRY_YEAR = 2199
# Stored prompts are for looking into what went wrong, not an archive.
MAX_PROMPT_RETENTION_DAYS = 90


class UserManager(BaseUserManager["User"]):
    """Makes users known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person who signs in with an e-mail address; roles are per workspace, on Membership."""

    username = None  # type: ignore[assignment]  # e-mail addresses name users
    email = models.EmailField(unique=True)
    time_zone = models.CharField(max_length=64, blank=True, help_text="Empty: the workspace's zone.")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[misc, assignment]  # no username, so not Django's manager

    def __str__(self) -> str:
        return self.email


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def of(self, user: User) -> Self:
        """Return the workspaces ``user`` is a member of."""
        return self.filter(memberships__user=user)


class Workspace(models.Model):
    """The tenant: everything else belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Days and months are counted in this zone.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    checklist_dismissed_at = models.DateTimeField(null=True, blank=True)
    allowed_regions = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="As in catalog.regions; empty: all."
    )
    fetch_urls = models.BooleanField(
        default=False, help_text="Fetch images and PDFs for providers that take no addresses."
    )
    same_model_fallback = models.BooleanField(
        default=False, help_text="Fall back to other offerings of the same model where a plain model was asked for."
    )
    store_prompts = models.BooleanField(default=False, help_text="Keep prompts and answers, sealed.")
    prompt_retention_days = models.PositiveSmallIntegerField(default=7)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt_retention_days__range=(1, MAX_PROMPT_RETENTION_DAYS)),
                name="teams_workspace_prompt_retention",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("usage:overview", args=[self.slug])

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which this workspace's days begin."""
        return ZoneInfo(self.time_zone)


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class Membership(models.Model):
    """A user's place in a workspace."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "workspace"], name="teams_membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} ({self.role})"


class ProjectQuerySet(models.QuerySet["Project"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def active(self) -> Self:
        """Return the projects that keys can be given to."""
        return self.filter(archived_at=None)


class Project(models.Model):
    """A slice of a workspace that its gateway keys belong to, and usage is charged to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=100)
    allowed_regions = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="As in catalog.regions; empty: all."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint(
                "workspace", Lower("name"), condition=Q(archived_at=None), name="teams_project_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_archived(self) -> bool:
        """Whether no more keys can be given to it; those it has go on working."""
        return self.archived_at is not None


class SetupLink(models.Model):
    """The link printed on first start; using it makes the owner and ends it."""

    sha256 = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"


class GatewayKeyQuerySet(models.QuerySet["GatewayKey"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def for_clients(self) -> Self:
        """Return the keys that applications send; management keys are left out."""
        return self.filter(kind=GatewayKey.Kind.GATEWAY)

    def usable(self) -> Self:
        """Return the keys neither revoked nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


class GatewayKey(models.Model):
    """What a client sends: ``sk-orq-…`` calls models, ``mk-orq-…`` calls the REST API and no model."""

    class Kind(models.TextChoices):
        GATEWAY = "gateway", "Gateway key"
        MANAGEMENT = "management", "Management key"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="gateway_keys")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.GATEWAY)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="gateway_keys")
    project = models.ForeignKey(Project, on_delete=models.RESTRICT, null=True, blank=True, related_name="gateway_keys")
    allowed_regions = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="As in catalog.regions; empty: all."
    )
    models_allowed = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="Model strings or patterns such as anthropic/*; empty: all.",
    )
    public_id = models.CharField(max_length=8, unique=True)
    last4 = models.CharField(max_length=4)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = GatewayKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "kind", "name"],
                condition=Q(revoked_at=None),
                name="teams_gatewaykey_name_once",
            ),
            models.CheckConstraint(
                # A year ends a day later than in UTC at the most, where clocks are behind.
                condition=Q(expires_at__lt=datetime(LAST_EXPIRY_YEAR + 1, 1, 2, tzinfo=UTC)),
                name="teams_gatewaykey_expires_in_our_age",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def masked(self) -> str:
        """The key as lists show it: prefix, public id and the last four characters."""
        prefix = TokenKind.GATEWAY if self.kind == self.Kind.GATEWAY else TokenKind.MANAGEMENT
        return f"{prefix}{self.public_id}-…{self.last4}"

    @property
    def status(self) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active"


class GatewayKeySecret(models.Model):
    """The hash of a gateway key's text; a rotated key has two until its grace ends."""

    key = models.ForeignKey(GatewayKey, on_delete=models.CASCADE, related_name="secrets")
    sha256 = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    grace_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"secret of {self.key}"


class AuditEvent(models.Model):
    """Who did what to which object, written in the transaction of the change; append-only."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="audit_events")
    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.CharField(max_length=254, help_text="E-mail address, or the name of a management key.")
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=200)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["workspace", "-at"], name="teams_audit_recent")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_name}"
