"""Whether the sums are those of the ledger, and making them again where they are not."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from teams.models import Workspace
from usage.ledger import COLUMNS, rollup_insert_sql, rollup_select_sql
from usage.models import DIMENSIONS, LATENCY_BUCKETS, SUMS, DayState
from usage.ranges import Grain, Span, bucket_starts, day_bounds, month_bounds
from usage.records import first_id_at

UTC_ZONE = ZoneInfo("UTC")
# An id is made within moments of the start it belongs to; the ids of a month's attempts lie well within this.
_ID_MARGIN = timedelta(days=1)
_SHOWN_DIFFERENCES = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing two sets of sums found: how many differ, and the first of them in words."""

    compared: int
    different: int
    examples: list[str]


def compare_month(month: date) -> Comparison:
    """Compare the 15-minute sums of ``month`` (UTC) with its attempts: every bucket, dimension and sum, both ways.

    One statement, so one snapshot: traffic that is being counted meanwhile makes no difference.
    """
    keys = ["workspace_id", "bucket", *DIMENSIONS]
    summed = rollup_select_sql("ledger")
    ledger = f"""
        ledger AS (SELECT {", ".join(COLUMNS)} FROM usage_attempt WHERE {_IN_MONTH}),
        left_side ({", ".join([*keys, *SUMS, "latency_histogram"])}) AS ({summed})
    """  # noqa: S608  # made of constants
    return _compare(
        ledger, "usage_rollup WHERE bucket >= %(begin)s AND bucket < %(end)s", keys, _month_parameters(month)
    )


def compare_days() -> Comparison:
    """Compare the daily sums that count as fresh with the 15-minute tier, in their zones."""
    keys = ["workspace_id", "day", *DIMENSIONS]
    summed = [f"sum({name})" for name in SUMS]
    histogram = ", ".join(f"sum(latency_histogram[{index}])" for index in range(1, LATENCY_BUCKETS + 1))
    rollup = f"""
        fresh AS (
            SELECT state.workspace_id, state.day, begin_at, end_at
            FROM unnest(%(states)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
                AS asked (id, begin_at, end_at)
            JOIN usage_daystate AS state USING (id) WHERE stale_since IS NULL
        ), left_side ({", ".join([*keys, *SUMS, "latency_histogram"])}) AS (
            SELECT workspace_id, fresh.day, {", ".join([*DIMENSIONS, *summed])}, ARRAY[{histogram}]
            FROM fresh JOIN usage_rollup USING (workspace_id)
            WHERE bucket >= begin_at AND bucket < end_at GROUP BY workspace_id, fresh.day, {", ".join(DIMENSIONS)}
        )
    """  # noqa: S608  # made of constants
    days = "usage_day WHERE (workspace_id, day) IN (SELECT workspace_id, day FROM fresh)"
    return _compare(rollup, days, keys, _fresh_days())


def rebuild_month(month: date) -> int:
    """Make the 15-minute sums of ``month`` (UTC) again from its attempts; return how many rows they are.

    Shipping waits meanwhile; the gateway does not. The month's days become stale.
    """
    parameters = _month_parameters(month)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE usage_rollup IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM usage_rollup WHERE bucket >= %(begin)s AND bucket < %(end)s", parameters)
        select = rollup_select_sql(f"(SELECT * FROM usage_attempt WHERE {_IN_MONTH}) AS ledger")  # noqa: S608
        cursor.execute(rollup_insert_sql(select), parameters)
        rows = int(cursor.rowcount)
        span = Span(parameters["begin"], parameters["end"])
        for workspace in Workspace.objects.all():
            days = [start.date() for start in bucket_starts(span, Grain.DAY, workspace.zone)]
            cursor.execute(_MARK_DAYS, [workspace.pk, workspace.time_zone, days])
    return rows


def _compare(left: str, right: str, keys: list[str], parameters: dict[str, Any]) -> Comparison:
    """Compare the rows of the common table expression ``left_side`` with those of ``right``, value by value."""
    values = ", ".join([*SUMS, "latency_histogram::numeric[]"])
    named = ", ".join(keys)
    sql = f"""
        WITH {left}, unequal AS (
            SELECT DISTINCT {named} FROM (
                SELECT {named}, {values}, 1 AS side FROM left_side
                UNION ALL SELECT {named}, {values}, -1 FROM {right}
            ) AS both_sides GROUP BY {named}, {", ".join([*SUMS, "latency_histogram"])} HAVING sum(side) <> 0
        )
        SELECT (SELECT count(*) FROM left_side), (SELECT count(*) FROM unequal),
            ARRAY(SELECT to_jsonb(unequal)::text FROM unequal LIMIT {_SHOWN_DIFFERENCES})
    """  # noqa: S608  # made of constants
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return Comparison(*cursor.fetchone())


def _fresh_days() -> dict[str, Any]:
    states = list(DayState.objects.filter(stale_since=None))
    bounds = [day_bounds(state.day, ZoneInfo(state.time_zone)) for state in states]
    return {
        "states": [state.pk for state in states],
        "begins": [begin for begin, _ in bounds],
        "ends": [end for _, end in bounds],
    }


_IN_MONTH = "id >= %(first_id)s AND id < %(last_id)s AND started_at >= %(begin)s AND started_at < %(end)s"
_MARK_DAYS = """
    INSERT INTO usage_daystate (workspace_id, day, time_zone, stale_since)
    SELECT %s, day, %s, now() FROM unnest(%s::date[]) AS day
    ON CONFLICT (workspace_id, day, time_zone) DO UPDATE SET stale_since = excluded.stale_since
"""


def _month_parameters(month: date) -> dict[str, Any]:
    span = month_bounds(month, UTC_ZONE)
    return {
        "begin": span.begin,
        "end": span.end,
        "first_id": first_id_at(span.begin - _ID_MARGIN),
        "last_id": first_id_at(span.end + _ID_MARGIN),
    }
