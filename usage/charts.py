"""A report as the series of a chart, for ``static/js/charts.js``. Pure."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from usage.queries import UsageReport
from usage.ranges import Grain

Figure = int | Decimal

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


def group_label(dimensions: Mapping[str, Any]) -> str:
    """Return a group's name: names where there are some, ids where not; ``none`` for nothing."""
    parts = [
        str(dimensions.get(f"{name}_name") or value or "none")
        for name, value in dimensions.items()
        if not name.endswith("_name")
    ]
    return " · ".join(parts) or "All"


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
    groups: dict[str, list[Figure]] = defaultdict(lambda: [0] * len(positions))
    for row in report.rows:
        if row.bucket is not None:
            groups[group_label(row.dimensions)][positions[row.bucket.astimezone(UTC)]] += getattr(row.measures, measure)
    largest = sorted(groups, key=lambda name: -sum(groups[name]))
    series = {name: groups[name] for name in largest[:MOST_SERIES]}
    if others := largest[MOST_SERIES:]:
        series[OTHERS] = [sum(values) for values in zip(*(groups[name] for name in others), strict=True)]
    return Chart(measure, [bucket_label(start, report.grain) for start in report.starts], series)
