"""The requests one by one, refused ones too: what the Requests page and the REST API list, newest first.

Each request is one line: its final attempt, or while it is in flight its newest. Only among the unsettled it is the
newest attempt whose usage is not known, whatever followed it, for that one may have cost something.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from teams.models import Workspace
from usage.error_words import Explanation, explain
from usage.models import Attempt, Refusal
from usage.names import Naming, names_of
from usage.records import first_id_at

PAGE_SIZE = 50
# Sessions and identities are the client's own words: they are looked for in the ledger itself, this far back.
SEARCHED_DAYS = 31
# What is in flight is written after two seconds, what is over a few times a second.
COUNTED_WITHIN = timedelta(seconds=5)
_IS_OPEN = Q(state=Attempt.State.OPEN)
_IS_UNSETTLED = _IS_OPEN | Q(certainty=Attempt.Certainty.UNKNOWN)
# A provider's request id stands at one attempt, rarely at two.
_MOST_WITH_ONE_ID = 20


class Shown(StrEnum):
    """Which requests a list holds."""

    ALL = "all"
    FAILED = "failed"
    UNSETTLED = "unsettled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line: the attempt that a request is judged by, or the refusal it met instead."""

    entry: Attempt | Refusal
    provider_key_name: str | None = None
    gateway_key_name: str | None = None

    @property
    def id(self) -> UUID:
        return self.entry.id

    @property
    def request_id(self) -> str:
        return self.entry.request_id

    @property
    def attempt(self) -> Attempt | None:
        return self.entry if isinstance(self.entry, Attempt) else None

    @property
    def at(self) -> datetime:
        return self.entry.started_at if isinstance(self.entry, Attempt) else self.entry.at

    @property
    def total_ms(self) -> int | None:
        """How long the request took, from its arrival to the end of this attempt; None while that is not known."""
        attempt = self.attempt
        if attempt is None or attempt.latency_ms is None:
            return None
        return attempt.latency_ms + (attempt.queue_ms or 0)

    @property
    def is_refused(self) -> bool:
        return isinstance(self.entry, Refusal)

    @property
    def explanation(self) -> Explanation | None:
        reached = self.entry.reached if isinstance(self.entry, Attempt) else None
        return explain(self.entry.error_code, reached)


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, and the id that the next older page comes before; None on the last one."""

    requests: Sequence[LoggedRequest]
    next_before: UUID | None


def list_requests(
    workspace: Workspace,
    *,
    shown: Shown = Shown.ALL,
    search: str = "",
    before: UUID | None = None,
    limit: int = PAGE_SIZE,
    gateway_keys: Collection[UUID] | None = None,
) -> LogPage:
    """Return the newest requests, or those older than ``before``; with ``gateway_keys`` only those of these keys.

    ``search`` is a trace id or a provider's request id (of any attempt), in full, or a session or identity of the last
    31 days.
    """
    if "\x00" in search:
        return LogPage([], None)
    sources = _searched(workspace, search) if search else [Attempt.objects.in_workspace(workspace)]
    attempts = [_judged(found, shown) for found in sources]
    refusals = Refusal.objects.filter(workspace_id=workspace.pk)
    if shown not in (Shown.ALL, Shown.REFUSED):
        refusals = refusals.none()
    if search:
        refusals = refusals.filter(request_id=search)
    if gateway_keys is not None:
        attempts = [found.filter(gateway_key_id__in=gateway_keys) for found in attempts]
        refusals = refusals.filter(gateway_key_id__in=gateway_keys)
    if before:
        attempts = [found.filter(id__lt=before) for found in attempts]
        refusals = refusals.filter(id__lt=before)
    entries = _newest([*attempts, refusals], limit + 1)
    page = entries[:limit]
    return LogPage(_with_names(workspace, _once_each(page)), page[-1].id if len(entries) > limit else None)


def request_log(
    workspace: Workspace, request_id: str, *, gateway_keys: Collection[UUID] | None = None
) -> list[LoggedRequest]:
    """Return all there is of one request, in the order in which it happened.

    Empty if it is not this workspace's, or, with ``gateway_keys``, not of one of these keys.
    """
    if "\x00" in request_id:
        return []
    attempts = Attempt.objects.in_workspace(workspace).filter(request_id=request_id).order_by("attempt", "id")
    refusals = Refusal.objects.filter(workspace_id=workspace.pk, request_id=request_id).order_by("id")
    if gateway_keys is not None:
        attempts = attempts.filter(gateway_key_id__in=gateway_keys)
        refusals = refusals.filter(gateway_key_id__in=gateway_keys)
    return _with_names(workspace, [*attempts, *refusals])


def may_still_come(request_id: str, now: datetime) -> bool:
    """Whether ``request_id`` is so new that its request may not be counted yet. It may be anybody's, or nobody's."""
    try:
        made = UUID(request_id)
    except ValueError:
        return False
    return made.version == 7 and first_id_at(now - COUNTED_WITHIN) <= made < first_id_at(now + COUNTED_WITHIN)


def has_requests(workspace: Workspace) -> bool:
    """Whether anything was ever asked of the gateway here, test messages included."""
    return (
        Attempt.objects.in_workspace(workspace).exists() or Refusal.objects.filter(workspace_id=workspace.pk).exists()
    )


def _judged(attempts: QuerySet[Attempt], shown: Shown) -> QuerySet[Attempt]:
    """Return those of ``attempts`` that are the line of a request which ``shown`` names."""
    if shown == Shown.REFUSED:
        return attempts.none()
    if shown == Shown.FAILED:
        # Written as the partial index is, so that it is used.
        return attempts.filter(~Q(error_code=""), final=True)
    if shown == Shown.UNSETTLED:
        later = Attempt.objects.filter(_IS_UNSETTLED, request_id=OuterRef("request_id"), id__gt=OuterRef("id"))
        return attempts.filter(_IS_UNSETTLED, ~Exists(later))
    return attempts.filter(_IS_OPEN | Q(final=True))


def _searched(workspace: Workspace, search: str) -> list[QuerySet[Attempt]]:
    """Return one query for each thing that ``search`` may be, each with an index of its own."""
    attempts = Attempt.objects.in_workspace(workspace)
    recent = attempts.filter(id__gte=first_id_at(timezone.now() - timedelta(days=SEARCHED_DAYS)))
    # Asked first: as a part of the next query it may be planned as a look at every attempt there is.
    answered = attempts.filter(upstream_request_id=search).order_by("-id").values_list("request_id", flat=True)
    return [
        attempts.filter(request_id__in={search, *answered[:_MOST_WITH_ONE_ID]}),
        recent.filter(session=search),
        recent.filter(identity=search),
    ]


def _newest(sources: Iterable[QuerySet[Attempt] | QuerySet[Refusal]], limit: int) -> list[Attempt | Refusal]:
    found: dict[UUID, Attempt | Refusal] = {}
    for source in sources:
        found |= {entry.id: entry for entry in source.order_by("-id")[:limit]}
    return list(islice((found[one] for one in sorted(found, reverse=True)), limit))


def _once_each(entries: Sequence[Attempt | Refusal]) -> list[Attempt | Refusal]:
    """Return the newest entry of each request: the next attempt is there a moment before the one before has ended."""
    newest: dict[str, Attempt | Refusal] = {}
    for entry in entries:
        newest.setdefault(entry.request_id, entry)
    return list(newest.values())


def _with_names(workspace: Workspace, entries: Sequence[Attempt | Refusal]) -> list[LoggedRequest]:
    attempts = [entry for entry in entries if isinstance(entry, Attempt)]
    provider_keys = names_of(workspace, "provider_key", {attempt.provider_key_id for attempt in attempts})
    gateway_keys = names_of(workspace, "gateway_key", {entry.gateway_key_id for entry in entries})
    return [
        LoggedRequest(
            entry=entry,
            provider_key_name=_name(provider_keys, entry.provider_key_id) if isinstance(entry, Attempt) else None,
            gateway_key_name=_name(gateway_keys, entry.gateway_key_id),
        )
        for entry in entries
    ]


def _name(namings: Mapping[UUID, Naming], key_id: UUID | None) -> str | None:
    naming = namings.get(key_id) if key_id else None
    return naming.name if naming else None
