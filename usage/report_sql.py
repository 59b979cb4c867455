"""The one SQL statement behind every report: what is asked, and how it is said to PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from teams.models import Workspace
from usage.ledger import STATUS_CLASS_SQL
from usage.models import LATENCY_BUCKETS, SUMS
from usage.ranges import Grain, Span, slots

MAX_ROWS = 100_000

# The columns behind each dimension that a report can be grouped and filtered by.
DIMENSION_COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("provider", "model"),
    "provider": ("provider",),
    "provider_key": ("provider_key_id",),
    "provider_key_version": ("provider_key_version",),
    "gateway_key": ("gateway_key_id",),
    "project": ("project_id",),
    "region": ("region",),
    "status_class": ("status_class",),
    "dialect": ("dialect",),
    "kind": ("kind",),
}
_UUID_COLUMNS = ("provider_key_id", "gateway_key_id", "project_id")

# The costs of a report are one sum; all else that the tiers sum is shown as it is, but for web searches, which are not.
_COST_COLUMNS = [name for name in SUMS if name.endswith("_cost_nano")]
_SUM_COLUMNS = [name for name in SUMS if name not in (*_COST_COLUMNS, "web_searches")]
_COST_SQL = " + ".join(_COST_COLUMNS)


class UsageError(ValueError):
    """A question about usage that has no answer; the text is for people."""


class UnknownDimension(UsageError):
    """Usage is not counted by that."""


class BadFilter(UsageError):
    """The value cannot be one of that dimension's."""


class BadRange(UsageError):
    """The range ends before it begins, or is longer than ten years."""


class ReportTooLarge(UsageError):
    """More rows or buckets than anybody reads."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One way to group a report: by dimensions, and by bucket too if ``is_over_time``."""

    group_by: tuple[str, ...] = ()
    is_over_time: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        named = dict.fromkeys(column for dimension in self.group_by for column in columns_of(dimension))
        return ("bucket", *named) if self.is_over_time else tuple(named)


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked: whose usage, when, in which buckets and of which zone, and which part of it."""

    workspace: Workspace
    span: Span
    grain: Grain
    zone: ZoneInfo
    filters: Mapping[str, Sequence[str]]
    starts: list[datetime] = field(default_factory=list)


def report_sql(
    question: Question, columns: Sequence[str], sets: Sequence[frozenset[str]], *, with_latency: bool
) -> tuple[str, dict[str, Any]]:
    where, parameters = _filter_sql(question.filters)
    parts = slots(question.span, question.starts, question.workspace.zone)
    parameters |= {
        "workspace": question.workspace.pk,
        "day_zone": question.workspace.time_zone,
        "begin": question.span.begin,
        "end": question.span.end,
        "starts": question.starts,
        "begins": [part.begin for part in parts],
        "ends": [part.end for part in parts],
        "days": [part.day for part in parts],
        "buckets": [part.bucket for part in parts],
    }
    histogram = "usage.latency_histogram" if with_latency else ""
    summed = [f"usage.{name}" for name in _SUM_COLUMNS]
    names = [*_SUM_COLUMNS, "cost_nano", "open"]
    tier = [*summed, f"{_COST_SQL} AS cost_nano", "0::bigint AS open"]
    sums = [f"sum({name})::bigint AS {name}" for name in names] + [_HISTOGRAM_SUM_SQL] * with_latency
    opened = [*("1::bigint" if name in ("attempts", "open") else "0::bigint" for name in names)]
    return _STATEMENT.format(
        day_columns=_listed(_grouped(columns, "day.bucket"), tier, histogram),
        quarter_columns=_listed(_grouped(columns, _bucket_sql("usage.bucket")), tier, histogram),
        open_columns=_listed(
            _grouped(columns, _bucket_sql("usage.started_at")), opened, "NULL::bigint[]" if with_latency else ""
        ),
        status_class=STATUS_CLASS_SQL,
        where=where,
        summed=_listed(columns, sums),
        grouping=f"GROUP BY {', '.join(columns)}" if columns else "",
        selected=_listed(
            columns,
            [f"GROUPING({', '.join(columns)}) AS mask" if columns else "0 AS mask"],
            sums,
        ),
        sets=", ".join(f"({', '.join(sorted(one))})" for one in sets),
        limit=MAX_ROWS + 1,
    ), parameters


_STATEMENT = """
    WITH slot AS MATERIALIZED (
        SELECT * FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[], %(days)s::date[], %(buckets)s::int[])
            AS slot (begin_at, end_at, day, bucket)
    ), day AS MATERIALIZED (
        -- The days that the daily tier holds as the 15-minute tier does.
        SELECT slot.day, slot.bucket FROM slot JOIN usage_daystate AS state ON state.workspace_id = %(workspace)s
            AND state.time_zone = %(day_zone)s AND state.day = slot.day AND state.stale_since IS NULL
    ), counted AS (
        SELECT {day_columns} FROM day CROSS JOIN LATERAL (
            SELECT * FROM usage_day AS local WHERE local.workspace_id = %(workspace)s AND local.day = day.day OFFSET 0
        ) AS usage WHERE {where}
        UNION ALL
        -- OFFSET 0 keeps it a look into the index per slot; joined freely, all of the table would be read.
        SELECT {quarter_columns} FROM slot CROSS JOIN LATERAL (
            SELECT * FROM usage_rollup AS quarter WHERE quarter.workspace_id = %(workspace)s
                AND quarter.bucket >= slot.begin_at AND quarter.bucket < slot.end_at OFFSET 0
        ) AS usage
        WHERE (slot.day IS NULL OR slot.day NOT IN (SELECT day FROM day)) AND {where}
        UNION ALL
        SELECT {open_columns} FROM (
            SELECT *, {status_class} AS status_class FROM usage_attempt
            WHERE workspace_id = %(workspace)s AND state = 'open' AND started_at >= %(begin)s AND started_at < %(end)s
        ) AS usage WHERE {where}
    ), summed AS MATERIALIZED (
        -- Once by all columns together, so that the sets have few rows to go through.
        SELECT {summed} FROM counted {grouping}
    )
    SELECT {selected} FROM summed GROUP BY GROUPING SETS ({sets}) LIMIT {limit}
"""
_HISTOGRAM_SUM_SQL = (
    "ARRAY["
    + ", ".join(f"coalesce(sum(latency_histogram[{index}]), 0)::bigint" for index in range(1, LATENCY_BUCKETS + 1))
    + "] AS latency_histogram"
)


def _listed(*parts: str | Sequence[str]) -> str:
    """Return the parts, single or several, as one SQL list."""
    return ", ".join(item for part in parts for item in ([part] if isinstance(part, str) else part) if item)


def _grouped(columns: Sequence[str], bucket: str) -> list[str]:
    return [f"{bucket} AS bucket" if column == "bucket" else f"usage.{column}" for column in columns]


def _bucket_sql(moment: str) -> str:
    return f"width_bucket({moment}, %(starts)s::timestamptz[]) - 1"


def _filter_sql(filters: Mapping[str, Sequence[str]]) -> tuple[str, dict[str, Any]]:
    """Return the condition that holds where each filtered dimension has one of its values, and its parameters."""
    conditions, parameters = [], {}
    for name, values in filters.items():
        columns = columns_of(name)
        alternatives = []
        for position, value in enumerate(values):
            for column, part in zip(columns, _filter_parts(name, value), strict=True):
                parameters[f"{column}_of_{name}_{position}"] = part
            alternatives.append(
                " AND ".join(
                    f"usage.{column} IS NOT DISTINCT FROM %({column}_of_{name}_{position})s" for column in columns
                )
            )
        conditions.append(f"({' OR '.join(alternatives) or 'false'})")
    return " AND ".join(conditions), parameters


def _filter_parts(dimension: str, text: str) -> tuple[Any, ...]:
    """Return a filter's value as the columns behind its dimension hold it."""
    if "\x00" in text:
        raise BadFilter(f"{dimension} cannot hold that.")
    if dimension == "model":
        provider, slash, model = text.partition("/")
        if not slash:
            raise BadFilter(f"A model is provider/model; {text!r} has no provider.")
        return provider, model
    [column] = columns_of(dimension)
    if column in _UUID_COLUMNS:
        return (_uuid(dimension, text) if text else None,)
    if dimension == "provider_key_version":
        if not text.isdecimal() or len(text) > 9:
            raise BadFilter("provider_key_version is a number.")
        return (int(text),)
    return (text,)


def _uuid(dimension: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadFilter(f"{dimension} is an id; {text!r} is none.") from None


def columns_of(dimension: str) -> tuple[str, ...]:
    try:
        return DIMENSION_COLUMNS[dimension]
    except KeyError:
        known = ", ".join(DIMENSION_COLUMNS)
        raise UnknownDimension(f"Usage is not counted by {dimension!r}; it is by {known}.") from None
