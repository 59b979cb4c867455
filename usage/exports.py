"""A report as CSV: a few lines on what it is, a header, its rows, and a last row that says ``total``. Pure."""

import csv
import hashlib
import io
from collections.abc import Iterable
from typing import Any

from usage.measures import MEASURES, Measures
from usage.names import NAMED_DIMENSIONS
from usage.queries import UsageReport

CONTENT_TYPE = "text/csv; charset=utf-8"
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def report_as_csv(report: UsageReport) -> str:
    """Return ``report`` as CSV (RFC 4180).

    Lines that begin with ``#`` come first: the range, filters and zone, up to when it is counted, the number of rows
    without the total, and the SHA-256 of everything below them.
    """
    body = _table(report)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return "".join(f"# {line}\r\n" for line in [*_preamble(report), f"sha256 of the lines below: {checksum}"]) + body


def file_name(report: UsageReport) -> str:
    """Return a name for the file: ``usage-2026-10-24-to-2026-11-23.csv``, by the days of the report's zone."""
    begin, end = (moment.astimezone(report.zone) for moment in (report.span.begin, report.span.end))
    return f"usage-{begin:%Y-%m-%d}-to-{end:%Y-%m-%d}.csv"


def _preamble(report: UsageReport) -> list[str]:
    until = report.counted_until
    return [
        f"usage from {_moment(report, report.span.begin)} to {_moment(report, report.span.end)}",
        f"grain: {report.grain}",
        *(f"filter: {name} = {_one_line(', '.join(values))}" for name, values in report.filters.items()),
        f"time zone: {report.time_zone}",
        f"counted until: {_moment(report, until) if until else 'not yet'}",
        "covers only traffic through this gateway; cost is computed from the price list, not invoiced",
        f"rows: {len(report.rows)}",
    ]


def _moment(report: UsageReport, moment: Any) -> str:
    return str(moment.astimezone(report.zone).isoformat(timespec="seconds"))


def _table(report: UsageReport) -> str:
    names = _dimension_names(report)
    is_over_time = report.cut.is_over_time
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*(["bucket"] if is_over_time else []), *names, *MEASURES])
    for row in report.rows:
        bucket = [row.bucket.isoformat()] if row.bucket else []
        writer.writerow([*bucket, *(_cell(row.dimensions.get(name)) for name in names), *_figures(row.measures)])
    blank = [""] * (len(names) - (not is_over_time))
    writer.writerow(["total", *blank, *_figures(report.totals)])
    return text.getvalue()


def _dimension_names(report: UsageReport) -> list[str]:
    return [
        column
        for dimension in report.cut.group_by
        for column in ((dimension, f"{dimension}_name") if dimension in NAMED_DIMENSIONS else (dimension,))
    ]


def _figures(measures: Measures) -> Iterable[Any]:
    values = measures.as_dict()
    return ("" if values[name] is None else values[name] for name in MEASURES)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _one_line(text: str) -> str:
    return " ".join(text.split())
