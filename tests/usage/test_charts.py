"""Charts hold the report's numbers: every bucket, the two hours of one name apart, and small groups as one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from teams.models import Workspace
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.samples import NOON, make_record, record
from usage.charts import MOST_SERIES, OTHERS, chart_of
from usage.queries import usage_report
from usage.ranges import DAY, Grain


def series_by(workspace: Workspace, dimension: str) -> dict[str, list[Any]]:
    report = usage_report(workspace, begin=NOON, end=NOON + DAY, grain=Grain.TOTAL, group_by=[dimension])
    return chart_of(report, "requests").series


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


def test_keys_of_one_name_have_a_series_each(workspace: Workspace) -> None:
    keys = [make_provider_key(workspace, provider=provider).pk for provider in ("anthropic", "simulated")]
    record(*(make_record(workspace, provider_key=key) for key in (keys[0], keys[1], keys[1])))

    assert series_by(workspace, "provider_key") == {"Production (simulated)": [2], "Production (anthropic)": [1]}


def test_key_called_none_is_not_the_traffic_without_a_key(workspace: Workspace) -> None:
    key = make_gateway_key(workspace, name="none").key.pk
    record(make_record(workspace, gateway_key=key), make_record(workspace, gateway_key=None))

    assert series_by(workspace, "gateway_key") == {"none": [1], "none*": [1]}


def test_attribute_holds_plain_numbers(workspace: Workspace) -> None:
    record(make_record(workspace))

    held = json.loads(chart_of(usage_report(workspace, begin=NOON, end=NOON + DAY)).json)

    assert held["unit"] == "usd"
    assert held["series"] == [{"name": "All", "data": [0.00228, 0]}]
