"""Provider keys in a browser: what typing, refusing, closing and rotating do to a dialog."""

import pytest
from playwright.sync_api import Page, expect

from keys.models import KeyVersion, ProviderKey
from tests.browser.conftest import Product
from tests.factories import PLAINTEXT, make_provider_key

pytestmark = pytest.mark.browser

ADMIN_KEY = "sk-ant-admin01-0123456789012345678901"


@pytest.fixture
def byok(page: Page, product: Product) -> Page:
    """The page of provider keys, where there are none yet, opened by the owner."""
    ProviderKey.objects.all().delete()
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/byok/")
    return page


@pytest.fixture
def form(byok: Page) -> Page:
    """The dialog in which an Anthropic key is typed."""
    byok.get_by_role("link", name="Configure Anthropic").click()
    byok.get_by_role("link", name="Setup your own API Key").click()
    return byok


def save(page: Page, *, name: str, secret: str, button: str = "Save") -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_label("API key").fill(secret)
    page.get_by_role("button", name=button).click()


def test_a_refused_secret_stays_typed_with_all_else(form: Page) -> None:
    save(form, name="Anthropic Production", secret=ADMIN_KEY)

    expect(form.get_by_text("This is an Anthropic Admin key")).to_be_visible()
    expect(form.get_by_role("dialog").get_by_label("API key")).to_have_value(ADMIN_KEY)
    expect(form.get_by_label("Name")).to_have_value("Anthropic Production")
    assert ADMIN_KEY not in form.content()


def test_an_error_goes_when_it_is_mended(form: Page, product: Product) -> None:
    save(form, name="", secret=PLAINTEXT)
    expect(form.get_by_text("This field is required.")).to_be_visible()

    save(form, name="Anthropic Production", secret=ADMIN_KEY)

    expect(form.get_by_text("This is an Anthropic Admin key")).to_be_visible()
    expect(form.get_by_text("This field is required.")).to_be_hidden()


def test_an_error_among_the_advanced_fields_unfolds_them(form: Page) -> None:
    form.get_by_text("Advanced").click()
    form.get_by_label("Base URL").fill("https://not-allowed.test")
    form.get_by_text("Advanced").click()

    save(form, name="Anthropic Production", secret=PLAINTEXT)

    expect(form.get_by_text("is not allowed.")).to_be_visible()


def test_the_same_secret_is_warned_of_and_can_be_saved_anyway(form: Page, product: Product) -> None:
    make_provider_key(product.workspace, name="The first")
    save(form, name="The second", secret=PLAINTEXT)
    expect(form.get_by_text("This very secret is stored already: The first, version 1.")).to_be_visible()

    form.get_by_role("button", name="Save anyway").click()

    expect(form.get_by_role("heading", name="The second")).to_be_visible()
    assert ProviderKey.objects.count() == 2


def test_a_closed_dialog_keeps_nothing_of_what_was_typed(form: Page) -> None:
    form.get_by_role("dialog").get_by_label("API key").fill(PLAINTEXT)

    form.keyboard.press("Escape")

    expect(form.locator("#dialog-body")).to_be_empty()


def test_a_dialog_opens_again_after_it_was_closed(form: Page) -> None:
    form.get_by_role("button", name="Close").click()
    expect(form.get_by_role("dialog")).to_be_hidden()

    form.get_by_role("link", name="Configure Anthropic").click()

    expect(form.get_by_role("heading", name="Configure Anthropic")).to_be_visible()


def test_the_keyboard_alone_opens_and_leaves_a_dialog(byok: Page) -> None:
    byok.get_by_role("link", name="Configure Anthropic").focus()
    byok.keyboard.press("Enter")
    expect(byok.get_by_role("dialog")).to_be_visible()

    byok.keyboard.press("Escape")

    expect(byok.get_by_role("link", name="Configure Anthropic")).to_be_focused()


def test_a_key_is_rotated_and_switched_back(byok: Page, product: Product) -> None:
    key = make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    byok.goto(f"{product.url}{key.get_absolute_url()}")

    byok.get_by_role("link", name="Rotate").click()
    byok.get_by_label("API key").fill("sk-ant-sim-acme-the-next")
    byok.get_by_role("button", name="Save and check").click()
    draft = byok.locator("#version-2")
    expect(draft.get_by_text("Working")).to_be_visible()
    draft.get_by_role("link", name="Switch").click()
    byok.get_by_role("dialog").get_by_label("1 hour").check()
    byok.get_by_role("dialog").get_by_role("button", name="Switch").click()
    expect(byok.locator("#version-1").get_by_text("Old, fallback until")).to_be_visible()
    expect(draft.get_by_text("In use")).to_be_visible()

    byok.get_by_role("button", name="Switch back").click()

    expect(byok.locator("#version-1").get_by_text("In use")).to_be_visible()
    assert KeyVersion.objects.get(number=2).state == "draining"


def test_a_test_message_is_told_without_reloading(byok: Page, product: Product) -> None:
    key = make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    byok.goto(f"{product.url}{key.get_absolute_url()}")
    byok.evaluate("document.body.dataset.sameDocument = 'yes'")

    byok.get_by_role("button", name="Send test message, under a cent").click()

    expect(byok.locator("#checks").get_by_text("answered in")).to_be_visible()
    assert byok.evaluate("document.body.dataset.sameDocument") == "yes"


def test_a_deleted_key_is_gone_from_the_list(byok: Page, product: Product) -> None:
    key = make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    byok.goto(f"{product.url}{key.get_absolute_url()}")
    expect(byok.locator("#checks").get_by_text("Working")).to_be_visible()

    byok.get_by_role("link", name="Delete").click()
    byok.get_by_label("to delete it").fill("Production")
    byok.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(byok.get_by_text("“Production” is deleted. Its usage stays.")).to_be_visible()
    expect(byok.get_by_role("link", name="Production")).to_be_hidden()
