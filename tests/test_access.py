"""Every address of the product and who may see it, walked from the resolver: a page that is missing here fails."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from catalog.models import Route
from catalog.services import sync_catalog
from keys.services import add_version
from providers.secret import Secret
from teams.access import RIGHTS_OF, Right
from teams.models import Project, Role, User, Workspace
from teams.services import setup_link
from tests.factories import make_gateway_key, make_member, make_provider_key
from tests.pages import signed_in, text_of
from tests.usage.samples import make_record, record

# What a member's role must have, by the name of the page inside /w/<workspace>/.
RIGHT_OF_PAGE: dict[str, Right] = {
    "workspace": Right.READ_USAGE,
    "catalog:detail": Right.READ_CATALOG,
    "catalog:list": Right.READ_CATALOG,
    "catalog:route_call": Right.READ_ROUTES,
    "catalog:route_create": Right.MANAGE_ROUTES,
    "catalog:route_delete": Right.MANAGE_ROUTES,
    "catalog:route_edit": Right.MANAGE_ROUTES,
    "catalog:route_list": Right.READ_ROUTES,
    "keys:check": Right.MANAGE_PROVIDER_KEYS,
    "keys:configure": Right.MANAGE_PROVIDER_KEYS,
    "keys:connected": Right.MANAGE_PROVIDER_KEYS,
    "keys:create": Right.MANAGE_PROVIDER_KEYS,
    "keys:delete": Right.MANAGE_PROVIDER_KEYS,
    "keys:detail": Right.READ_PROVIDER_KEYS,
    "keys:disable": Right.MANAGE_PROVIDER_KEYS,
    "keys:edit": Right.MANAGE_PROVIDER_KEYS,
    "keys:enable": Right.MANAGE_PROVIDER_KEYS,
    "keys:list": Right.READ_PROVIDER_KEYS,
    "keys:message": Right.MANAGE_PROVIDER_KEYS,
    "keys:revoke": Right.MANAGE_PROVIDER_KEYS,
    "keys:rotate": Right.MANAGE_PROVIDER_KEYS,
    "keys:switch": Right.MANAGE_PROVIDER_KEYS,
    "keys:use_again": Right.MANAGE_PROVIDER_KEYS,
    "teams:call_rules": Right.MANAGE_WORKSPACE,
    "teams:checklist_dismiss": Right.MANAGE_WORKSPACE,
    "teams:first_request": Right.OWN_GATEWAY_KEYS,
    "teams:gateway_key_create": Right.OWN_GATEWAY_KEYS,
    "teams:gateway_key_edit": Right.OWN_GATEWAY_KEYS,
    "teams:gateway_key_list": Right.OWN_GATEWAY_KEYS,
    "teams:gateway_key_revoke": Right.OWN_GATEWAY_KEYS,
    "teams:master_key_copied": Right.MANAGE_WORKSPACE,
    "teams:project_archive": Right.MANAGE_PROJECTS,
    "teams:project_create": Right.MANAGE_PROJECTS,
    "teams:project_edit": Right.MANAGE_PROJECTS,
    "teams:project_list": Right.READ_PROJECTS,
    "teams:project_restore": Right.MANAGE_PROJECTS,
    "teams:prompt_storage": Right.MANAGE_WORKSPACE,
    "teams:settings": Right.MANAGE_WORKSPACE,
    "teams:stored_prompts_delete": Right.MANAGE_WORKSPACE,
    "usage:csv": Right.READ_USAGE,
    "usage:month": Right.READ_USAGE,
    "usage:overview": Right.READ_USAGE,
    "usage:reports": Right.READ_USAGE,
    "usage:request_detail": Right.READ_OWN_REQUESTS,
    "usage:request_prompt": Right.READ_OWN_PROMPTS,
    "usage:requests": Right.READ_OWN_REQUESTS,
    "usage:usage": Right.READ_USAGE,
}
# Open to anyone: the way in, and the answer that signing up is closed.
PUBLIC = {"setup", "account_login", "account_logout", "account_signup", "account_inactive"}
# Open to whoever has signed in, whatever their role.
SIGNED_IN = {"home", "account", "account_change_password", "account_reauthenticate"}
# The REST API's own description; all else of it wants a management key.
OPEN_REST = {"api:openapi-json"}
METHODS = ["get", "post"]
# What stands in a path for one row of the workspace.
IDS = {"key_id", "route_id", "project_id"}


def named_patterns(
    patterns: Any, namespace: str = "", outer: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each address's name, with its namespace, and what its path asks for."""
    for pattern in patterns:
        converters = (*outer, *pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from named_patterns(pattern.url_patterns, inner, converters)
        elif isinstance(pattern, URLPattern):
            yield namespace + (pattern.name or str(pattern.pattern)), converters


ADDRESSES = dict(named_patterns(get_resolver().url_patterns))
PAGES = sorted(name for name, converters in ADDRESSES.items() if "workspace" in converters)
REST = sorted(name for name in ADDRESSES if name.startswith("api:"))


@pytest.fixture
def values(request: pytest.FixtureRequest, workspace: Workspace, alice: User) -> dict[str, Any]:
    """What stands in the path of any page, of alice's workspace."""
    if "catalog:" in request.node.name:
        sync_catalog()
    key = make_provider_key(workspace)
    add_version(key, secret=Secret("sk-ant-api03-the-second-0123456789"), actor=alice)
    request_id = "one-request"
    record(make_record(workspace, at=timezone.now(), request_id=request_id))
    return {
        "workspace": workspace.slug,
        "provider": "anthropic",
        "model": "claude-sonnet-4-6",
        "route_id": Route.objects.create(workspace=workspace, name="support").pk,
        "project_id": Project.objects.create(workspace=workspace, name="Help centre").pk,
        "number": 2,
        "year": timezone.now().year,
        "month": timezone.now().month,
        "request_id": request_id,
        "provider_key": key.pk,
        "gateway_key": make_gateway_key(workspace, owner=alice).key.pk,
    }


def path_of(name: str, values: dict[str, Any]) -> str:
    """Return the path of a page inside a workspace; ``values`` must have what it asks for."""
    key = values["provider_key" if name.startswith("keys:") else "gateway_key"]
    found = {**values, "key_id": key}
    return reverse(name, kwargs={converter: found[converter] for converter in ADDRESSES[name]})


def send(client: Client, method: str, path: str) -> HttpResponse:
    answer: HttpResponse = getattr(client, method)(path)
    return answer


def test_every_page_is_listed_here_with_the_right_it_needs() -> None:
    assert sorted(RIGHT_OF_PAGE) == PAGES


def test_every_other_address_is_listed_here_too() -> None:
    assert {*PAGES, *REST, *PUBLIC, *SIGNED_IN} == set(ADDRESSES)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", METHODS)
def test_signed_out_every_page_leads_to_the_form(
    client: Client, values: dict[str, Any], name: str, method: str
) -> None:
    path = path_of(name, values)

    answer = send(client, method, path)

    # A method the page does not have tells nothing either.
    assert answer.status_code == 405 or answer.headers["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", METHODS)
def test_for_another_tenant_no_page_exists(mallory: User, values: dict[str, Any], name: str, method: str) -> None:
    answer = send(signed_in(mallory), method, path_of(name, values))

    assert answer.status_code in (404, 405)


@pytest.mark.parametrize("name", [name for name in PAGES if IDS.intersection(ADDRESSES[name])])
@pytest.mark.parametrize("method", METHODS)
def test_what_belongs_to_another_tenant_is_the_same_as_nothing(
    mallory: User, values: dict[str, Any], name: str, method: str
) -> None:
    client = signed_in(mallory)
    here = {**values, "workspace": "umbrella"}
    nothing = {**here, "provider_key": uuid4(), "gateway_key": uuid4(), "route_id": uuid4(), "project_id": uuid4()}

    of_alice, of_nobody = (send(client, method, path_of(name, each)) for each in (here, nothing))

    assert of_alice.status_code in (404, 405)
    assert text_of(of_alice) == text_of(of_nobody)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", METHODS)
def test_a_role_opens_what_it_has_the_right_to_and_nothing_else(
    workspace: Workspace, values: dict[str, Any], role: Role, name: str, method: str
) -> None:
    member = make_member(workspace, "member@example.com", role)
    own = make_gateway_key(workspace, name="own", owner=member).key.pk
    record(make_record(workspace, at=timezone.now(), request_id="own-request", gateway_key=own))
    values |= {"gateway_key": own, "request_id": "own-request"}

    answer = send(signed_in(member), method, path_of(name, values))

    allowed = RIGHT_OF_PAGE[name] in RIGHTS_OF[role]
    assert answer.status_code in ({200, 302, 405, 422} if allowed else {403, 405})


@pytest.mark.parametrize("name", PAGES)
def test_every_page_takes_at_least_one_method_from_an_owner(alice: User, values: dict[str, Any], name: str) -> None:
    path = path_of(name, values)

    statuses = {send(signed_in(alice), method, path).status_code for method in METHODS}

    assert statuses & {200, 302}


@pytest.mark.parametrize("name", sorted(SIGNED_IN))
def test_ones_own_pages_want_a_session(client: Client, db: None, name: str) -> None:
    assert client.get(reverse(name)).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", sorted(PUBLIC - {"setup"}))
def test_the_way_in_is_open(client: Client, db: None, name: str) -> None:
    assert client.get(reverse(name)).status_code in (200, 302)


def test_a_set_up_link_is_open_to_whoever_has_it(client: Client, db: None) -> None:
    link = setup_link()

    assert link is not None
    assert client.get("/" + link.split("/", 3)[3]).status_code == 200


@pytest.mark.parametrize("name", [name for name in REST if name not in OPEN_REST])
@pytest.mark.parametrize("method", METHODS)
def test_a_session_opens_nothing_of_the_rest_api(alice: User, name: str, method: str) -> None:
    path = reverse(name, kwargs={converter: _any_value(converter) for converter in ADDRESSES[name]})

    assert send(signed_in(alice), method, path).status_code in (401, 404, 405)


def _any_value(converter: str) -> UUID | int | str:
    return {"number": 1, "rest": "nothing"}.get(converter) or uuid4()
