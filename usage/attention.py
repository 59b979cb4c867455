"""What somebody should look at: failing provider keys, models without a price, usage that is not known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.status import status_of_call, status_of_set_aside
from teams.models import Workspace
from usage.models import Attempt
from usage.queries import UsageReport
from usage.request_log import Shown

# What is in flight is not worth a look until no answer takes that long.
OPEN_TOO_LONG = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to look at, with the button that leads there."""

    text: str
    href: str
    button: str


def concerns(workspace: Workspace, by_model: UsageReport) -> list[Concern]:
    """Return what needs attention; ``by_model`` is the shown period's usage by model."""
    return [
        *_failing_keys(workspace),
        *_set_aside_keys(workspace),
        *_unpriced_models(workspace, by_model),
        *_unsettled(workspace, by_model),
    ]


def _failing_keys(workspace: Workspace) -> Iterator[Concern]:
    in_use = KeyVersion.objects.in_workspace(workspace).active().filter(provider_key__enabled=True)
    last_calls = (
        TestCall.objects.filter(version__in=in_use, state=TestCall.State.DONE)
        .select_related("version__provider_key")
        .order_by("version_id", "-queued_at")
        .distinct("version_id")
    )
    for call in last_calls:
        if status_of_call(call).is_failing:
            key = call.version.provider_key
            yield Concern(
                f"Provider key {key.name}: {status_of_call(call).word.lower()}. {call.message}",
                reverse("keys:detail", args=[workspace.slug, key.pk]),
                "Open the key",
            )


def _set_aside_keys(workspace: Workspace) -> Iterator[Concern]:
    noted = SetAside.objects.filter(
        provider_key__in=ProviderKey.objects.in_workspace(workspace).filter(enabled=True), until__gt=timezone.now()
    ).select_related("provider_key")
    for each in noted:
        key, status = each.provider_key, status_of_set_aside(each)
        yield Concern(
            f"Provider key {key.name} is left out for {each.model or 'all models'}. {status.word}. {status.reason}",
            reverse("keys:detail", args=[workspace.slug, key.pk]),
            "Open the key",
        )


def _unpriced_models(workspace: Workspace, by_model: UsageReport) -> Iterator[Concern]:
    for row in by_model.rows:
        if row.measures.unpriced:
            model = row.dimensions["model"]
            yield Concern(
                f"{model} has no price for some of its tokens: the cost of {_attempts(row.measures.unpriced)} "
                "is missing from the figures.",
                f"{reverse('usage:usage', args=[workspace.slug])}?{urlencode({'model': model})}",
                "See its usage",
            )


def _unsettled(workspace: Workspace, by_model: UsageReport) -> Iterator[Concern]:
    stuck = (
        Attempt.objects.in_workspace(workspace)
        .filter(state=Attempt.State.OPEN, started_at__lt=timezone.now() - OPEN_TOO_LONG)
        .count()
    )
    unsettled = by_model.totals.unknown + stuck
    if unsettled:
        yield Concern(
            f"{_attempts(unsettled)} never told what was used: no sum of tokens or cost holds it. "
            "A request that was tried again counts once for each attempt.",
            f"{reverse('usage:requests', args=[workspace.slug])}?{urlencode({'shown': Shown.UNSETTLED})}",
            "See them",
        )


def _attempts(count: int) -> str:
    return f"{count:,} {'attempt' if count == 1 else 'attempts'}"
