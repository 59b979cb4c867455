"""Provider keys, their numbered versions, and the calls that tested them."""

import uuid
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone

from catalog.providers import PROVIDERS, Provider
from keys.crypto import PromptKeyContext, SealContext, Sealed
from providers.base import Outcome, Target
from providers.registry import PROVIDER_APIS
from teams.models import Workspace


class ProviderKeyQuerySet(models.QuerySet["ProviderKey"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        """Return the keys of ``workspace`` that were not deleted."""
        return self.filter(workspace=workspace, deleted_at=None)


class ProviderKey(models.Model):
    """A named configuration holding one credential for one provider."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="provider_keys")
    provider = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    base_url = models.CharField(max_length=200, blank=True, help_text="Empty: the provider's own address.")
    settings = models.JSONField(default=dict, blank=True, help_text="Region, project id, …; never secret.")
    order = models.PositiveSmallIntegerField(default=0, help_text="Keys with a lower number are tried first.")
    weight = models.PositiveSmallIntegerField(default=1, help_text="Share among keys of the same order.")
    enabled = models.BooleanField(default=True)
    rotate_every_days = models.PositiveSmallIntegerField(null=True, blank=True)
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProviderKeyQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "order", "name"]
        constraints = [
            models.UniqueConstraint(
                "workspace", "provider", Lower("name"), condition=Q(deleted_at=None), name="keys_providerkey_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("keys:detail", args=[self.workspace.slug, self.pk])

    @property
    def provider_info(self) -> Provider:
        """What the catalog knows about the provider."""
        return PROVIDERS[self.provider]

    @property
    def url(self) -> str:
        """Where calls with this key go: its own address, else the provider's."""
        return self.base_url or self.provider_info.default_origin

    @property
    def address(self) -> str:
        """The origin that model calls go to, as far as the settings tell it."""
        api, target = PROVIDER_APIS[self.provider], Target(self.url, self.settings)
        try:
            return self.url or origin_of(api.build_request(api.build_test_message("model", target), target).url)
        except ValueError:
            return ""

    @property
    def shown_settings(self) -> list[tuple[str, str]]:
        """The settings that are set, with their labels and what they mean, for people."""
        fields = self.provider_info.setting_fields
        return [(field.label, field.in_words(value)) for field in fields if (value := self.settings.get(field.name))]

    @property
    def place(self) -> str:
        """Where its calls are made and may be served, in the settings' own words; empty where nothing says."""
        chosen = [self.settings.get(name) for name in ("region", "location", "inference_profile")]
        return ", ".join(value for value in chosen if value)

    @property
    def sealed_origin(self) -> str:
        """The origin a secret is bound to: the base URL's scheme, host and port, else the provider's slug."""
        return origin_of(self.base_url) if self.base_url else f"provider:{self.provider}"


def origin_of(url: str) -> str:
    """Return ``scheme://host[:port]`` of ``url``, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class KeyVersionQuerySet(models.QuerySet["KeyVersion"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(provider_key__workspace=workspace, provider_key__deleted_at=None)

    def active(self) -> Self:
        """Return the versions traffic goes to."""
        return self.filter(state=KeyVersion.State.ACTIVE)

    def drafts(self) -> Self:
        """Return the versions that wait for the switch."""
        return self.filter(state=KeyVersion.State.DRAFT)

    def draining(self) -> Self:
        """Return the versions that stand by as fallback until their time is up."""
        return self.filter(state=KeyVersion.State.DRAINING)


class KeyVersion(models.Model):
    """One secret of a provider key: draft → active → draining → revoked."""

    class State(models.TextChoices):
        DRAFT = "draft", "New"
        ACTIVE = "active", "In use"
        DRAINING = "draining", "Old, fallback"
        REVOKED = "revoked", "Revoked"

    provider_key = models.ForeignKey(ProviderKey, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    ciphertext = models.BinaryField()
    wrapped_data_key = models.BinaryField()
    master_key_id = models.CharField(max_length=40, db_index=True)
    hint = models.CharField(max_length=4, help_text="The secret's last four characters.")
    fingerprint = models.BinaryField(db_index=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    promoted_at = models.DateTimeField(null=True, blank=True)
    draining_until = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = KeyVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["provider_key", "number"], name="keys_keyversion_number_once"),
            models.UniqueConstraint(
                fields=["provider_key"], condition=Q(state="active"), name="keys_keyversion_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider_key} v{self.number}"

    @property
    def is_revoked(self) -> bool:
        return self.state == self.State.REVOKED

    @property
    def sealed(self) -> Sealed:
        """The stored ciphertext and what opens it."""
        return Sealed(bytes(self.ciphertext), bytes(self.wrapped_data_key), self.master_key_id)

    @property
    def seal_context(self) -> SealContext:
        """The additional data this version's ciphertext is bound to."""
        key = self.provider_key
        return SealContext(key.workspace_id, key.pk, key.provider, key.sealed_origin, self.number)


class SetAside(models.Model):
    """A version of a key that the gateway leaves out for a while, because its provider refused it.

    ``model`` is the upstream's id, empty for all models. ``detail`` is the reason in a sentence for people. After
    ``until`` the next call is a probe: it ends the row, or sets the version aside again.
    """

    provider_key = models.ForeignKey(ProviderKey, on_delete=models.CASCADE, related_name="set_asides")
    version = models.PositiveIntegerField(help_text="The version's number.")
    model = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=30, choices=[(o.value, o.value) for o in Outcome])
    detail = models.CharField(max_length=300, blank=True)
    since = models.DateTimeField(default=timezone.now, editable=False)
    until = models.DateTimeField()

    class Meta:
        ordering = ["provider_key", "version", "model"]
        constraints = [
            models.UniqueConstraint(fields=["provider_key", "version", "model"], name="keys_setaside_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_key} v{self.version}, {self.model or 'all models'}"

    @property
    def is_over(self) -> bool:
        """Whether its time is up: the next call is the probe."""
        return self.until <= timezone.now()


class TestCallQuerySet(models.QuerySet["TestCall"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(version__provider_key__workspace=workspace)

    def waiting(self, *, for_at_least: timedelta) -> Self:
        """Return the calls that should have run by now: their task was lost, or its worker died."""
        return self.exclude(state=TestCall.State.DONE).filter(queued_at__lte=timezone.now() - for_at_least)


class TestCall(models.Model):
    """A call we made ourselves with one version: a free check, or one small message."""

    __test__ = False  # the name begins like a test class's

    class Kind(models.TextChoices):
        CHECK = "check", "Check, free"
        MESSAGE = "message", "Test message"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(KeyVersion, on_delete=models.CASCADE, related_name="test_calls")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    model = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=30, blank=True, choices=[(o.value, o.value) for o in Outcome])
    latency_ms = models.PositiveIntegerField(null=True, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    upstream_request_id = models.CharField(max_length=200, blank=True)
    message = models.CharField(max_length=300, blank=True, help_text="Our sentence: what happened, what to do.")
    queued_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TestCallQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at"]
        indexes = [
            models.Index(fields=["version", "-queued_at"], name="keys_testcall_recent"),
            models.Index(fields=["queued_at"], condition=~Q(state="done"), name="keys_testcall_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.version}"

    @property
    def is_done(self) -> bool:
        return self.state == self.State.DONE

    @property
    def is_ok(self) -> bool:
        return self.outcome == Outcome.OK

    def as_dict(self) -> dict[str, Any]:
        """Return what the API shows of this call."""
        return {
            "id": str(self.pk),
            "version": self.version.number,
            "kind": self.kind,
            "state": self.state,
            "model": self.model or None,
            "outcome": self.outcome or None,
            "latency_ms": self.latency_ms,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "upstream_request_id": self.upstream_request_id or None,
            "message": self.message or None,
            "queued_at": self.queued_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
        }


class PromptKey(models.Model):
    """The data key that seals a workspace's stored prompts and answers; without it nobody can read them again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="prompt_key")
    wrapped_data_key = models.BinaryField()
    master_key_id = models.CharField(max_length=40, db_index=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"prompt key of {self.workspace}"

    @property
    def seal_context(self) -> PromptKeyContext:
        """The additional data that the wrapped key, and all that it seals, is bound to."""
        return PromptKeyContext(self.workspace_id, self.pk)
