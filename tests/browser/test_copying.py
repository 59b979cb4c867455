"""Copying where the browser gives no clipboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

pytestmark = pytest.mark.browser

REFUSED = "void (navigator.clipboard.writeText = () => Promise.reject(new DOMException('', 'NotAllowedError')))"
ABSENT = "void Object.defineProperty(navigator, 'clipboard', { value: undefined })"


@pytest.mark.parametrize("clipboard", [REFUSED, ABSENT])
def test_without_a_clipboard_the_text_is_selected(page: Page, product: Product, clipboard: str) -> None:
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/api-keys/new/")
    page.get_by_label("Name").fill(f"Key {len(clipboard)}")
    page.get_by_role("button", name="Create API Key").click()
    token = page.locator("#gateway-key").inner_text()
    page.evaluate(clipboard)

    page.get_by_role("button", name="Copy").first.click()

    expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert page.evaluate("getSelection().toString().trim()") == token


def test_a_link_that_was_hidden_is_shown_to_be_copied(page: Page, product: Product) -> None:
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/usage/")
    page.evaluate(REFUSED)

    page.get_by_role("button", name="Copy link").click()

    expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert page.evaluate("getSelection().toString().trim()") == page.locator("#page-link").inner_text()
