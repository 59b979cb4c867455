"""The ledger and what is summed from it. Rows carry plain ids, so that history outlives what it names."""

from decimal import Decimal
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from catalog.providers import PROVIDERS
from teams.models import Workspace
from usage.error_words import Reached
from usage.measures import usd

# Upper bounds, in ms, of the latency histogram's buckets, each √2 times the one before; one more bucket is open.
LATENCY_BOUNDS_MS = [round(2 ** (step / 2)) for step in range(2, 41)]
LATENCY_BUCKETS = len(LATENCY_BOUNDS_MS) + 1


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace_id=workspace.pk)


class Attempt(models.Model):
    """One call to one upstream: a ledger row. Partitioned by month on its id, a version-7 UUID made at open."""

    class State(models.TextChoices):
        OPEN = "open", "In flight"
        SETTLED = "settled", "Settled"

    class Certainty(models.TextChoices):
        EXACT = "exact", "Counted"
        PARTIAL = "partial", "Cut off"
        ESTIMATED = "estimated", "Estimated"
        UNKNOWN = "unknown", "Not known"

    id = models.UUIDField(primary_key=True)
    request_id = models.CharField(max_length=40)
    attempt = models.SmallIntegerField(default=1)
    kind = models.CharField(max_length=5)
    dialect = models.CharField(max_length=20)
    workspace_id = models.UUIDField()
    project_id = models.UUIDField(null=True)
    gateway_key_id = models.UUIDField(null=True)
    provider_key_id = models.UUIDField()
    provider_key_version = models.IntegerField()
    provider = models.CharField(max_length=20)
    region = models.CharField(max_length=40)
    model_asked = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    model_served = models.CharField(max_length=200)
    identity = models.CharField(max_length=200)
    session = models.CharField(max_length=200)
    tags = ArrayField(models.TextField())
    stream = models.BooleanField()
    state = models.CharField(max_length=8, choices=State)
    certainty = models.CharField(max_length=10, choices=Certainty, null=True)  # noqa: DJ001  # null until settled
    status = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=60)
    final = models.BooleanField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    latency_ms = models.IntegerField(null=True)
    ttft_ms = models.IntegerField(null=True)
    uncached_input_tokens = models.BigIntegerField(null=True)
    cache_read_input_tokens = models.BigIntegerField(null=True)
    cache_write_5m_input_tokens = models.BigIntegerField(null=True)
    cache_write_1h_input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_output_tokens = models.BigIntegerField(null=True)
    web_searches = models.IntegerField(null=True)
    uncached_input_cost_nano = models.BigIntegerField(null=True)
    cache_read_input_cost_nano = models.BigIntegerField(null=True)
    cache_write_5m_input_cost_nano = models.BigIntegerField(null=True)
    cache_write_1h_input_cost_nano = models.BigIntegerField(null=True)
    output_cost_nano = models.BigIntegerField(null=True)
    cache_savings_nano = models.BigIntegerField(null=True)
    is_unpriced = models.BooleanField()
    price_id = models.BigIntegerField(null=True)
    upstream_request_id = models.CharField(max_length=200)
    queue_ms = models.IntegerField(null=True)
    route = models.CharField(max_length=200, default="")
    connect_ms = models.IntegerField(null=True)
    first_byte_ms = models.IntegerField(null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"attempt {self.attempt} of {self.request_id}"

    @property
    def input_tokens(self) -> int | None:
        """All input tokens together; None while none is known."""
        counts = (
            self.uncached_input_tokens,
            self.cache_read_input_tokens,
            self.cache_write_5m_input_tokens,
            self.cache_write_1h_input_tokens,
        )
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    @property
    def cache_write_input_tokens(self) -> int | None:
        """Tokens written to the cache for 5 minutes and for an hour; None while neither is known."""
        known = [
            count for count in (self.cache_write_5m_input_tokens, self.cache_write_1h_input_tokens) if count is not None
        ]
        return sum(known) if known else None

    @property
    def has_usage(self) -> bool:
        """Whether any count is known; without one there is no cost to show, not even a zero."""
        return self.input_tokens is not None or self.output_tokens is not None

    @property
    def was_tried_again(self) -> bool:
        """Whether another attempt of the same request came after this one."""
        return self.state == Attempt.State.SETTLED and not self.final

    @property
    def served(self) -> str:
        """The model that answered, or was asked to, as ``provider/model``."""
        return f"{self.provider}/{self.model_served or self.model}"

    @property
    def is_served_as_asked(self) -> bool:
        """Whether what answered goes by the name the client wrote, with or without the provider in front."""
        prefix = PROVIDERS[self.provider].prefix if self.provider in PROVIDERS else f"{self.provider}/"
        is_provider_asked = self.model_asked.startswith(prefix) or "/" not in self.model_asked
        return is_provider_asked and self.model_asked.endswith(self.model_served or self.model)

    @property
    def reached(self) -> Reached:
        """How far it got at its provider."""
        if self.first_byte_ms is not None or self.ttft_ms is not None or self.status is not None:
            return Reached.ANSWERED
        # What was never sent is known to have used nothing.
        return Reached.NOT_SENT if self.certainty == self.Certainty.EXACT else Reached.SENT

    @property
    def cost_usd(self) -> Decimal:
        return usd(self.cost_nano)

    @property
    def cost_nano(self) -> int:
        """The priced classes together; ``is_unpriced`` tells whether some are missing."""
        return (
            (self.uncached_input_cost_nano or 0)
            + (self.cache_read_input_cost_nano or 0)
            + (self.cache_write_5m_input_cost_nano or 0)
            + (self.cache_write_1h_input_cost_nano or 0)
            + (self.output_cost_nano or 0)
        )


class Sums(models.Model):
    """The dimensions and sums that the 15-minute and the daily tier share."""

    workspace_id = models.UUIDField()
    kind = models.CharField(max_length=5)
    provider = models.CharField(max_length=20)
    region = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    provider_key_id = models.UUIDField()
    provider_key_version = models.IntegerField()
    gateway_key_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    status_class = models.CharField(max_length=4)
    dialect = models.CharField(max_length=20)
    requests = models.BigIntegerField(default=0)
    attempts = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0)
    estimated = models.BigIntegerField(default=0)
    partial = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    uncached_input_tokens = models.BigIntegerField(default=0)
    cache_read_input_tokens = models.BigIntegerField(default=0)
    cache_write_5m_input_tokens = models.BigIntegerField(default=0)
    cache_write_1h_input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_output_tokens = models.BigIntegerField(default=0)
    web_searches = models.BigIntegerField(default=0)
    uncached_input_cost_nano = models.BigIntegerField(default=0)
    cache_read_input_cost_nano = models.BigIntegerField(default=0)
    cache_write_5m_input_cost_nano = models.BigIntegerField(default=0)
    cache_write_1h_input_cost_nano = models.BigIntegerField(default=0)
    output_cost_nano = models.BigIntegerField(default=0)
    cache_savings_nano = models.BigIntegerField(default=0)
    latency_histogram = ArrayField(models.BigIntegerField())

    class Meta:
        abstract = True


DIMENSIONS = [
    "kind",
    "provider",
    "region",
    "model",
    "provider_key_id",
    "provider_key_version",
    "gateway_key_id",
    "project_id",
    "status_class",
    "dialect",
]
SUMS = [
    "requests",
    "attempts",
    "errors",
    "unknown",
    "estimated",
    "partial",
    "unpriced",
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "web_searches",
    "uncached_input_cost_nano",
    "cache_read_input_cost_nano",
    "cache_write_5m_input_cost_nano",
    "cache_write_1h_input_cost_nano",
    "output_cost_nano",
    "cache_savings_nano",
]


class Rollup(Sums):
    """Sums of settled attempts per 15 minutes (UTC) of their start."""

    bucket = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "bucket", *DIMENSIONS], nulls_distinct=False, name="usage_rollup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d %H:%M} {self.model}"


class Day(Sums):
    """Sums of the 15-minute tier per local day of the workspace's zone."""

    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "day", *DIMENSIONS], nulls_distinct=False, name="usage_day_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model}"


class DayState(models.Model):
    """Whether the daily tier holds a local day as the 15-minute tier has it.

    ``stale_since`` is set by the statement that adds to the day, and cleared by the one that sums it again.
    ``time_zone`` is the zone it was summed in; after the workspace changes its zone the day counts as stale.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    day = models.DateField()
    time_zone = models.CharField(max_length=64)
    stale_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "day", "time_zone"], name="usage_daystate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} ({self.time_zone})"


class LastUse(models.Model):
    """When a gateway key, or a version of a provider key, last carried a request."""

    key_id = models.UUIDField()
    version = models.IntegerField(default=0, help_text="0 for gateway keys.")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_id", "version"], name="usage_lastuse_once")]

    def __str__(self) -> str:
        return f"{self.key_id} v{self.version} at {self.at}"


class Refusal(models.Model):
    """A request the gateway refused before any upstream call, kept 30 days to explain it.

    Its id is a version-7 UUID, so that refusals and attempts are listed in one order.
    """

    id = models.UUIDField(primary_key=True)
    request_id = models.CharField(max_length=40)
    workspace_id = models.UUIDField()
    gateway_key_id = models.UUIDField()
    dialect = models.CharField(max_length=20)
    model_asked = models.CharField(max_length=200)
    status = models.SmallIntegerField()
    error_code = models.CharField(max_length=60)
    message = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["workspace_id", "-id"], name="usage_refusal_recent")]

    def __str__(self) -> str:
        return f"{self.status} {self.error_code}"


class StoredExchangeQuerySet(models.QuerySet["StoredExchange"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        """Return what ``workspace`` has stored and whose time is not up."""
        return self.filter(workspace_id=workspace.pk, expires_at__gt=timezone.now())


class StoredExchange(models.Model):
    """The prompt and the answer of one request, sealed with its workspace's prompt key. Its id is the attempt's.

    ``…_bytes`` is how long each side was; of one that ``is_…_cut`` only the beginning is stored.
    """

    id = models.UUIDField(primary_key=True)
    request_id = models.CharField(max_length=40)
    workspace_id = models.UUIDField()
    gateway_key_id = models.UUIDField(null=True)
    prompt_key_id = models.UUIDField()
    at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    sealed_request = models.BinaryField()
    sealed_answer = models.BinaryField()
    request_bytes = models.BigIntegerField()
    answer_bytes = models.BigIntegerField()
    is_request_cut = models.BooleanField()
    is_answer_cut = models.BooleanField()

    objects = StoredExchangeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace_id", "request_id"], name="usage_exchange_request")]

    def __str__(self) -> str:
        return f"prompt and answer of {self.request_id}"


class Shipment(models.Model):
    """The heartbeat of one ship_usage: up to when everything settled has been counted."""

    host = models.CharField(max_length=200, unique=True)
    counted_until = models.DateTimeField()
    waiting = models.BigIntegerField(default=0, help_text="Rows seen in the outbox folder and not yet counted.")
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.host} until {self.counted_until}"
