"""The usage pages. Every figure on them comes from ``usage.queries``."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseNotFound
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from keys.crypto import CryptoError
from keys.models import ProviderKey
from teams.access import Right, WorkspaceRequest, requires
from teams.models import GatewayKey, GatewayKeyQuerySet
from usage.attention import concerns
from usage.exchange_text import readable
from usage.exports import CONTENT_TYPE, file_name, report_as_csv
from usage.forms import (
    DIMENSION_LABELS,
    GRAIN_LABELS,
    Breakdown,
    Period,
    query_string,
    read_breakdown,
    read_period,
)
from usage.models import Rollup, StoredExchange
from usage.page_parts import chart_context, chart_measure, filter_choices, period_context
from usage.prompt_storage import read_stored
from usage.queries import UsageReport, freshness, usage_report, usage_reports
from usage.ranges import DAY, Grain, month_bounds
from usage.report_sql import Cut, UsageError
from usage.request_log import (
    SEARCHED_DAYS,
    LoggedRequest,
    Shown,
    has_requests,
    list_requests,
    may_still_come,
    request_log,
)
from usage.request_page import request_context

LATEST_REQUESTS = 8
TOP_ROWS = 8
# More of them would leave no room for the figures; they are a click away.
SHOWN_CONCERNS = 5
# A page with more rows is a file: the CSV has them all.
MOST_TABLE_ROWS = 150
TOP_TABLES = ("model", "provider_key", "gateway_key")
MONTH_TABLES = (*TOP_TABLES, "project")


@require_safe
@requires(Right.READ_USAGE)
def overview(request: WorkspaceRequest) -> HttpResponse:
    """What was spent and on what, against the period before; the first steps while there is nothing yet."""
    if not has_requests(request.workspace):
        return _render(request, "usage/first_steps.html", _first_steps(request), _viewer_zone(request))
    period = read_period(request)
    measure = chart_measure(request)
    by_time, *tables = _overview_reports(request, period)
    answered = usage_report(
        request.workspace,
        begin=period.begin,
        end=period.end,
        grain=Grain.TOTAL,
        # Failures are fast, and would make the answers look so.
        filters={"status_class": ["2xx"]},
        with_latency=True,
    )
    before = by_time.span.before
    earlier = usage_report(request.workspace, begin=before.begin, end=before.end, grain=Grain.TOTAL)
    found = concerns(
        request.workspace,
        tables[0],
        period=period.parameters,
        may=request.may,
    )
    context = {
        **period_context(request, period, query_string({"grain": str(period.grain), "group_by": "model"})),
        "freshness": by_time.freshness,
        "concerns": found[:SHOWN_CONCERNS],
        "more_concerns": found[SHOWN_CONCERNS:],
        "totals": by_time.totals,
        "earlier": earlier.totals,
        "latency": _percentiles(answered),
        "tables": [(DIMENSION_LABELS[table.cut.group_by[0]], table.cut.group_by[0], table) for table in tables],
        "top_rows": TOP_ROWS,
        "top_slice": f":{TOP_ROWS}",
        "requests": _latest_requests(request),
        **chart_context(by_time, measure),
    }
    return _render(request, "usage/overview.html", context, period.zone)


@require_safe
@requires(Right.READ_USAGE)
def usage(request: WorkspaceRequest) -> HttpResponse:
    """Any cut of the usage as a chart and a table."""
    period = read_period(request)
    breakdown = read_breakdown(request.GET, period)
    context = {
        **period_context(request, period, query_string(breakdown.parameters)),
        "breakdown": breakdown,
        "unfiltered": query_string(
            period.parameters, replace(breakdown, filters={}).parameters, {"measure": chart_measure(request)}
        ),
        "dimensions": DIMENSION_LABELS,
        "grains": [(grain.value, label) for grain, label in GRAIN_LABELS.items()],
        "freshness": freshness(),
    }
    try:
        context["filters"] = filter_choices(request, period, breakdown)
        report = _breakdown_report(request, period, breakdown)
    except UsageError as error:
        return _render(request, "usage/usage.html", context | {"problem": str(error)}, period.zone)
    context |= {
        "report": report,
        "rows": report.rows[:MOST_TABLE_ROWS],
        "hidden_rows": max(0, len(report.rows) - MOST_TABLE_ROWS),
        **chart_context(report, chart_measure(request)),
    }
    return _render(request, "usage/usage.html", context, period.zone)


@require_safe
@requires(Right.READ_USAGE)
def usage_csv(request: WorkspaceRequest) -> HttpResponse:
    """What the Usage page shows at the same address, as a file with all of its rows."""
    period = read_period(request)
    if period.errors:
        return _plain_refusal(" ".join(period.errors))
    try:
        report = _breakdown_report(request, period, read_breakdown(request.GET, period, default_group=()))
    except UsageError as error:
        return _plain_refusal(str(error))
    headers = {"Content-Disposition": f'attachment; filename="{file_name(report)}"'}
    return HttpResponse(report_as_csv(report), content_type=CONTENT_TYPE, headers=headers)


@require_safe
@requires(Right.READ_OWN_REQUESTS)
def request_list(request: WorkspaceRequest) -> HttpResponse:
    """The requests that the member may see, the newest first; refused ones too, so that they explain themselves."""
    shown = request.GET.get("shown", "")
    search = request.GET.get("q", "").strip()[:200]
    page = list_requests(
        request.workspace,
        shown=Shown(shown) if shown in list(Shown) else Shown.ALL,
        search=search,
        before=_uuid(request.GET.get("before", "")),
        gateway_keys=_readable_keys(request),
    )
    context = {
        "page": page,
        "shown": shown or Shown.ALL,
        "shown_choices": [(choice.value, choice.name.capitalize()) for choice in Shown],
        "search": search,
        "searched_days": SEARCHED_DAYS,
        "freshness": freshness(),
        "is_paged": "before" in request.GET,
        "are_all": request.may(Right.READ_ALL_REQUESTS),
    }
    return _render(request, "usage/requests.html", context, _viewer_zone(request))


@require_safe
@requires(Right.READ_OWN_REQUESTS)
def request_detail(request: WorkspaceRequest, request_id: str) -> HttpResponse:
    """One request with all of its attempts; while one is in flight the page asks again every second.

    A new id is waited for, whosever it is, so that the page tells nobody which ids there are.
    """
    try:
        entries = _entries_of(request, request_id)
    except Http404:
        if may_still_come(request_id, timezone.now()):
            return render(request, "usage/request_waiting.html", {"request_id": request_id})
        if request.htmx:
            # The page that waited becomes the page that says so.
            return HttpResponseNotFound(headers={"HX-Refresh": "true"})
        raise
    context = {
        **request_context(entries, timezone.now()),
        "request_id": request_id,
        "stored": _readable_exchange(request, entries[-1]),
    }
    return _render(request, "usage/request_detail.html", context, _viewer_zone(request))


@never_cache
@require_POST
@requires(Right.READ_OWN_PROMPTS)
def request_prompt(request: WorkspaceRequest, request_id: str) -> HttpResponse:
    """What was said in one request. Not a GET, for each look is written to the audit log."""
    entries = _entries_of(request, request_id)
    stored = _readable_exchange(request, entries[-1])
    if stored is None:
        messages.info(request, "Nothing of this request is stored that you may read.")
        return redirect("usage:request_detail", request.workspace.slug, request_id)
    context: dict[str, Any] = {"request_id": request_id, "stored": stored}
    try:
        exchange = read_stored(stored, request.workspace, actor=request.user)
    except CryptoError as error:
        context["problem"] = type(error).__name__
    else:
        context |= {"asked": readable(exchange.request), "answered": readable(exchange.answer)}
    return _render(request, "usage/request_prompt.html", context, _viewer_zone(request))


@require_safe
@requires(Right.READ_USAGE)
def report_list(request: WorkspaceRequest) -> HttpResponse:
    """The months there is anything of, this one first."""
    first = Rollup.objects.filter(workspace_id=request.workspace.pk).order_by("bucket").first()
    begin = first.bucket if first else timezone.now() - DAY
    report = usage_report(request.workspace, begin=begin, grain=Grain.MONTH)
    context = {"report": report, "months": list(reversed(report.rows)), "freshness": report.freshness}
    return _render(request, "usage/reports.html", context, request.workspace.zone)


@require_safe
@requires(Right.READ_USAGE)
def month_report(request: WorkspaceRequest, year: int, month: int) -> HttpResponse:
    """One month of the workspace's zone by model, provider key, gateway key and project."""
    try:
        first = date(year, month, 1)
        span = month_bounds(first, request.workspace.zone)
    except (ValueError, OverflowError):
        raise Http404 from None
    cuts = [Cut((name,), is_over_time=False) for name in MONTH_TABLES]
    reports = usage_reports(request.workspace, cuts, begin=span.begin, end=span.end, grain=Grain.TOTAL)
    tests = usage_report(request.workspace, begin=span.begin, end=span.end, grain=Grain.TOTAL, filters={"kind": "test"})
    period = Period("custom", span.begin, span.end, request.workspace.zone, request.workspace.zone)
    context = {
        "month": first,
        "tables": [
            (DIMENSION_LABELS[name], _month_csv(request, period, name), report)
            for name, report in zip(MONTH_TABLES, reports, strict=True)
        ],
        "totals": reports[0].totals,
        "tests": tests.totals,
        "freshness": reports[0].freshness,
        "is_running": span.begin <= timezone.now() < span.end,
    }
    return _render(request, "usage/month.html", context, request.workspace.zone)


def _entries_of(request: WorkspaceRequest, request_id: str) -> list[LoggedRequest]:
    entries = request_log(request.workspace, request_id, gateway_keys=_readable_keys(request))
    if not entries:
        raise Http404
    return entries


def _readable_keys(request: WorkspaceRequest) -> list[UUID] | None:
    """Return the gateway keys whose requests the member may see: their own; None for all, and test messages too."""
    if request.may(Right.READ_ALL_REQUESTS):
        return None
    return list(_own_keys(request).values_list("pk", flat=True))


def _own_keys(request: WorkspaceRequest) -> GatewayKeyQuerySet:
    return GatewayKey.objects.in_workspace(request.workspace).filter(owner=request.user)


def _readable_exchange(request: WorkspaceRequest, logged: LoggedRequest) -> StoredExchange | None:
    """Return what is stored of a request, if the member may read it: of all, or of their own gateway keys."""
    stored = StoredExchange.objects.in_workspace(request.workspace).filter(request_id=logged.request_id)
    if not request.may(Right.READ_ALL_PROMPTS):
        stored = stored.filter(gateway_key_id__in=_own_keys(request).values("pk"))
    return stored.first() if request.may(Right.READ_OWN_PROMPTS) else None


def _latest_requests(request: WorkspaceRequest) -> Sequence[LoggedRequest] | None:
    if not request.may(Right.READ_OWN_REQUESTS):
        return None
    return list_requests(request.workspace, limit=LATEST_REQUESTS, gateway_keys=_readable_keys(request)).requests


def _overview_reports(request: WorkspaceRequest, period: Period) -> list[UsageReport]:
    cuts = [Cut(("model",)), *(Cut((name,), is_over_time=False) for name in TOP_TABLES)]
    return usage_reports(
        request.workspace, cuts, begin=period.begin, end=period.end, grain=period.grain, time_zone=period.zone
    )


def _breakdown_report(request: WorkspaceRequest, period: Period, breakdown: Breakdown) -> UsageReport:
    return usage_report(
        request.workspace,
        begin=period.begin,
        end=period.end,
        grain=breakdown.grain,
        time_zone=period.zone,
        group_by=breakdown.group_by,
        filters=breakdown.filters,
    )


def _plain_refusal(text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=400, content_type="text/plain; charset=utf-8")


def _month_csv(request: WorkspaceRequest, period: Period, dimension: str) -> str:
    asked = query_string(period.fixed_parameters, {"grain": str(Grain.TOTAL), "group_by": dimension})
    return f"{reverse('usage:csv', args=[request.workspace.slug])}?{asked}"


def _percentiles(report: UsageReport) -> dict[str, int | None]:
    if report.latency is None:
        raise AssertionError("asked for with latency")
    return {"p50": report.latency.percentile_ms(0.5), "p95": report.latency.percentile_ms(0.95)}


def _first_steps(request: WorkspaceRequest) -> dict[str, Any]:
    return {
        "has_provider_key": ProviderKey.objects.in_workspace(request.workspace).exists(),
        "has_gateway_key": GatewayKey.objects.in_workspace(request.workspace).for_clients().usable().exists(),
        "may_connect": request.may(Right.MANAGE_PROVIDER_KEYS),
        "may_create": request.may(Right.OWN_GATEWAY_KEYS),
        "freshness": freshness(),
    }


def _viewer_zone(request: WorkspaceRequest) -> ZoneInfo:
    """Return the zone that single moments are shown in: the viewer's, else the workspace's."""
    return ZoneInfo(request.user.time_zone) if request.user.time_zone else request.workspace.zone


def _render(request: WorkspaceRequest, template: str, context: dict[str, Any], zone: ZoneInfo) -> HttpResponse:
    with timezone.override(zone):
        return render(request, template, context | {"zone": zone.key})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
