"""Trying a key on its page: what one click sends, and a page that asks for news meanwhile."""

import pytest
from playwright.sync_api import Page, Route, expect

from keys.models import ProviderKey, TestCall
from tests.browser.conftest import Product
from tests.factories import make_provider_key

pytestmark = pytest.mark.browser

MESSAGE = "Send test message, under a cent"


@pytest.fixture
def key(page: Page, product: Product) -> ProviderKey:
    """A provider key, whose page the owner opened."""
    ProviderKey.objects.all().delete()
    key = make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    product.sign_in(page)
    page.goto(f"{product.url}{key.get_absolute_url()}")
    return key


def test_a_double_click_sends_one_message(page: Page, key: ProviderKey) -> None:
    page.get_by_role("button", name=MESSAGE).dblclick(delay=50)

    expect(page.locator("#checks tbody tr", has_text="Message to").get_by_text("Working")).to_be_visible()
    assert TestCall.objects.filter(version__provider_key=key, kind=TestCall.Kind.MESSAGE).count() == 1


def test_a_click_comes_between_the_news_that_the_page_asks_for(page: Page, key: ProviderKey) -> None:
    # As long as a check is under way the page asks how it goes; nobody runs this one.
    TestCall.objects.create(version=key.versions.get(), kind=TestCall.Kind.CHECK)
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held or "hx-request" not in route.request.headers:
            route.continue_()
        else:
            held.append(route)

    page.route(f"**{key.get_absolute_url()}", hold_the_first)
    with page.expect_request(lambda request: "hx-request" in request.headers):
        page.reload()
    page.get_by_role("button", name=MESSAGE).click()
    held[0].continue_()

    expect(page.locator("#checks tbody tr", has_text="Message to").get_by_text("Working")).to_be_visible()
