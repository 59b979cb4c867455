"""A new user's first five minutes, walked in a browser on real parts: from the set-up link to exact numbers."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

pytestmark = pytest.mark.browser


def test_try(page: Page, product: Product) -> None:
    page.goto(product.url + product.setup_path)
    expect(page.get_by_label("Time zone")).to_have_value(re.compile("Asia/Kath?mandu"))
