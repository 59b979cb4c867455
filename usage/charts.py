"""A report as the series of a chart, for ``static/js/charts.js``. Pure."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from usage.queries import UsageReport, UsageRow
from usage.ranges import Grain

Figure = int | Decimal
# The values of a group's dimensions.
Group = tuple[Any, ...]

# More colours than these nobody tells apart.
MOST_SERIES = 7
OTHERS = "All others"

CHART_MEASURES = {
    "cost_usd": "Cost",
    "requests": "Requests",
    "input_tokens": "Input, total",
    "output_tokens": "Output",
    "cache_read_input_tokens": "Cache read",
    "errors": "Failed attempts",
}
_BUCKET_FORMATS = {
    Grain.QUARTER_HOUR: "%-d %b %H:%M",
    Grain.HOUR: "%-d %b %H:%M",
    Grain.DAY: "%-d %b",
    Grain.MONTH: "%b %Y",
    Grain.TOTAL: "Whole period",
}


def bucket_label(bucket: datetime, grain: Grain) -> str:
    """Return a bucket's name on an axis and in a table: ``10 Mar 14:00``."""
    return bucket.strftime(_BUCKET_FORMATS[grain])


def group_label(row: UsageRow) -> str:
    """Return a group's name: names where there are some, ids where not; ``none`` for nothing."""
    return " · ".join(row.label(name) for name in row.dimensions if not name.endswith("_name")) or "All"


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked series over the same labels, the largest first; every label has a value in each."""

    measure: str
    labels: list[str]
    series: dict[str, list[Figure]]

    @property
    def is_money(self) -> bool:
        return self.measure == "cost_usd"

    @property
    def rows(self) -> list[tuple[str, tuple[Figure, ...]]]:
        """The same numbers as a table: a label and a value of each series."""
        return list(zip(self.labels, zip(*self.series.values(), strict=True), strict=True)) if self.series else []

    @property
    def json(self) -> str:
        """What the ``data-chart`` attribute holds: ``{"unit", "labels": […], "series": [{"name", "data": […]}]}``."""
        series = [{"name": name, "data": [float(value) for value in values]} for name, values in self.series.items()]
        return json.dumps({"unit": "usd" if self.is_money else "count", "labels": self.labels, "series": series})


def chart_of(report: UsageReport, measure: str = "cost_usd") -> Chart:
    """Return a chart of ``measure``: the largest groups of ``report``, and the rest as one."""
    # In UTC, for the two hours that share a name when clocks go back are equal in their own zone.
    positions = {start.astimezone(UTC): position for position, start in enumerate(report.starts)}
    groups: dict[Group, list[Figure]] = defaultdict(lambda: [0] * len(positions))
    labels: dict[Group, str] = {}
    for row in report.rows:
        if row.bucket is not None:
            group = tuple(row.dimensions.values())
            labels[group] = group_label(row)
            groups[group][positions[row.bucket.astimezone(UTC)]] += getattr(row.measures, measure)
    largest = sorted(groups, key=lambda group: -sum(groups[group]))
    series: dict[str, list[Figure]] = {}
    for group in largest[:MOST_SERIES]:
        series[_free(labels[group], series)] = groups[group]
    if others := largest[MOST_SERIES:]:
        series[_free(OTHERS, series)] = [
            sum(values) for values in zip(*(groups[group] for group in others), strict=True)
        ]
    return Chart(measure, [bucket_label(start, report.grain) for start in report.starts], series)


def _free(label: str, taken: Collection[str]) -> str:
    """Return ``label``, marked where a key is called what another series is, such as "none" or OTHERS."""
    return _free(f"{label}*", taken) if label in taken else label
