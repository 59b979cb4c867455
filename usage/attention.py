"""What somebody should look at: provider keys that fail or are old, models without a price, usage that is not known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from keys.models import ProviderKey
from keys.states import KeyState, key_states
from keys.status import status_of_set_aside
from teams.access import Right
from teams.models import Workspace
from usage.models import Attempt
from usage.queries import UsageReport
from usage.ranges import Grain
from usage.request_log import Shown

# What is in flight is not worth a look until no answer takes that long.
OPEN_TOO_LONG = timedelta(minutes=15)
# How many of several models a sentence names.
NAMED = 2


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to look at, with the button that leads there."""

    text: str
    href: str
    button: str


def concerns(
    workspace: Workspace, by_model: UsageReport, *, period: Mapping[str, str], may: Callable[[Right], bool]
) -> list[Concern]:
    """Return what needs attention: of each provider key at most one thing, then of the usage.

    ``by_model`` is the shown period's usage by model, ``period`` what stands for it in an address, and ``may`` tells
    the member's rights: nobody is told of, or sent to, what they may not see.
    """
    return [
        *(_provider_keys(workspace) if may(Right.READ_PROVIDER_KEYS) else ()),
        *_unpriced_models(workspace, by_model, period),
        *(_unsettled(workspace, by_model) if may(Right.READ_ALL_REQUESTS) else ()),
    ]


def _provider_keys(workspace: Workspace) -> Iterator[Concern]:
    for state in key_states(list(ProviderKey.objects.in_workspace(workspace).filter(enabled=True))):
        place, trouble = [workspace.slug, state.key.pk], _trouble_of(state)
        if trouble:
            yield Concern(f"Provider key {trouble}", reverse("keys:detail", args=place), "Open the key")
        elif state.is_rotation_due:
            text = f"Provider key {state.key.name} is due for rotation: its secret is {state.age_days} days old."
            yield Concern(text, reverse("keys:rotate", args=place), "Rotate")


def _trouble_of(state: KeyState) -> str:
    """Return the key's name and what is wrong with it, in one text; empty if nothing is."""
    name, status = state.key.name, state.status
    left_out = state.left_out_for
    models = [each.model for each in left_out]
    if not all(models):
        return f"{name} is left out for all models. {status.word}. {status.reason}"
    if status.is_failing:
        also = f" It is left out for {_some(models, 'model')}." if models else ""
        return f"{name}: {status.word.lower()}. {status.reason}{also}"
    if models:
        first = status_of_set_aside(left_out[0])
        why = f"{first.word}. {first.reason}" if len(models) == 1 else "Its page says why."
        return f"{name} is left out for {_some(models, 'model')}. {why}"
    return ""


def _unpriced_models(workspace: Workspace, by_model: UsageReport, period: Mapping[str, str]) -> Iterator[Concern]:
    rows = [row for row in by_model.rows if row.measures.unpriced]
    if rows:
        has = "has no price for some of its" if len(rows) == 1 else "have no price for some of their"
        shown = {**period, "group_by": "model", "grain": Grain.TOTAL}
        yield Concern(
            f"{_some([row.dimensions['model'] for row in rows], 'model')} {has} tokens: "
            f"the cost of {_attempts(sum(row.measures.unpriced for row in rows))} is missing from the figures.",
            f"{reverse('usage:usage', args=[workspace.slug])}?{urlencode(shown)}",
            "See the usage",
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


def _some(names: Sequence[str], noun: str) -> str:
    """Return the first names and how many more there are: "a", "a and b", "a, b and 28 more models"."""
    more = len(names) - NAMED
    if more > 0:
        return f"{', '.join(names[:NAMED])} and {more} more {noun}{'s' if more > 1 else ''}"
    return " and ".join(names)
