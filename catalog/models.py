"""The catalog's tables: models, where they are offered and what they cost there, all filled by ``sync_catalog``;
and the routes that each workspace makes of them.
"""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import validate_slug
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from catalog.providers import PROVIDERS, Provider
from teams.models import Workspace

# What a client writes before a route's name.
ROUTE_PREFIX = "route/"
MAX_RETRIES = 5


class Model(models.Model):
    """A model, wherever it is offered."""

    slug = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=100)
    family = models.CharField(max_length=40)
    rank = models.PositiveSmallIntegerField(help_text="Place in lists, best known first.")
    context_tokens = models.PositiveIntegerField()
    max_output_tokens = models.PositiveIntegerField(null=True, help_text="Empty: not published.")
    default_max_tokens = models.PositiveIntegerField(help_text="Sent where a client leaves max_tokens out.")
    min_cacheable_tokens = models.PositiveIntegerField(null=True, help_text="Empty: no caching, or not published.")
    strengths = models.CharField(max_length=200, blank=True)
    best_for = models.CharField(max_length=200, blank=True)
    capabilities = ArrayField(models.CharField(max_length=20), help_text="Values of catalog.index.Capability.")
    refuses_temperature_with_top_p = models.BooleanField()
    aliases = ArrayField(models.CharField(max_length=100), help_text="Other names, such as dated or dateless ids.")
    released_on = models.DateField(null=True)
    efforts = ArrayField(models.CharField(max_length=10), default=list, help_text="Reasoning efforts, least first.")
    structured_outputs = models.BooleanField(default=False, help_text="Whether it enforces a JSON schema.")
    takes_sampling = models.BooleanField(default=True, help_text="Whether it takes temperature, top_p and top_k.")
    forces_tools = models.BooleanField(default=True, help_text="Whether it can be made to call a tool.")
    thinking_off = models.CharField(
        max_length=20,
        default="disabled",
        help_text="How it is told not to think, a value of catalog.index.ThinkingOff.",
    )
    thinking_off_up_to = models.CharField(
        max_length=10, blank=True, default="", help_text="The highest effort at which it can be told so; empty: any."
    )

    class Meta:
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.name


class OfferingQuerySet(models.QuerySet["Offering"]):
    def listed(self) -> Self:
        """Return the offerings the catalog still has; one it dropped stays for its prices' sake."""
        return self.filter(is_listed=True)


class Offering(models.Model):
    """A model at one provider and region; an empty region is wherever the provider sends the call."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="offerings")
    provider = models.CharField(max_length=20)
    region = models.CharField(max_length=40, blank=True)
    upstream_id = models.CharField(max_length=100, help_text="What the provider calls the model.")
    model_string = models.CharField(max_length=120, help_text="What a client writes to get it.")
    retires_on = models.DateField(null=True, help_text="The day from which the provider refuses it.")
    is_listed = models.BooleanField(default=True)
    lacks = ArrayField(
        models.CharField(max_length=20), default=list, help_text="Values of catalog.index.Lack: not to be had here."
    )

    objects = OfferingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "region", "model"], name="catalog_offering_once"),
            # Where the key's place decides the price, one name stands for two offerings.
            models.UniqueConstraint(fields=["model_string", "region"], name="catalog_offering_one_name"),
        ]

    def __str__(self) -> str:
        return self.model_string

    @property
    def provider_info(self) -> Provider:
        """What the code knows about the provider."""
        return PROVIDERS[self.provider]

    @property
    def is_callable(self) -> bool:
        """Whether this gateway can call it."""
        return self.provider_info.is_callable


class Price(models.Model):
    """What an offering costs while this is in force. A price is never edited: it ends and another follows.

    Rates are USD per million tokens; an empty one is unknown, and tokens of its class stay unpriced.
    ``tiers`` are ``{"above_input_tokens": 200000, "uncached_input": "6", …}`` with all five classes each.
    """

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="prices")
    effective_from = models.DateTimeField(null=True, help_text="Empty: since the model came out.")
    effective_to = models.DateTimeField(null=True, help_text="Empty: until further notice.")
    source = models.CharField(max_length=300)
    uncached_input = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cache_read_input = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cache_write_5m_input = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    cache_write_1h_input = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    output = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    tiers = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["offering", F("effective_from").asc(nulls_first=True)]
        constraints = [
            models.UniqueConstraint(
                fields=["offering", "effective_from"], nulls_distinct=False, name="catalog_price_one_start"
            ),
            models.UniqueConstraint(
                fields=["offering"], condition=Q(effective_to=None), name="catalog_price_one_open_end"
            ),
            models.CheckConstraint(
                condition=Q(effective_to=None) | Q(effective_from=None) | Q(effective_from__lt=F("effective_to")),
                name="catalog_price_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offering_id} from {self.effective_from or 'the start'}"


class RouteQuerySet(models.QuerySet["Route"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)


class Route(models.Model):
    """A name for several offerings, called as the model ``route/<name>``.

    ``retries`` are extra attempts at a target after an error that may pass, before the next target is tried.
    """

    class Strategy(models.TextChoices):
        ORDERED = "ordered", "In order"
        WEIGHTED = "weighted", "By weight"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="routes")
    name = models.CharField(max_length=64, validators=[validate_slug])
    strategy = models.CharField(max_length=10, choices=Strategy, default=Strategy.ORDERED)
    retries = models.PositiveSmallIntegerField(default=1)
    allowed_regions = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="As in catalog.regions; empty: all."
    )
    same_model_fallback = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint("workspace", Lower("name"), name="catalog_route_name_once"),
            models.CheckConstraint(condition=Q(retries__lte=MAX_RETRIES), name="catalog_route_retries_bounded"),
            models.CheckConstraint(condition=Q(strategy__in=["ordered", "weighted"]), name="catalog_route_strategy"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def model_string(self) -> str:
        """What a client writes to call it."""
        return f"{ROUTE_PREFIX}{self.name}"

    @property
    def is_weighted(self) -> bool:
        """Whether its targets share the requests, instead of standing in for one another in order."""
        return self.strategy == self.Strategy.WEIGHTED


class RouteTarget(models.Model):
    """One of a route's models, by the string a client would write; ``position`` counts from 0."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="targets")
    model_string = models.CharField(max_length=200)
    position = models.PositiveSmallIntegerField()
    weight = models.PositiveIntegerField(default=1, help_text="Its share of the requests where the route is weighted.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["route", "position"], name="catalog_routetarget_position_once"),
            models.UniqueConstraint(fields=["route", "model_string"], name="catalog_routetarget_model_once"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="catalog_routetarget_weight_positive"),
        ]

    def __str__(self) -> str:
        return self.model_string
