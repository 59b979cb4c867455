"""BYOK: the providers, and the named keys of each."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from catalog.providers import PROVIDERS, Provider
from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.services import keyring
from keys.status import Status, status_of_key, status_of_set_aside
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

    key: ProviderKey
    in_use: KeyVersion | None
    last_call: TestCall | None
    status: Status
    last_used_at: datetime | None
    cost_usd: Decimal
    has_draft: bool
    set_asides: list["SetAsideRow"]

    @property
    def age_days(self) -> int | None:
        """For how many days the secret in use has been in use."""
        if self.in_use is None or self.in_use.promoted_at is None:
            return None
        return (timezone.now() - self.in_use.promoted_at).days

    def rank(self, column: str) -> Any:
        """Return what ``column`` sorts this row by; rows with nothing there come first."""
        return {
            "name": self.key.name.casefold(),
            "state": self.status.word,
            "last-check": (self.last_call and self.last_call.finished_at) or _NEVER,
            "last-used": self.last_used_at or _NEVER,
            "cost": self.cost_usd,
            "age": -1 if self.age_days is None else self.age_days,
            "order": (self.key.order, self.key.name.casefold()),
        }[column]

    @property
    def is_rotation_due(self) -> bool:
        days = self.key.rotate_every_days
        return days is not None and self.age_days is not None and self.age_days >= days


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
    in_use, drafts = _versions(keys)
    calls = _last_calls(in_use.values())
    used = dict(
        LastUse.objects.filter(key_id__in=[key.pk for key in keys])
        .values("key_id")
        .annotate(last=Max("at"))
        .values_list("key_id", "last")
    )
    costs = costs_by_key(workspace)
    set_asides = _set_asides(keys)
    ids = keyring().ids
    rows = []
    for key in keys:
        version = in_use.get(key.pk)
        call = calls.get(version.pk) if version else None
        rows.append(
            KeyRow(
                key=key,
                in_use=version,
                last_call=call,
                status=status_of_key(key, version, call, master_key_ids=ids, set_asides=set_asides[key.pk]),
                last_used_at=used.get(key.pk),
                cost_usd=costs.get(str(key.pk), Decimal(0)),
                has_draft=key.pk in drafts,
                set_asides=[_set_aside_row(each, version) for each in set_asides[key.pk]],
            )
        )
    return rows


def costs_by_key(workspace: Workspace) -> Mapping[str, Decimal]:
    """Return what each provider key's live traffic cost in the last 30 days, by the key's id."""
    begin = timezone.now() - timedelta(days=COST_DAYS)
    report = usage_report(workspace, begin=begin, grain=Grain.TOTAL, group_by=["provider_key"])
    return {row.dimensions["provider_key"]: row.measures.cost_usd for row in report.rows}


def _versions(keys: list[ProviderKey]) -> tuple[dict[UUID, KeyVersion], set[UUID]]:
    """Return the version in use of each key, and the keys that have a draft waiting."""
    State = KeyVersion.State
    versions = KeyVersion.objects.filter(provider_key__in=keys, state__in=[State.ACTIVE, State.DRAFT]).defer(
        "ciphertext", "wrapped_data_key", "fingerprint"
    )
    in_use, drafts = {}, set()
    for version in versions:
        if version.state == State.ACTIVE:
            in_use[version.provider_key_id] = version
        else:
            drafts.add(version.provider_key_id)
    return in_use, drafts


def _set_aside_row(set_aside: SetAside, in_use: KeyVersion | None) -> SetAsideRow:
    is_state = in_use is not None and in_use.number == set_aside.version and not set_aside.model
    return SetAsideRow(set_aside, status_of_set_aside(set_aside), is_state)


def _set_asides(keys: list[ProviderKey]) -> Mapping[UUID, list[SetAside]]:
    """Return what is left out of each key; of a disabled one it does not matter."""
    noted: dict[UUID, list[SetAside]] = defaultdict(list)
    for each in SetAside.objects.filter(provider_key__in=[key for key in keys if key.enabled]):
        noted[each.provider_key_id].append(each)
    return noted


def _last_calls(versions: Collection[KeyVersion]) -> dict[int, TestCall]:
    calls = TestCall.objects.filter(version__in=versions).select_related("version__provider_key")
    newest = calls.order_by("version_id", "-queued_at").distinct("version_id")
    return {call.version_id: call for call in newest}
