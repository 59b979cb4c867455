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
from keys.connections import Connection, connections
from teams.access import Right, WorkspaceRequest, requires
from teams.models import Workspace


@require_safe
@requires(Right.READ_CATALOG)
@vary_on_headers("HX-Request")
def model_list(request: WorkspaceRequest) -> HttpResponse:
    form = ModelFilterForm(request.GET)
    filters = form.filters()
    sort = request.GET.get("sort", "")
    connected, failing = _providers(request.workspace)
    context = {
        "form": form,
        "filters": filters,
        "sort": sort,
        "number_columns": NUMBER_COLUMNS,
        "is_any_connected": bool(connected),
        "rows": browse(load_index(), filters, connected=connected, failing=failing, now=timezone.now(), sort=sort),
    }
    return render(request, "catalog/list.html#models" if request.htmx else "catalog/list.html", context)


@require_safe
@requires(Right.READ_CATALOG)
def model_detail(request: WorkspaceRequest, model: str) -> HttpResponse:
    entries = load_index().of_model(model)
    if not entries:
        raise Http404
    connected, failing = _providers(request.workspace)
    cards = offering_cards(entries, connected=connected, failing=failing, now=timezone.now())
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


def _providers(workspace: Workspace) -> tuple[set[str], set[str]]:
    """Return the providers that a key in use works for, and those whose keys all fail."""
    found = connections(workspace)
    failing = {provider for provider, connection in found.items() if connection == Connection.FAILING}
    return found.keys() - failing, failing
