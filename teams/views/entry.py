"""The way in: set-up, ``/``, and one's own account."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from teams.access import Right, WorkspaceRequest, requires
from teams.forms import AccountForm, SetupForm
from teams.models import User, Workspace
from teams.services import SetupLinkUsed, is_setup_link_valid, set_up

_PASSWORD_BACKEND = "django.contrib.auth.backends.ModelBackend"  # noqa: S105  # a class, not a password


class SignedInRequest(HttpRequest):
    """A request that passed ``login_required``."""

    user: User


@login_required
def home(request: SignedInRequest) -> HttpResponse:
    """Lead to the user's first workspace."""
    workspace = _first_workspace(request.user)
    return redirect(workspace) if workspace else render(request, "teams/no_workspace.html")


@requires(Right.READ_USAGE)
def workspace_home(request: WorkspaceRequest) -> HttpResponse:
    return redirect(request.workspace)


@never_cache
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first user and name the workspace; works once."""
    if not is_setup_link_valid(token):
        return render(request, "teams/setup_used.html", status=410)
    form = SetupForm(request.POST or None, initial={"time_zone": settings.DEFAULT_WORKSPACE_TIME_ZONE})
    if form.is_valid():
        try:
            user, workspace = set_up(token, **form.cleaned_data)
        except SetupLinkUsed:
            return render(request, "teams/setup_used.html", status=410)
        login(request, user, backend=_PASSWORD_BACKEND)
        return redirect(workspace)
    return render(request, "teams/setup.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
def account(request: SignedInRequest) -> HttpResponse:
    """A person's own settings, the same in every workspace."""
    form = AccountForm(request.POST or None, initial={"time_zone": request.user.time_zone})
    if form.is_valid():
        request.user.time_zone = form.cleaned_data["time_zone"]
        request.user.save(update_fields=["time_zone"])
        messages.success(request, "Saved.")
        return redirect("account")
    workspace = _first_workspace(request.user)
    with timezone.override(request.user.time_zone or (workspace.time_zone if workspace else None)):
        return render(request, "teams/account.html", {"form": form}, status=422 if form.is_bound else 200)


def _first_workspace(user: User) -> Workspace | None:
    return Workspace.objects.of(user).order_by("memberships__created_at").first()
