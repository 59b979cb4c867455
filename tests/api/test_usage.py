"""Usage over the REST API: the parameters of the contract, and the very figures of the report."""

import csv
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from teams.models import Workspace
from tests.api.conftest import Api
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.samples import COUNTS, NOON, make_record, record
from usage.exports import report_as_csv
from usage.measures import MEASURES
from usage.queries import usage_report
from usage.ranges import Grain

AROUND_NOON = {"from": "2026-03-10T00:00:00Z", "to": "2026-03-11T00:00:00Z"}


@pytest.fixture(autouse=True)
def _some_traffic(workspace: Workspace) -> None:
    record(
        make_record(workspace),
        make_record(workspace, at=NOON + timedelta(minutes=20), model="claude-haiku-4-5"),
        make_record(workspace, at=NOON + timedelta(days=1)),
        make_record(workspace, kind="test"),
    )


def test_counts_each_class_and_derives_the_rest(api: Api) -> None:
    totals = api.get("/usage", AROUND_NOON).json()["totals"]

    assert set(totals) == set(MEASURES)
    assert (totals["requests"], totals["attempts"], totals["errors"], totals["unsettled"]) == (2, 2, 0, 0)
    assert totals["uncached_input_tokens"] == 2 * (COUNTS.uncached_input or 0)
    assert totals["cache_read_input_tokens"] == 2 * (COUNTS.cache_read_input or 0)
    assert totals["cache_write_5m_input_tokens"] == 2 * (COUNTS.cache_write_5m_input or 0)
    assert totals["cache_write_1h_input_tokens"] == 2 * (COUNTS.cache_write_1h_input or 0)
    assert totals["output_tokens"] == 2 * (COUNTS.output or 0)
    assert totals["input_tokens"] == 2 * COUNTS.input_total
    # 100·3 + 1000·0.3 + 200·3.75 + 30·6 + 50·15 millionths of a dollar, twice.
    assert totals["cost_usd"] == "0.00456"


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize(
    "group_by", [(), ("model",), ("model", "provider_key", "gateway_key"), ("status_class", "kind")]
)
def test_answers_as_the_report_does(api: Api, workspace: Workspace, grain: Grain, group_by: tuple[str, ...]) -> None:
    answer = api.get("/usage", {**AROUND_NOON, "grain": grain.value, "group_by": ",".join(group_by)})

    report = usage_report(
        workspace,
        begin=NOON.replace(hour=0),
        end=NOON.replace(hour=0) + timedelta(days=1),
        grain=grain,
        group_by=group_by,
    )
    assert answer.json() == report.as_dict()
    assert answer.json()["data"]


def test_groups_by_names_beside_ids(api: Api, workspace: Workspace) -> None:
    provider_key, gateway_key = make_provider_key(workspace), make_gateway_key(workspace).key
    record(make_record(workspace, provider_key=provider_key.pk, gateway_key=gateway_key.pk))

    rows = api.get("/usage", {**AROUND_NOON, "group_by": "model,provider_key,gateway_key"}).json()["data"]

    named = [row for row in rows if row["provider_key"] == str(provider_key.pk)]
    assert [(row["model"], row["provider_key_name"], row["gateway_key"], row["gateway_key_name"]) for row in named] == [
        ("anthropic/claude-sonnet-4-6", "Production", str(gateway_key.pk), "app")
    ]


@pytest.mark.parametrize(
    ("filters", "requests"),
    [
        ({"model": "anthropic/claude-sonnet-4-6"}, 1),
        ({"model": ["anthropic/claude-sonnet-4-6", "anthropic/claude-haiku-4-5"]}, 2),
        ({"model": "anthropic/claude-nobody"}, 0),
        ({"provider": "anthropic", "status_class": "2xx"}, 2),
        ({"kind": "test"}, 1),
        ({"kind": ["live", "test"]}, 3),
        ({"gateway_key": ""}, 0),
        ({"gateway_key": str(uuid4())}, 0),
        ({"provider_key_version": "1"}, 2),
    ],
)
def test_filters_by_the_values_of_a_dimension(api: Api, filters: dict[str, Any], requests: int) -> None:
    assert api.get("/usage", {**AROUND_NOON, **filters}).json()["totals"]["requests"] == requests


@pytest.mark.parametrize(
    ("moment", "requests"),
    [
        ("2026-03-10T12:15:00+00:00", 2),
        ("2026-03-10T12:15:00 00:00", 2),  # an unescaped plus
        ("2026-03-10T12:15:00Z", 2),
        ("2026-03-10T13:15:00+01:00", 2),
        ("2026-03-10T12:30:00", 1),
        ("2026-03-11", 1),
    ],
)
def test_reads_times_with_and_without_an_offset(api: Api, moment: str, requests: int) -> None:
    totals = api.get("/usage", {"from": moment, "to": "2026-03-12T00:00Z"}).json()["totals"]

    assert totals["requests"] == requests


def test_a_time_without_offset_is_of_the_time_zone_asked_for(api: Api) -> None:
    question = {"from": "2026-03-10T17:45", "to": "2026-03-10T18:00", "time_zone": "Asia/Kathmandu"}

    answer = api.get("/usage", question).json()

    assert answer["totals"]["requests"] == 1
    assert answer["time_zone"] == "Asia/Kathmandu"
    assert answer["data"][0]["bucket"] == "2026-03-10T00:00:00+05:45"


def test_days_are_the_workspaces_unless_asked_otherwise(api: Api, workspace: Workspace) -> None:
    workspace.time_zone = "America/New_York"
    workspace.save()

    assert api.get("/usage", AROUND_NOON).json()["data"][0]["bucket"] == "2026-03-10T00:00:00-04:00"


def test_the_default_is_the_last_30_days_including_now(api: Api, workspace: Workspace) -> None:
    record(make_record(workspace, at=timezone.now()), make_record(workspace, at=timezone.now() - timedelta(days=31)))

    assert api.get("/usage").json()["totals"]["requests"] == 1


def test_another_workspaces_usage_is_not_there(mallorys_api: Api) -> None:
    assert mallorys_api.get("/usage", AROUND_NOON).json()["totals"]["attempts"] == 0


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "to"),
        ({"from": "9999-12-31T23:59:59Z"}, "from"),
        ({"from": "2026-03-11", "to": "2026-03-10"}, "from"),
        ({"from": "2001-01-01"}, "from"),
        ({"grain": "week"}, "grain"),
        ({"group_by": "colour"}, "group_by"),
        ({"time_zone": "Nowhere/City"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "UTC\x00"}, "time_zone"),
        ({"colour": "red"}, "colour"),
        ({"form": "2026-03-10"}, "form"),
        ({"provider_key": "not-an-id"}, None),
        ({"model": "without-provider"}, None),
        ({"model": "a/\x00"}, None),
        ({"provider_key_version": "one"}, None),
    ],
)
def test_a_question_without_an_answer_is_refused(api: Api, question: dict[str, str], field: str | None) -> None:
    answer = api.get("/usage", question)

    assert answer.status_code == 422
    assert answer.json()["error"].get("field") == field


# CSV


@pytest.mark.parametrize("accept", ["text/csv", "text/csv, application/json;q=0.5", "text/csv;q=1, */*;q=0.1"])
def test_csv_is_what_the_report_writes(api: Api, workspace: Workspace, accept: str) -> None:
    answer = api.get("/usage", {**AROUND_NOON, "group_by": "model"}, accept=accept)

    report = usage_report(
        workspace, begin=NOON.replace(hour=0), end=NOON.replace(hour=0) + timedelta(days=1), group_by=["model"]
    )
    assert answer.content.decode() == report_as_csv(report)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="usage-2026-03-10-to-2026-03-11.csv"'


def test_csv_and_json_have_the_same_figures(api: Api) -> None:
    question = {**AROUND_NOON, "group_by": "model,gateway_key"}
    shown = api.get("/usage", question).json()

    text = api.get("/usage", question, accept="text/csv").content.decode()

    *rows, total = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    assert [{name: row[name] for name in MEASURES} for row in rows] == [as_cells(row) for row in shown["data"]]
    assert total["bucket"] == "total"
    assert {name: total[name] for name in MEASURES} == as_cells(shown["totals"])


def as_cells(measures: dict[str, Any]) -> dict[str, str]:
    return {name: "" if measures[name] is None else str(measures[name]) for name in MEASURES}


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/csv", "text/html", ""])
def test_json_is_the_answer_unless_csv_is_preferred(api: Api, accept: str) -> None:
    assert api.get("/usage", AROUND_NOON, accept=accept).json()["totals"]["requests"] == 2


def test_a_refusal_is_json_even_where_csv_was_asked_for(api: Api) -> None:
    answer = api.get("/usage", {"grain": "week"}, accept="text/csv")

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "grain")
