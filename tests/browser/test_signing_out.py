"""Signing out by the button in the menu, as people do."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

pytestmark = pytest.mark.browser


def test_the_button_in_the_menu_signs_out(page: Page, product: Product) -> None:
    product.sign_in(page)
    page.goto(f"{product.url}/account/")

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{product.url}/account/")
    expect(page.get_by_role("heading", name="Account")).to_be_hidden()
