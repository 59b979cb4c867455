"""Charts hold the report's numbers: every bucket, the two hours of one name apart, and small groups as one."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from teams.models import Workspace
from tests.usage.samples import NOON, make_record, record
from usage.charts import MOST_SERIES, OTHERS, chart_of
from usage.queries import usage_report
from usage.ranges import DAY, Grain


def test_buckets_without_traffic_are_zero(workspace: Workspace) -> None:
    record(make_record(workspace))

    chart = chart_of(usage_report(workspace, begin=NOON - DAY, end=NOON + DAY, group_by=["model"]), "requests")

    assert chart.labels == ["9 Mar", "10 Mar", "11 Mar"]
    assert chart.series == {"anthropic/claude-sonnet-4-6": [0, 1, 0]}
    assert chart.rows[1] == ("10 Mar", (1,))


def test_repeated_hour_has_two_bars(workspace: Workspace) -> None:
    night = datetime(2026, 10, 25, tzinfo=UTC)
    record(*(make_record(workspace, at=night + timedelta(minutes=30 + 60 * (index > 0))) for index in range(3)))

    report = usage_report(
        workspace, begin=night, end=night + timedelta(hours=2), grain=Grain.HOUR, time_zone=ZoneInfo("Europe/Berlin")
    )

    assert [row.measures.requests for row in report.rows] == [1, 2]
    assert chart_of(report, "requests").series == {"All": [1, 2]}


def test_small_groups_are_one_series(workspace: Workspace) -> None:
    record(*(make_record(workspace, provider_key=UUID(int=index)) for index in range(10) for _ in range(index + 1)))
    report = usage_report(workspace, begin=NOON - DAY, end=NOON + DAY, group_by=["provider_key"])

    chart = chart_of(report, "requests")

    assert len(chart.series) == MOST_SERIES + 1
    assert chart.series[OTHERS] == [0, 1 + 2 + 3, 0]
    assert sum(sum(values) for values in chart.series.values()) == report.totals.requests


def test_attribute_holds_plain_numbers(workspace: Workspace) -> None:
    record(make_record(workspace))

    held = json.loads(chart_of(usage_report(workspace, begin=NOON, end=NOON + DAY)).json)

    assert held["unit"] == "usd"
    assert held["series"] == [{"name": "All", "data": [0.00228, 0]}]
