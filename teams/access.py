"""Who may do what: rights, the roles that have them, and the decorator that guards each view."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from teams.models import Membership, Role, User, Workspace

P = ParamSpec("P")


class Right(StrEnum):
    """One thing a role may do in its workspace."""

    READ_USAGE = "read usage"
    READ_OWN_REQUESTS = "see the requests of own gateway keys"
    READ_ALL_REQUESTS = "see all requests"
    READ_CATALOG = "read the model catalog"
    READ_ROUTES = "see routes"
    MANAGE_ROUTES = "change routes"
    READ_PROJECTS = "see projects"
    MANAGE_PROJECTS = "change projects"
    READ_PROVIDER_KEYS = "see provider keys"
    MANAGE_PROVIDER_KEYS = "manage provider keys"
    OWN_GATEWAY_KEYS = "make own gateway keys"
    READ_OWN_PROMPTS = "read stored prompts"
    READ_ALL_PROMPTS = "read all stored prompts"
    MANAGE_GATEWAY_KEYS = "manage all gateway keys"
    MANAGE_WORKSPACE = "change the workspace's settings"


_VIEWER = frozenset({Right.READ_USAGE, Right.READ_CATALOG, Right.READ_ROUTES, Right.READ_PROJECTS})
_DEVELOPER = _VIEWER | {Right.OWN_GATEWAY_KEYS, Right.READ_OWN_REQUESTS, Right.READ_OWN_PROMPTS}
RIGHTS_OF: dict[str, frozenset[Right]] = {
    Role.VIEWER: _VIEWER,
    Role.DEVELOPER: _DEVELOPER,
    Role.ADMIN: frozenset(Right),
    Role.OWNER: frozenset(Right),
}


class WorkspaceRequest(HttpRequest):
    """A request inside ``/w/<workspace>/`` by one of its members."""

    user: User
    htmx: HtmxDetails
    workspace: Workspace
    membership: Membership
    # Whether the member's role has a right.
    may: Callable[[Right], bool]


def requires(
    right: Right,
) -> Callable[
    [Callable[Concatenate[WorkspaceRequest, P], HttpResponse]],
    Callable[..., HttpResponseBase],
]:
    """Let only members of the URL's workspace whose role has ``right`` reach the view.

    Signed out: to the sign-in form and back. A workspace that is not yours does not exist (404); a right
    your role lacks is a 403 that says whom to ask. The view gets ``request.workspace`` and no slug, and times in
    its templates are in the viewer's zone, else the workspace's.
    """

    def decorate(view: Callable[Concatenate[WorkspaceRequest, P], HttpResponse]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: WorkspaceRequest, workspace: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            visitor: User | AnonymousUser = request.user
            if isinstance(visitor, AnonymousUser):
                return _to_sign_in(request)
            membership = (
                Membership.objects.select_related("workspace")
                .filter(user=request.user, workspace__slug=workspace)
                .first()
            )
            if membership is None:
                raise Http404
            request.workspace, request.membership = membership.workspace, membership
            rights = RIGHTS_OF[membership.role]
            request.may = rights.__contains__
            if right not in rights:
                raise PermissionDenied(f"Your role here is {membership.get_role_display()}; it may not {right}.")
            with timezone.override(request.user.time_zone or request.workspace.time_zone):
                return view(request, *args, **kwargs)

        guarded.required_right = right  # type: ignore[attr-defined]  # read by the access test
        return guarded

    return decorate


def _to_sign_in(request: WorkspaceRequest) -> HttpResponseBase:
    if request.htmx:
        # A fragment must not be replaced by a sign-in form: the whole page goes, and comes back.
        return HttpResponseClientRedirect(redirect_to_login(request.htmx.current_url_abs_path or "/").url)
    return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
