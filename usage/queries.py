"""Questions about usage. Pages, CSV, reports and the REST API all ask here, so their figures are the same.

A report is read in one statement, hence from one snapshot: whole local days from the daily tier where it holds them
as the 15-minute tier does, all else from the 15-minute tier, and what is still open from the ledger. Figures are
therefore exact whatever Celery has or has not aggregated yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from teams.models import Workspace
from usage.measures import Latency, Measures, measures_of
from usage.models import LATENCY_BOUNDS_MS, Shipment
from usage.names import NAMED_DIMENSIONS, Naming, names_of
from usage.ranges import DAY, Grain, Span, bucket_starts, widen
from usage.report_sql import (
    DIMENSION_COLUMNS,
    MAX_ROWS,
    BadRange,
    Cut,
    Question,
    ReportTooLarge,
    report_sql,
)

DEFAULT_DAYS = 30
LONGEST_DAYS = 3700
# Figures this far behind are worth a banner.
BEHIND_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Up to when every host's attempts are counted; None before the first was. ``waiting`` are read, not counted."""

    counted_until: datetime | None
    waiting: int = 0

    @property
    def is_behind(self) -> bool:
        """Whether the figures stop so long ago that it should be said aloud."""
        return self.counted_until is not None and timezone.now() - self.counted_until > BEHIND_AFTER


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One group. ``bucket`` is None in a cut that is not over time; ids in ``dimensions`` are text, None for none.

    ``labels`` has the names of its keys and projects, told apart from others of the same name in the report.
    """

    bucket: datetime | None
    dimensions: Mapping[str, Any]
    measures: Measures
    labels: Mapping[str, str]

    def label(self, dimension: str) -> str:
        """Return what the group is called in one dimension: a name where there is one, else the id or value."""
        return self.labels.get(dimension) or str(self.dimensions[dimension] or "none")

    def as_dict(self) -> dict[str, Any]:
        bucket = {} if self.bucket is None else {"bucket": self.bucket.isoformat()}
        return {**bucket, **self.dimensions, **self.measures.as_dict()}


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The answer to a question about usage. Only groups with something in them have a row."""

    cut: Cut
    grain: Grain
    span: Span
    zone: ZoneInfo
    filters: Mapping[str, Sequence[str]]
    starts: Sequence[datetime]
    rows: Sequence[UsageRow]
    totals: Measures
    freshness: Freshness
    latency: Latency | None = None

    @property
    def counted_until(self) -> datetime | None:
        return self.freshness.counted_until

    @property
    def time_zone(self) -> str:
        return self.zone.key

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the REST API gives it."""
        until = self.counted_until
        return {
            "data": [row.as_dict() for row in self.rows],
            "totals": self.totals.as_dict(),
            "counted_until": until.astimezone(self.zone).isoformat() if until else None,
            "time_zone": self.time_zone,
        }


def usage_report(
    workspace: Workspace,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    grain: Grain = Grain.DAY,
    time_zone: ZoneInfo | None = None,
    group_by: Sequence[str] = (),
    filters: Mapping[str, str | Sequence[str]] | None = None,
    with_latency: bool = False,
) -> UsageReport:
    """Return usage from ``begin`` up to ``end``, widened to 15 minutes; by default the last 30 days including now.

    ``filters`` holds one or more values per dimension; ``""`` is "none" (test calls have no gateway key). Without
    one on ``kind`` only live traffic counts. ``time_zone`` defaults to the workspace's.
    Raises UsageError: UnknownDimension, BadFilter, BadRange or ReportTooLarge.
    """
    [report] = usage_reports(
        workspace,
        [Cut(tuple(group_by))],
        begin=begin,
        end=end,
        grain=grain,
        time_zone=time_zone,
        filters=filters,
        with_latency=with_latency,
    )
    return report


def usage_reports(
    workspace: Workspace,
    cuts: Sequence[Cut],
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    grain: Grain = Grain.DAY,
    time_zone: ZoneInfo | None = None,
    filters: Mapping[str, str | Sequence[str]] | None = None,
    with_latency: bool = False,
) -> list[UsageReport]:
    """Return one report per cut, all from one snapshot, so that the tables of a page agree.

    Otherwise as ``usage_report``.
    """
    # Asked first: what was counted by then is in the snapshot.
    fresh = freshness()
    question = _question(workspace, begin, end, Grain(grain), time_zone or workspace.zone, filters or {})
    rows, totals, latency = _answer(question, cuts, with_latency=with_latency)
    return [
        UsageReport(
            cut=cut,
            grain=question.grain,
            span=question.span,
            zone=question.zone,
            filters=question.filters,
            starts=question.starts,
            rows=_usage_rows(workspace, cut, rows[frozenset(cut.columns)], question.starts),
            totals=totals,
            freshness=fresh,
            latency=latency,
        )
        for cut in cuts
    ]


def freshness() -> Freshness:
    """Return up to when usage is counted: where the slowest of the hosts seen in the last day is."""
    shipments = Shipment.objects.all()
    recent = list(shipments.filter(seen_at__gt=timezone.now() - DAY)) or list(shipments.order_by("-seen_at")[:1])
    if not recent:
        return Freshness(None)
    return Freshness(min(one.counted_until for one in recent), sum(one.waiting for one in recent))


def _question(
    workspace: Workspace,
    begin: datetime | None,
    end: datetime | None,
    grain: Grain,
    zone: ZoneInfo,
    filters: Mapping[str, str | Sequence[str]],
) -> Question:
    # In UTC, for within one zone Python compares what the clock shows.
    end = (end or timezone.now() + timedelta(microseconds=1)).astimezone(UTC)
    begin = (begin or end - timedelta(days=DEFAULT_DAYS)).astimezone(UTC)
    if begin > end:
        raise BadRange("The range ends before it begins.")
    if end - begin > timedelta(days=LONGEST_DAYS):
        raise BadRange("The range is longer than ten years.")
    span = widen(begin, end)
    # Before the buckets are listed, for listing a decade of quarter hours is itself the work to refuse.
    if grain.shortest and span.length // grain.shortest > MAX_ROWS:
        raise ReportTooLarge(f"More than {MAX_ROWS:,} buckets. Ask for a shorter range or a coarser grain.")
    listed = {name: [value] if isinstance(value, str) else list(value) for name, value in filters.items()}
    return Question(workspace, span, grain, zone, {"kind": ["live"], **listed}, bucket_starts(span, grain, zone))


def _answer(
    question: Question, cuts: Sequence[Cut], *, with_latency: bool
) -> tuple[dict[frozenset[str], list[dict[str, Any]]], Measures, Latency | None]:
    """Return the rows of each set of columns, the totals, and the latency of all where it was asked for."""
    sets = list(dict.fromkeys([frozenset[str](), *(frozenset(cut.columns) for cut in cuts)]))
    columns = list(dict.fromkeys(column for cut in cuts for column in cut.columns))
    sql, parameters = report_sql(question, columns, sets, with_latency=with_latency)
    found: dict[frozenset[str], list[dict[str, Any]]] = {columns_of_set: [] for columns_of_set in sets}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            found[_set_of(row["mask"], columns)].append(row)
    if sum(map(len, found.values())) > MAX_ROWS:
        raise ReportTooLarge(f"More than {MAX_ROWS:,} rows. Ask for a shorter range, a coarser grain or fewer groups.")
    [total] = found[frozenset()]
    latency = Latency(total["latency_histogram"], LATENCY_BOUNDS_MS) if with_latency else None
    return found, measures_of(total), latency


def _set_of(mask: int, columns: Sequence[str]) -> frozenset[str]:
    """Return the columns that a row is grouped by: those whose bit in GROUPING()'s answer is 0, the last one lowest."""
    return frozenset(name for bit, name in enumerate(reversed(columns)) if not mask >> bit & 1)


def _usage_rows(
    workspace: Workspace, cut: Cut, found: Sequence[Mapping[str, Any]], starts: Sequence[datetime]
) -> list[UsageRow]:
    """Return the rows of one cut: by time, then the dearest first."""
    names = {
        dimension: names_of(workspace, dimension, {row[DIMENSION_COLUMNS[dimension][0]] for row in found})
        for dimension in cut.group_by
        if dimension in NAMED_DIMENSIONS
    }
    ordered = sorted(
        found,
        key=lambda row: (row.get("bucket", 0), -row["cost_nano"], [str(row[column]) for column in cut.columns]),
    )
    return [
        UsageRow(
            bucket=starts[row["bucket"]] if cut.is_over_time else None,
            dimensions=_dimensions(cut, row, names),
            measures=measures_of(row),
            labels=_labels(row, names),
        )
        for row in ordered
    ]


def _dimensions(cut: Cut, row: Mapping[str, Any], names: Mapping[str, Mapping[UUID, Naming]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for dimension in cut.group_by:
        columns = DIMENSION_COLUMNS[dimension]
        value = "/".join(row[column] for column in columns) if len(columns) > 1 else row[columns[0]]
        values[dimension] = str(value) if isinstance(value, UUID) else value
        if dimension in names:
            naming = names[dimension].get(row[columns[0]])
            values[f"{dimension}_name"] = naming.name if naming else None
    return values


def _labels(row: Mapping[str, Any], names: Mapping[str, Mapping[UUID, Naming]]) -> dict[str, str]:
    found = {dimension: namings.get(row[DIMENSION_COLUMNS[dimension][0]]) for dimension, namings in names.items()}
    return {dimension: naming.label for dimension, naming in found.items() if naming}
