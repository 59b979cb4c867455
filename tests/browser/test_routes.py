"""Routes in a browser: models moved about without losing what was typed, by mouse and by keyboard; and one called."""

import pytest
from playwright.sync_api import Locator, Page, expect

from catalog.models import Route
from tests.browser.conftest import Product
from tests.factories import make_gateway_key, make_provider_key

pytestmark = pytest.mark.browser

SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
NEWEST = "anthropic/claude-opus-4-8"


@pytest.fixture
def routes(page: Page, product: Product) -> Page:
    """The page of routes, where there are none yet, opened by the owner."""
    Route.objects.all().delete()
    product.sign_in(page)
    page.goto(f"{product.url}/w/default/routes/")
    return page


@pytest.fixture
def form(routes: Page) -> Page:
    """The dialog in which a route is made, with a name typed and two models typed."""
    routes.get_by_role("link", name="Create route").click()
    routes.get_by_label("Name").fill("support")
    model(routes, 1).fill(SONNET)
    model(routes, 2).fill(OPUS)
    return routes


def model(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Model {number}", exact=True)


def test_a_route_is_made_and_says_how_to_call_it(form: Page) -> None:
    form.get_by_role("dialog").get_by_role("button", name="Create route", exact=True).last.click()

    expect(form.get_by_text("Call it as the model “route/support”.")).to_be_visible()
    expect(form.get_by_role("row", name="route/support")).to_contain_text(SONNET)
    form.get_by_role("link", name="Call").click()
    expect(form.locator("#route-model")).to_have_text("route/support")


def test_models_are_added_moved_and_removed_and_what_was_typed_stays(form: Page) -> None:
    form.get_by_role("button", name="Add a model").click()
    expect(model(form, 3)).to_be_focused()
    model(form, 3).fill(NEWEST)

    form.get_by_role("button", name="Move model 3 up").click()
    expect(model(form, 2)).to_have_value(NEWEST)
    form.get_by_role("button", name="Remove model 1").click()

    expect(model(form, 3)).to_have_count(0)
    expect(model(form, 1)).to_have_value(NEWEST)
    expect(model(form, 2)).to_have_value(OPUS)
    expect(form.get_by_label("Name")).to_have_value("support")
    assert not Route.objects.exists()


def test_the_keyboard_stays_with_the_model_that_it_moves(form: Page) -> None:
    form.get_by_role("button", name="Add a model").click()
    expect(model(form, 3)).to_be_focused()
    form.get_by_role("button", name="Move model 1 down").focus()

    form.keyboard.press("Enter")
    expect(form.get_by_role("button", name="Move model 2 down")).to_be_focused()
    form.keyboard.press("Enter")

    # At the end there is only the way back.
    expect(form.get_by_role("button", name="Move model 3 up")).to_be_focused()
    expect(model(form, 3)).to_have_value(SONNET)


def test_enter_in_a_field_saves_and_moves_nothing(form: Page) -> None:
    form.get_by_label("Name").press("Enter")

    expect(form.get_by_text("Call it as the model")).to_be_visible()
    assert [target.model_string for target in Route.objects.get().targets.all()] == [SONNET, OPUS]


def test_weights_are_asked_for_only_where_they_count(form: Page) -> None:
    weight = form.get_by_label("Weight of model 1")
    expect(weight).to_be_hidden()

    form.get_by_label("By weight").check()

    expect(weight).to_be_visible()


def test_an_error_stands_beside_its_row_and_nothing_typed_is_lost(form: Page) -> None:
    model(form, 2).fill(SONNET)

    form.get_by_role("button", name="Create route", exact=True).last.click()

    expect(form.get_by_text(f"{SONNET} is there already.")).to_be_visible()
    expect(model(form, 2)).to_have_value(SONNET)
    expect(form.get_by_label("Name")).to_have_value("support")


def test_a_new_route_answers_within_a_second(form: Page, product: Product) -> None:
    make_provider_key(product.workspace, plaintext="sk-ant-sim-acme", base_url=product.simulator_origin)
    token = make_gateway_key(product.workspace).token.text
    form.get_by_label("Name").press("Enter")
    expect(form.get_by_text("Call it as the model")).to_be_visible()

    form.wait_for_timeout(1000)
    answer = form.request.post(
        f"{product.url}/v3/router/chat/completions",
        headers={"Authorization": f"Bearer {token}"},
        data={"model": "route/support", "messages": [{"role": "user", "content": "Hello"}]},
    )

    assert answer.json()["model"] == SONNET
