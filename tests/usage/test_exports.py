"""The CSV holds the report's figures, says what it is, and cannot be made to run anything."""

import csv
import hashlib
from decimal import Decimal

import pytest

from teams.models import Workspace
from tests.factories import make_gateway_key
from tests.usage.samples import NOON, make_record, record
from usage.exports import file_name, report_as_csv
from usage.measures import MEASURES
from usage.queries import usage_report, usage_reports
from usage.ranges import DAY, Grain
from usage.report_sql import Cut

RANGE = {"begin": NOON - DAY, "end": NOON + DAY}


def parts(text: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = text.splitlines(keepends=True)
    notes = [line for line in lines if line.startswith("#")]
    return notes, list(csv.DictReader(lines[len(notes) :]))


def test_rows_and_total_are_those_of_the_report(workspace: Workspace) -> None:
    record(make_record(workspace), make_record(workspace, model="claude-haiku-4-5"))
    report = usage_report(workspace, group_by=["model"], **RANGE)

    notes, rows = parts(report_as_csv(report))

    assert [row["model"] for row in rows] == [*(row.dimensions["model"] for row in report.rows), ""]
    assert rows[-1]["bucket"] == "total"
    for row, measures in zip(rows, [*(row.measures for row in report.rows), report.totals], strict=True):
        assert Decimal(row["cost_usd"]) == measures.cost_usd
        assert int(row["input_tokens"]) == measures.input_tokens
    assert "# rows: 2\r\n" in notes


def test_checksum_is_of_the_lines_below(workspace: Workspace) -> None:
    record(make_record(workspace))

    text = report_as_csv(usage_report(workspace, **RANGE))

    above, _, below = text.partition("bucket,")
    assert above.strip().endswith(hashlib.sha256(f"bucket,{below}".encode()).hexdigest())


def test_notes_say_filter_and_zone(workspace: Workspace) -> None:
    notes, _ = parts(report_as_csv(usage_report(workspace, filters={"region": "x\r\n=1"}, **RANGE)))

    assert "# filter: kind = live\r\n" in notes
    assert "# filter: region = x =1\r\n" in notes
    assert "# time zone: UTC\r\n" in notes


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\t=1"])
def test_names_cannot_be_formulas(workspace: Workspace, name: str) -> None:
    record(make_record(workspace, gateway_key=make_gateway_key(workspace, name=name).key.pk))

    _, rows = parts(report_as_csv(usage_report(workspace, grain=Grain.TOTAL, group_by=["gateway_key"], **RANGE)))

    assert rows[0]["gateway_key_name"] == f"'{name}"


def test_figures_below_zero_stay_numbers(workspace: Workspace) -> None:
    report = usage_report(workspace, **RANGE)

    _, [total] = parts(report_as_csv(report))

    assert list(total)[1:] == list(MEASURES)
    assert total["cache_hit_rate"] == ""


def test_cut_without_time_has_no_bucket(workspace: Workspace) -> None:
    record(make_record(workspace))
    [report] = usage_reports(workspace, [Cut(("provider_key", "model"), is_over_time=False)], **RANGE)

    _, rows = parts(report_as_csv(report))

    assert list(rows[0])[:3] == ["provider_key", "provider_key_name", "model"]
    assert rows[-1]["provider_key"] == "total"


def test_file_is_named_by_its_days(workspace: Workspace) -> None:
    assert file_name(usage_report(workspace, **RANGE)) == "usage-2026-03-09-to-2026-03-11.csv"
