"""The sidebar: which pages there are, and which of them the member's role opens."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from teams.access import RIGHTS_OF, Right
from teams.models import Membership, Workspace


@dataclass(frozen=True)
class Page:
    """An entry of the menu. ``section`` is the part of the path that it and the pages below it share."""

    url_name: str
    section: str
    label: str
    icon: str
    right: Right
    subtitle: str = ""


@dataclass(frozen=True)
class Link:
    """An entry as the sidebar shows it to one member on one page."""

    href: str
    label: str
    icon: str
    subtitle: str
    is_current: bool


@dataclass(frozen=True)
class Group:
    """Links under one heading."""

    title: str
    links: list[Link]


@dataclass(frozen=True)
class Navigation:
    """All of the sidebar; without a workspace it has no groups."""

    workspace: Workspace | None
    groups: list[Group]
    is_account: bool


_MENU: dict[str, list[Page]] = {
    "AI Gateway": [
        Page("usage:overview", "overview", "Overview", "overview", Right.READ_USAGE),
        Page("keys:list", "byok", "BYOK", "provider-key", Right.READ_PROVIDER_KEYS, "provider keys"),
        Page("teams:gateway_key_list", "api-keys", "API Keys", "gateway-key", Right.OWN_GATEWAY_KEYS, "gateway keys"),
        Page("catalog:list", "models", "Models", "models", Right.READ_CATALOG),
        Page("catalog:route_list", "routes", "Routes", "routes", Right.READ_ROUTES),
    ],
    "Usage": [
        Page("usage:usage", "usage", "Usage", "usage", Right.READ_USAGE),
        Page("usage:requests", "requests", "Requests", "requests", Right.READ_OWN_REQUESTS),
        Page("usage:reports", "reports", "Reports", "reports", Right.READ_USAGE),
    ],
    "Admin": [
        Page("teams:project_list", "projects", "Projects", "projects", Right.READ_PROJECTS),
        Page("teams:settings", "settings", "Settings", "settings", Right.MANAGE_WORKSPACE),
    ],
}


def navigation_for(request: HttpRequest) -> Navigation:
    """Return the sidebar of this page; outside ``/w/<workspace>/`` that of the user's first workspace."""
    is_account = not request.path.startswith("/w/")
    membership = _membership(request)
    if membership is None:
        return Navigation(None, [], is_account)
    groups = [Group(title, list(_links(pages, membership, request.path))) for title, pages in _MENU.items()]
    return Navigation(membership.workspace, [group for group in groups if group.links], is_account)


def _membership(request: HttpRequest) -> Membership | None:
    here: Membership | None = getattr(request, "membership", None)
    if here or not request.user.is_authenticated:
        return here
    return request.user.memberships.select_related("workspace").order_by("created_at").first()


def _links(pages: list[Page], membership: Membership, path: str) -> Iterator[Link]:
    root = f"/w/{membership.workspace.slug}/"
    for page in pages:
        if page.right in RIGHTS_OF[membership.role]:
            is_current = path.startswith(f"{root}{page.section}/")
            href = reverse(page.url_name, args=[membership.workspace.slug])
            yield Link(href, page.label, page.icon, page.subtitle, is_current)
