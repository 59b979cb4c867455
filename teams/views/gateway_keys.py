"""Gateway keys: the list, a new one with its first request, and the end of one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.examples import choose_example
from catalog.models import Route
from catalog.queries import load_index
from catalog.regions import describe_regions
from catalog.routes import spec_of
from catalog.snippets import build_snippets, claude_code_snippet, origin_of, request_body
from catalog.targets import Reach
from keys.connections import workspace_reach
from keys.models import KeyVersion
from providers.base import Outcome
from teams.access import Right, WorkspaceRequest, requires
from teams.dialogs import leave_dialog
from teams.forms import GatewayKeyForm, KeyScopeForm
from teams.models import GatewayKey, GatewayKeyQuerySet
from teams.services import (
    CreatedKey,
    KeyRevoked,
    NameTaken,
    ProjectArchived,
    ScopeWidened,
    create_gateway_key,
    edit_gateway_key,
    revoke_gateway_key,
)
from teams.tokens import cut_to_public_id
from usage.error_words import explain
from usage.measures import usd
from usage.models import Attempt, LastUse, Refusal
from usage.records import first_id_at

# Who makes a key of the same name so soon after it has loaded the page again, or did not mean to make two.
_JUST_NOW = timedelta(minutes=15)
_NEVER = datetime.min.replace(tzinfo=UTC)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class KeyRow:
    """A gateway key as the list shows it."""

    key: GatewayKey
    last_used_at: datetime | None

    @property
    def regions(self) -> str:
        """Where calls with it may be served, in words; empty for everywhere."""
        return describe_regions(self.key.allowed_regions)

    def rank(self, column: str) -> Any:
        """Return what ``column`` sorts this row by."""
        return {
            "name": self.key.name.casefold(),
            "owner": str(self.key.owner or ""),
            "project": str(self.key.project or "").casefold(),
            "created": self.key.created_at,
            "last-used": self.last_used_at or _NEVER,
            "expires": self.key.expires_at or _FOR_EVER,
        }[column]


@dataclass(frozen=True)
class KeyFilters:
    """What the list was asked for. ``sort`` is a column, with ``-`` in front for the other way round."""

    query: str = ""
    status: str = "usable"
    sort: str = "-created"

    COLUMNS: ClassVar = {
        "name": "Name",
        "owner": "Owner",
        "project": "Project",
        "created": "Created",
        "last-used": "Last used",
        "expires": "Expires",
    }
    STATUSES: ClassVar = {"usable": "Usable", "ended": "Revoked or expired", "all": "All"}

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Return the filters in a query string; what is not one of ours is left at its default."""
        status, sort = values.get("status", ""), values.get("sort", "")
        return cls(
            # PostgreSQL's text holds no NUL, and refuses to be asked for one.
            query=values.get("q", "").replace("\0", "").strip()[:100],
            status=status if status in cls.STATUSES else cls.status,
            sort=sort if sort.removeprefix("-") in cls.COLUMNS else cls.sort,
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether keys may be hidden by what was asked for."""
        return bool(self.query) or self.status != KeyFilters.status

    def apply(self, keys: GatewayKeyQuerySet) -> list[KeyRow]:
        """Return the rows, in order. Two queries."""
        found = list(self._narrow(keys).select_related("owner", "project"))
        used = dict(LastUse.objects.filter(version=0, key_id__in=[key.pk for key in found]).values_list("key_id", "at"))
        rows = [KeyRow(key, used.get(key.pk)) for key in found]
        column = self.sort.removeprefix("-")
        return sorted(rows, key=lambda row: row.rank(column), reverse=self.sort.startswith("-"))

    def _narrow(self, keys: GatewayKeyQuerySet) -> GatewayKeyQuerySet:
        if self.query:
            keys = keys.filter(
                Q(name__icontains=self.query)
                | Q(public_id__startswith=self.query)
                | Q(last4=self.query)
                | Q(owner__email__icontains=self.query)
                | Q(project__name__icontains=self.query)
            )
        if self.status == "usable":
            return keys.usable()
        if self.status == "ended":
            return keys.filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=timezone.now()))
        return keys


@require_safe
@requires(Right.OWN_GATEWAY_KEYS)
def gateway_key_list(request: WorkspaceRequest) -> HttpResponse:
    """The gateway keys that the member may see: all of them, or their own."""
    query = request.GET.get("q", "")
    public_id = cut_to_public_id(query)
    if public_id != query:
        # A key that was pasted whole is found by its id, and stays in no address and no link.
        asked = request.GET.copy()
        asked["q"] = public_id
        return redirect(f"{request.path}?{asked.urlencode()}")
    filters, visible = KeyFilters.read(request.GET), _visible_keys(request)
    context = {
        "rows": filters.apply(visible),
        "filters": filters,
        "has_keys": visible.exists(),
        "may_manage_all": request.may(Right.MANAGE_GATEWAY_KEYS),
    }
    return render(request, "teams/gateway_key_list.html", context)


@never_cache
@requires(Right.OWN_GATEWAY_KEYS)
def gateway_key_create(request: WorkspaceRequest) -> HttpResponse:
    """Make a gateway key. The answer to the POST shows it, and nothing else ever does."""
    form = GatewayKeyForm(request.POST or None, workspace=request.workspace)
    if form.is_valid():
        try:
            created = create_gateway_key(
                request.workspace,
                name=form.cleaned_data["name"],
                expires_at=form.cleaned_data["expires_on"],
                scope=form.scope(),
                owner=request.user,
                actor=request.user,
            )
        except NameTaken as error:
            form.add_error("name", _shown_just_now(request, form.cleaned_data["name"]) or str(error))
        except ProjectArchived as error:
            form.add_error("project", str(error))
        else:
            return _show_once(request, created)
    return render(request, "teams/gateway_key_create.html", {"form": form}, status=422 if form.is_bound else 200)


@never_cache
@requires(Right.OWN_GATEWAY_KEYS)
def gateway_key_edit(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Change what the key is called, belongs to and may do; its text and its last day stay.

    Who may not manage all keys can narrow their own and not widen it: an admin may have narrowed it.
    """
    key = get_object_or_404(_visible_keys(request).for_clients().filter(revoked_at=None), pk=key_id)
    form = KeyScopeForm(request.POST or None, workspace=request.workspace, key=key)
    if form.is_valid():
        try:
            edit_gateway_key(
                key,
                name=form.cleaned_data["name"],
                scope=form.scope(),
                actor=request.user,
                may_widen=request.may(Right.MANAGE_GATEWAY_KEYS),
            )
        except NameTaken as error:
            form.add_error("name", str(error))
        except (ProjectArchived, KeyRevoked, ScopeWidened) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved. The gateway goes by it from now on.")
            return leave_dialog(request, reverse("teams:gateway_key_list", args=[request.workspace.slug]))
    context = {"key": key, "form": form}
    return render(request, "teams/gateway_key_edit.html", context, status=422 if form.is_bound else 200)


@requires(Right.OWN_GATEWAY_KEYS)
def gateway_key_revoke(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """Ask, then end the key."""
    key = get_object_or_404(_visible_keys(request), pk=key_id)
    if request.method != "POST":
        last_use = LastUse.objects.filter(key_id=key.pk, version=0).first()
        return render(request, "teams/gateway_key_revoke.html", {"row": KeyRow(key, last_use.at if last_use else None)})
    try:
        revoke_gateway_key(key, actor=request.user)
    except KeyRevoked as error:
        messages.info(request, str(error))
    else:
        messages.success(request, f"“{key.name}” is revoked. The gateway refuses it from now on.")
    return redirect("teams:gateway_key_list", request.workspace.slug)


@require_safe
@requires(Right.OWN_GATEWAY_KEYS)
def first_request(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    """The line below a new key: waiting, or how its latest request went.

    Nothing while that is what stands there already, for a line that is put in again is read out again.
    """
    key = get_object_or_404(_visible_keys(request), pk=key_id)
    result = _latest_request(key)
    shown = result.href if result else "nothing"
    if request.GET.get("shown") == shown:
        return HttpResponse(status=204)
    return render(request, "teams/_first_request.html", {"result": result, "shown": shown})


def _visible_keys(request: WorkspaceRequest) -> GatewayKeyQuerySet:
    keys = GatewayKey.objects.in_workspace(request.workspace)
    return keys if request.may(Right.MANAGE_GATEWAY_KEYS) else keys.filter(owner=request.user)


def _shown_just_now(request: WorkspaceRequest, name: str) -> str:
    """Say that a key of this name is there because the member made it just now; '' if it is older or not theirs.

    Who loads the page of a new key again sends its form again, and gets this instead of the key.
    """
    begin = timezone.now() - _JUST_NOW
    made = GatewayKey.objects.in_workspace(request.workspace).for_clients().usable()
    if not made.filter(owner=request.user, name=name, created_at__gte=begin).exists():
        return ""
    return f"“{name}” was made just now; its text was shown once. Revoke it and make another if you did not copy it."


def _show_once(request: WorkspaceRequest, created: CreatedKey) -> HttpResponse:
    reach = workspace_reach(request.workspace)
    model = _example_model(created.key, reach)
    origin = origin_of(request)
    context = {
        "key": created.key,
        "token": created.token.text,
        "body": request_body(model),
        "origin": origin,
        "snippets": [*build_snippets(model, origin), claude_code_snippet(model, origin)] if model else [],
        "is_connected": bool(reach.targets),
        "may_connect": request.may(Right.MANAGE_PROVIDER_KEYS),
    }
    return render(request, "teams/gateway_key_created.html", context)


def _example_model(key: GatewayKey, reach: Reach) -> str:
    """Return the model string that the snippets of ``key`` ask for; empty while it can call nothing."""
    workspace = key.workspace
    usable = KeyVersion.objects.in_workspace(workspace).active().filter(provider_key__enabled=True)
    checked = usable.filter(test_calls__outcome=Outcome.OK).values_list("provider_key__provider", flat=True)
    routes = Route.objects.in_workspace(workspace).prefetch_related("targets").order_by("name")
    project_regions = key.project.allowed_regions if key.project else []
    return choose_example(
        load_index(),
        replace(reach, allowed_regions=[*reach.allowed_regions, project_regions, key.allowed_regions]),
        [spec_of(route) for route in routes],
        models_allowed=key.models_allowed,
        checked=set(checked),
        now=timezone.now(),
    )


@dataclass(frozen=True)
class RequestLine:
    """One request in one line: ``200 · 1,234 tokens · $0.0041``. What is not known is None."""

    status: int | None
    error: str
    tokens: int | None
    cost_usd: Decimal | None
    href: str


def _latest_request(key: GatewayKey) -> RequestLine | None:
    """Return how the newest request with ``key`` went; one that the gateway refused itself counts, too."""
    here = {"workspace_id": key.workspace_id, "gateway_key_id": key.pk}
    # No request is older than its key: the bound keeps the search to the last minutes of the ledger.
    oldest = first_id_at(key.created_at)
    attempt = Attempt.objects.filter(**here, id__gte=oldest, final=True).order_by("-id").first()
    refusal = Refusal.objects.filter(**here).first()
    if refusal and not (attempt and attempt.started_at > refusal.at):
        return RequestLine(refusal.status, refusal.message, None, None, _request_url(key, refusal.request_id))
    if attempt is None:
        return None
    explanation = explain(attempt.error_code, attempt.reached)
    tokens = None if attempt.input_tokens is None else attempt.input_tokens + (attempt.output_tokens or 0)
    return RequestLine(
        status=attempt.status,
        error=explanation.what if explanation else "",
        tokens=tokens,
        cost_usd=None if attempt.is_unpriced else usd(attempt.cost_nano),
        href=_request_url(key, attempt.request_id),
    )


def _request_url(key: GatewayKey, request_id: str) -> str:
    return reverse("usage:request_detail", args=[key.workspace.slug, request_id])
