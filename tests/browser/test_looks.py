"""Every page in light and dark, wide and narrow: axe finds nothing to complain of, and nothing sticks out."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page

from catalog.routes import RouteSpec, TargetSpec, create_route
from keys.services import add_version
from providers.secret import Secret
from teams.models import Role
from teams.projects import create_project
from teams.services import KeyScope
from tests.browser.conftest import Product
from tests.factories import make_gateway_key, make_member, make_provider_key
from tests.usage.samples import make_record, record

pytestmark = pytest.mark.browser

OWNER = "owner@example.com"


@pytest.fixture(scope="module")
def paths(product: Product) -> dict[str, str]:
    """What the pages are called, and their paths; there is something on each."""
    workspace = product.workspace
    owner = make_member(workspace, OWNER, Role.OWNER)
    key = make_provider_key(workspace, base_url=product.simulator_origin)
    add_version(key, secret=Secret("sk-ant-sim-acme-the-next"), actor=owner)
    project = create_project(workspace, name="Help centre", allowed_regions=["eu", "us-east-1"], actor=owner)
    scope = KeyScope(project, ["eu"], ["anthropic/*", "route/support"])
    gateway_key = make_gateway_key(workspace, owner=owner, scope=scope).key
    targets = [TargetSpec("anthropic/claude-sonnet-4-6", 3), TargetSpec("aws/anthropic/claude-sonnet-4-6")]
    route = create_route(workspace, RouteSpec("support", targets, "weighted", allowed_regions=["eu"]), actor=owner)
    now = timezone.now()
    for hours in range(3):
        at = now - timedelta(hours=hours)
        record(
            make_record(workspace, at=at, provider_key=key.pk, gateway_key=gateway_key.pk, request_id=f"request{hours}")
        )
    here = "/w/default"
    return {
        "overview": f"{here}/overview/",
        "provider keys": f"{here}/byok/",
        "configure": f"{here}/byok/new/anthropic/",
        "new provider key": f"{here}/byok/new/anthropic/own/",
        "provider key": f"{here}/byok/{key.pk}/",
        "edit": f"{here}/byok/{key.pk}/edit/",
        "switch": f"{here}/byok/{key.pk}/versions/2/switch/",
        "delete": f"{here}/byok/{key.pk}/delete/",
        "gateway keys": f"{here}/api-keys/",
        "new gateway key": f"{here}/api-keys/new/",
        "edit gateway key": f"{here}/api-keys/{gateway_key.pk}/edit/",
        "models": f"{here}/models/",
        "model": f"{here}/models/claude-sonnet-4-6/",
        "routes": f"{here}/routes/",
        "new route": f"{here}/routes/new/",
        "edit route": f"{here}/routes/{route.pk}/edit/",
        "call route": f"{here}/routes/{route.pk}/call/",
        "delete route": f"{here}/routes/{route.pk}/delete/",
        "projects": f"{here}/projects/",
        "new project": f"{here}/projects/new/",
        "archive project": f"{here}/projects/{project.pk}/archive/",
        "usage": f"{here}/usage/",
        "requests": f"{here}/requests/",
        "request": f"{here}/requests/request0/",
        "reports": f"{here}/reports/",
        "month": f"{here}/reports/{now.year}/{now.month}/",
        "settings": f"{here}/settings/",
        "rules for calls": f"{here}/settings/calls/",
        "prompts and answers": f"{here}/settings/prompts/",
        "delete stored prompts": f"{here}/settings/prompts/delete/",
        "account": "/account/",
        "password": "/accounts/password/change/",
        "not there": f"{here}/nothing/",
    }


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_every_page_can_be_read_by_everybody(page: Page, product: Product, paths: dict[str, str], scheme: str) -> None:
    product.sign_in(page, OWNER)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    complaints = {name: found for name, path in paths.items() if (found := complaints_about(page, product.url + path))}

    assert complaints == {}


@pytest.mark.parametrize("width", [375, pytest.param(768, marks=pytest.mark.slow), 1440])
def test_no_page_is_wider_than_its_window(page: Page, product: Product, paths: dict[str, str], width: int) -> None:
    product.sign_in(page, OWNER)
    page.set_viewport_size({"width": width, "height": 800})

    too_wide = {name: excess for name, path in paths.items() if (excess := excess_of(page, product.url + path)) > 0}

    assert too_wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_way_in_can_be_read_by_everybody_and_fits_a_phone(page: Page, product: Product, scheme: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    for path in (product.setup_path, "/accounts/login/", "/accounts/signup/"):
        assert complaints_about(page, product.url + path) == []
        assert excess_of(page, product.url + path) <= 0


def complaints_about(page: Page, url: str) -> list[str]:
    """Return what axe finds on a page: the rule, and the first element that breaks it."""
    page.goto(url)
    violations = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in violations]


def excess_of(page: Page, url: str) -> int:
    """Return by how many pixels a page is wider than its window."""
    page.goto(url)
    excess: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return excess
