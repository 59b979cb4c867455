"""BYOK: the providers, and the named keys of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from catalog.providers import PROVIDERS, Provider
from keys.models import KeyVersion, ProviderKey, SetAside
from keys.states import KeyState, key_states
from keys.status import Status, status_of_set_aside
from teams.access import Right, WorkspaceRequest, requires
from teams.models import Workspace
from usage.models import LastUse
from usage.queries import usage_report
from usage.ranges import Grain

COST_DAYS = 30
COLUMNS = {
    "name": "Name",
    "state": "State",
    "last-check": "Last check",
    "last-used": "Last used",
    "cost": f"Cost, {COST_DAYS} d",
    "age": "Age",
    "order": "Order",
}
NUMBERS = ("cost", "age", "order")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SetAsideRow:
    """What the gateway leaves out for now. ``is_state`` is true where the key's own state says why already."""

    set_aside: SetAside
    status: Status
    is_state: bool


@dataclass(frozen=True)
class KeyRow:
    """A provider key as the list shows it. ``cost_usd`` is that of the last 30 days."""

    state: KeyState
    last_used_at: datetime | None
    cost_usd: Decimal
    has_draft: bool
    set_asides: list[SetAsideRow]

    @property
    def key(self) -> ProviderKey:
        return self.state.key

    def rank(self, column: str) -> Any:
        """Return what ``column`` sorts this row by; rows with nothing there come first."""
        state = self.state
        return {
            "name": self.key.name.casefold(),
            "state": state.status.word,
            "last-check": (state.last_call and state.last_call.finished_at) or _NEVER,
            "last-used": self.last_used_at or _NEVER,
            "cost": self.cost_usd,
            "age": -1 if state.age_days is None else state.age_days,
            "order": (self.key.order, self.key.name.casefold()),
        }[column]


@dataclass(frozen=True)
class ProviderSection:
    """A provider with its keys. ``state`` is connected, open or coming."""

    provider: Provider
    rows: list[KeyRow]

    @property
    def state(self) -> str:
        if not self.provider.is_callable:
            return "coming"
        return "connected" if self.rows else "open"


@require_safe
@requires(Right.READ_PROVIDER_KEYS)
def key_list(request: WorkspaceRequest) -> HttpResponse:
    """All providers; a search narrows their keys and hides the providers that do not match either."""
    query, sort = request.GET.get("q", "").strip()[:100], _read_sort(request.GET.get("sort", ""))
    sections = provider_sections(request.workspace, query, sort)
    context = {
        "sections": sections,
        "columns": COLUMNS,
        "numbers": NUMBERS,
        "query": query,
        "sort": sort,
        "has_keys": any(section.rows for section in sections),
        "may_manage": request.may(Right.MANAGE_PROVIDER_KEYS),
        "cost_days": COST_DAYS,
    }
    return render(request, "keys/list.html", context)


def _read_sort(asked: str) -> str:
    return asked if asked.removeprefix("-") in COLUMNS else "order"


def provider_sections(workspace: Workspace, query: str = "", sort: str = "order") -> list[ProviderSection]:
    """Return the providers in the catalog's order, each with its keys sorted; by ``order`` is as they are tried.

    ``sort`` is one of COLUMNS, with ``-`` in front for the other way round.
    """
    wanted, column = query.casefold(), sort.removeprefix("-")
    rows = key_rows(workspace, list(ProviderKey.objects.in_workspace(workspace)))
    rows.sort(key=lambda row: row.rank(column), reverse=sort.startswith("-"))
    sections = []
    for provider in PROVIDERS.values():
        own = [row for row in rows if row.key.provider == provider.slug]
        if wanted and wanted not in provider.label.casefold():
            own = [row for row in own if wanted in row.key.name.casefold()]
            if not own:
                continue
        sections.append(ProviderSection(provider, own))
    return sections


def key_rows(workspace: Workspace, keys: list[ProviderKey]) -> list[KeyRow]:
    """Return a row per key, in the same order. The number of queries does not depend on how many there are."""
    if not keys:
        return []
    drafts = set(KeyVersion.objects.drafts().filter(provider_key__in=keys).values_list("provider_key_id", flat=True))
    used = dict(
        LastUse.objects.filter(key_id__in=[key.pk for key in keys])
        .values("key_id")
        .annotate(last=Max("at"))
        .values_list("key_id", "last")
    )
    costs = costs_by_key(workspace)
    return [
        KeyRow(
            state=state,
            last_used_at=used.get(state.key.pk),
            cost_usd=costs.get(str(state.key.pk), Decimal(0)),
            has_draft=state.key.pk in drafts,
            set_asides=[_set_aside_row(each, state) for each in state.set_asides],
        )
        for state in key_states(keys)
    ]


def costs_by_key(workspace: Workspace) -> Mapping[str, Decimal]:
    """Return what each provider key's live traffic cost in the last 30 days, by the key's id."""
    begin = timezone.now() - timedelta(days=COST_DAYS)
    report = usage_report(workspace, begin=begin, grain=Grain.TOTAL, group_by=["provider_key"])
    return {row.dimensions["provider_key"]: row.measures.cost_usd for row in report.rows}


def _set_aside_row(set_aside: SetAside, state: KeyState) -> SetAsideRow:
    is_state = not set_aside.model and set_aside in state.left_out_for
    return SetAsideRow(set_aside, status_of_set_aside(set_aside), is_state)
