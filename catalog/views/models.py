"""The pages that show which models there are, what they cost and how to call them."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from catalog.browsing import NUMBER_COLUMNS, browse
from catalog.forms import ModelFilterForm
from catalog.index import Capability, Lack
from catalog.model_page import choose_offering, offering_cards, price_columns, providers_lacking, rate_tables
from catalog.queries import load_index
from catalog.snippets import build_snippets, origin_of
from keys.connections import workspace_reach
from teams.access import Right, WorkspaceRequest, requires


@require_safe
@requires(Right.READ_CATALOG)
@vary_on_headers("HX-Request")
def model_list(request: WorkspaceRequest) -> HttpResponse:
    form = ModelFilterForm(request.GET)
    filters = form.filters()
    sort = request.GET.get("sort", "")
    reach = workspace_reach(request.workspace)
    context = {
        "form": form,
        "filters": filters,
        "sort": sort,
        "number_columns": NUMBER_COLUMNS,
        "is_any_connected": bool(reach.targets.keys() - reach.failing),
        "rows": browse(load_index(), filters, reach=reach, now=timezone.now(), sort=sort),
    }
    return render(request, "catalog/list.html#models" if request.htmx else "catalog/list.html", context)


@require_safe
@requires(Right.READ_CATALOG)
def model_detail(request: WorkspaceRequest, model: str) -> HttpResponse:
    entries = load_index().of_model(model)
    if not entries:
        raise Http404
    cards = offering_cards(entries, workspace_reach(request.workspace), timezone.now())
    columns = price_columns(cards)
    chosen = choose_offering(cards, request.GET.get("from", ""))
    context = {
        "model": entries[0].info,
        "capabilities": [(capability.label, entries[0].info.can(capability)) for capability in Capability],
        "cards": cards,
        "no_schema_at": providers_lacking(cards, Lack.STRUCTURED_OUTPUTS),
        "columns": columns,
        "rate_tables": rate_tables(columns),
        "chosen": chosen,
        "snippets": build_snippets(chosen.entry.model_string, origin_of(request)) if chosen.entry.is_callable else [],
        "may_see_keys": request.may(Right.READ_PROVIDER_KEYS),
        "may_connect": request.may(Right.MANAGE_PROVIDER_KEYS),
        "may_call": request.may(Right.OWN_GATEWAY_KEYS),
    }
    return render(request, "catalog/detail.html", context)
