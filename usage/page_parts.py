"""What several usage pages are made of: the period and its links, filters, charts, tokens by class."""

from typing import Any

from django.urls import reverse

from teams.access import WorkspaceRequest
from usage.charts import CHART_MEASURES, chart_of
from usage.forms import DEFAULT_KIND, DIMENSION_LABELS, FILTERS, KINDS, RANGES, Breakdown, Period, query_string
from usage.queries import UsageReport, usage_reports
from usage.ranges import Grain
from usage.report_sql import Cut

TOKEN_CLASSES = {
    "Uncached input": "uncached_input",
    "Cache read": "cache_read_input",
    "Cache write, 5 m": "cache_write_5m_input",
    "Cache write, 1 h": "cache_write_1h_input",
    "Output": "output",
}


def period_context(request: WorkspaceRequest, period: Period, breakdown: str) -> dict[str, Any]:
    """Return what the bar with the ranges needs; ``breakdown`` is the rest of the address of what is shown."""
    own_zone = request.user.time_zone
    other_zone = own_zone if period.zone == period.workspace_zone else period.workspace_zone.key
    csv = reverse("usage:csv", args=[request.workspace.slug])
    page = reverse("usage:usage", args=[request.workspace.slug])
    shown = f"{query_string(period.fixed_parameters)}&{breakdown}"
    link = f"{page}?{shown}&{query_string({'measure': chart_measure(request)})}"
    return {
        "period": period,
        "ranges": [(name, label) for name, (label, _) in RANGES.items()],
        "other_zone": other_zone if other_zone != period.zone.key else "",
        "csv_url": f"{csv}?{shown}",
        "link": request.build_absolute_uri(link),
    }


def filter_choices(
    request: WorkspaceRequest, period: Period, breakdown: Breakdown
) -> list[tuple[str, str, list[tuple[str, str, bool]]]]:
    """Return per dimension its name, label and what the period has of it: value, label, and whether it is chosen."""
    kinds = [kind for kind in breakdown.filters.get("kind", ()) if kind in KINDS] or [DEFAULT_KIND]
    names = [name for name in FILTERS if name not in ("kind", "provider_key_version")]
    cuts = [Cut((name,), is_over_time=False) for name in names]
    reports = usage_reports(
        request.workspace,
        cuts,
        begin=period.begin,
        end=period.end,
        grain=Grain.TOTAL,
        filters={"kind": kinds},
    )
    choices = []
    for name, report in zip(names, reports, strict=True):
        chosen = breakdown.filters.get(name, [])
        found = {str(row.dimensions[name]): row.label(name) for row in report.rows if row.dimensions[name]}
        # What was chosen stays to be seen, even if this period has nothing of it.
        listed = found | {value: value for value in chosen if value not in found}
        choices.append(
            (name, DIMENSION_LABELS[name], [(value, label, value in chosen) for value, label in listed.items()])
        )
    choices.append(("kind", "Kind", [(value, label, value in kinds) for value, label in KINDS.items()]))
    return [choice for choice in choices if choice[2]]


def chart_context(report: UsageReport, measure: str) -> dict[str, Any]:
    return {"chart": chart_of(report, measure), "measure": measure, "measures": CHART_MEASURES}


def chart_measure(request: WorkspaceRequest) -> str:
    measure = request.GET.get("measure", "")
    return measure if measure in CHART_MEASURES else "cost_usd"
