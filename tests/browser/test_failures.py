"""What a click could not do is said where it is seen, without a reload."""

import pytest
from playwright.sync_api import Page, expect

from keys.models import ProviderKey
from tests.browser.conftest import Product
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.exchanges import keep
from tests.usage.samples import make_record, record
from usage.models import StoredExchange
from usage.prompt_storage import set_prompt_storage

pytestmark = pytest.mark.browser


@pytest.fixture
def key(page: Page, product: Product) -> ProviderKey:
    """A provider key, whose page the owner opened."""
    ProviderKey.objects.all().delete()
    key = make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    product.sign_in(page)
    page.goto(f"{product.url}{key.get_absolute_url()}")
    return key


def test_a_test_message_that_cannot_be_sent_says_so(page: Page, key: ProviderKey) -> None:
    page.locator("select[name=model] option:checked").evaluate("option => { option.value = 'nothing' }")

    page.get_by_role("button", name="Send test message, under a cent").click()

    expect(page.get_by_text("Choose a model of this provider for the test message.")).to_be_visible()


def test_a_prompt_that_was_deleted_meanwhile_says_so(page: Page, product: Product) -> None:
    set_prompt_storage(product.workspace, store=True, retention_days=7, actor=None)
    gateway_key = make_gateway_key(product.workspace).key.pk
    record(make_record(product.workspace, request_id="deleted", gateway_key=gateway_key))
    keep(product.workspace, request_id="deleted", gateway_key=gateway_key)
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/requests/deleted/")
    StoredExchange.objects.all().delete()

    page.get_by_role("button", name="Show prompt and answer").click()

    expect(page.get_by_text("Nothing of this request is stored that you may read.")).to_be_visible()


def test_a_failure_in_a_dialog_is_said_in_it(page: Page, key: ProviderKey) -> None:
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    key.delete()

    page.get_by_role("dialog").get_by_role("button", name="Save").click()

    failure = page.get_by_role("dialog").get_by_role("alert").get_by_text("The server answered 404.")
    expect(failure).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.get_by_text("The server answered 404.")).to_have_count(0)


def test_a_failure_on_the_page_is_said_on_the_page(page: Page, key: ProviderKey) -> None:
    key.delete()

    page.get_by_role("button", name="Check, free").click()

    expect(page.locator("#failure")).to_contain_text("The server answered 404.")


def test_without_an_answer_nobody_says_that_nothing_was_saved(page: Page, key: ProviderKey) -> None:
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.context.set_offline(True)

    page.get_by_role("dialog").get_by_role("button", name="Save").click()

    told = "The server does not answer. Reload to see whether it was saved."
    expect(page.get_by_role("dialog").get_by_text(told)).to_be_visible()
