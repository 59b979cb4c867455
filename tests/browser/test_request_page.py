"""A request's page in a browser: it follows what is in flight, and shows what was said only to who asks for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from providers.base import TokenCounts
from teams.models import AuditEvent, Role
from tests.browser.conftest import Product
from tests.browser.test_looks import complaints_about, excess_of
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.exchanges import keep
from tests.usage.samples import make_record, record
from usage.prompt_storage import set_prompt_storage
from usage.records import AttemptRecord, uuid7

pytestmark = pytest.mark.browser

OWNER = "owner@example.com"
REFUSED: dict[str, Any] = {
    "status": 529,
    "error_code": "provider_overloaded",
    "final": False,
    "counts": TokenCounts(),
    "ttft_ms": None,
    "connect_ms": 38,
    "first_byte_ms": 210,
    "latency_ms": 214,
}
SERVED = {"connect_ms": 0, "first_byte_ms": 340, "ttft_ms": 520, "latency_ms": 2900}
STREAM = b"".join(
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}\n\n'
    % part
    for part in (b"The cache ", b"holds for ", b"five minutes.")
)


@pytest.fixture(scope="module")
def request_ids(product: Product) -> dict[str, str]:
    """A request that was retried and fell back, one in flight, and one whose prompt is stored, by what they are."""
    workspace = set_prompt_storage(product.workspace, store=True, retention_days=7, actor=None)
    keys = {
        "gateway_key": make_gateway_key(workspace, name="Support bot, production").key.pk,
        "provider_key": make_provider_key(workspace, name="Anthropic Production").pk,
    }
    spare = {**keys, "provider_key": make_provider_key(workspace, name="Anthropic Spare").pk}
    at = timezone.now() - timedelta(minutes=2)
    times = [at, at + timedelta(milliseconds=900), at + timedelta(milliseconds=1500)]
    record(
        make_record(workspace, at=times[0], request_id="retried", queue_ms=4, settled=REFUSED, **keys),
        make_record(workspace, at=times[1], request_id="retried", attempt=2, queue_ms=904, settled=REFUSED, **keys),
        make_record(
            workspace,
            at=times[2],
            request_id="retried",
            attempt=3,
            queue_ms=1504,
            stream=True,
            region="eu-central-1",
            settled=SERVED,
            **spare,
        ),
        make_record(workspace, at=at, request_id="stored", queue_ms=2, settled=SERVED, **keys),
    )
    asked = (
        b'{"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": "How long does the cache hold?"}]}'
    )
    keep(workspace, request_id="stored", gateway_key=keys["gateway_key"], asked=asked, answered=STREAM)
    return {"retried": "retried", "stored": "stored"}


def path_of(product: Product, request_id: str) -> str:
    return f"{product.url}/w/default/requests/{request_id}/"


def test_page_follows_a_request_until_it_is_over(page: Page, product: Product) -> None:
    product.sign_in(page, OWNER)
    whole = make_record(product.workspace, at=timezone.now(), request_id="in-flight", queue_ms=3)
    record(AttemptRecord(whole.opened))
    page.goto(path_of(product, "in-flight"))
    expect(page.get_by_text("In flight").first).to_be_visible()

    record(whole)

    expect(page.get_by_text("It answered the request.")).to_be_visible()
    expect(page.get_by_text("$0.00228").first).to_be_visible()
    # It asks on for a moment, and then rests.
    expect(page.get_by_text("This page follows it.")).to_have_count(0)
    assert page.locator("[hx-trigger]#request").count() == 0


def test_page_waits_for_a_request_that_is_not_counted_yet(page: Page, product: Product) -> None:
    product.sign_in(page, OWNER)
    request_id = uuid7().hex
    page.goto(path_of(product, request_id))
    expect(page.get_by_text("Waiting for it to be counted…")).to_be_visible()

    record(make_record(product.workspace, at=timezone.now(), request_id=request_id))

    expect(page.get_by_text("It answered the request.")).to_be_visible()


def test_page_that_waited_in_vain_is_not_there(page: Page, product: Product) -> None:
    product.sign_in(page, OWNER)
    page.goto(path_of(product, uuid7().hex))

    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible(timeout=10_000)


def follow(page: Page, product: Product, request_id: str) -> AttemptRecord:
    """Open the page of a request in flight, and return how it will have ended."""
    product.sign_in(page, OWNER)
    gateway_key = make_gateway_key(product.workspace, name=request_id).key.pk
    whole = make_record(product.workspace, at=timezone.now(), request_id=request_id, gateway_key=gateway_key)
    record(AttemptRecord(whole.opened))
    page.goto(path_of(product, request_id))
    return whole


def test_keyboard_stays_where_it_is_on_a_page_that_follows(page: Page, product: Product) -> None:
    follow(page, product, "focused")
    copy = page.get_by_role("button", name="Copy")
    copy.focus()
    before = copy.element_handle()

    page.wait_for_function("button => !button.isConnected", arg=before)

    expect(copy).to_be_focused()


def test_prompt_appears_on_a_page_that_follows_and_what_was_opened_stays(page: Page, product: Product) -> None:
    whole = follow(page, product, "followed")
    set_prompt_storage(product.workspace, store=True, retention_days=7, actor=None)
    keep(product.workspace, request_id="followed", gateway_key=whole.opened.gateway_key)

    page.get_by_role("button", name="Show prompt and answer").click()

    expect(page.get_by_text("a question")).to_be_visible()
    record(whole)
    expect(page.get_by_text("It answered the request.")).to_be_visible()
    expect(page.get_by_text("a question")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_request_can_be_read_by_everybody(
    page: Page, product: Product, request_ids: dict[str, str], width: int, scheme: str
) -> None:
    product.sign_in(page, OWNER)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    for request_id in request_ids.values():
        assert complaints_about(page, path_of(product, request_id)) == []
        assert excess_of(page, path_of(product, request_id)) <= 0


def test_list_of_requests_needs_no_sideways_scroll_on_a_phone(
    page: Page, product: Product, request_ids: dict[str, str]
) -> None:
    product.sign_in(page, OWNER)
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{product.url}/w/default/requests/")

    scroller = page.locator(".table-scroll").first

    assert scroller.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    assert complaints_about(page, f"{product.url}/w/default/requests/") == []


def test_prompt_is_shown_in_place_and_the_look_is_audited(
    page: Page, product: Product, request_ids: dict[str, str]
) -> None:
    user = product.sign_in(page, OWNER, Role.OWNER)
    looks = AuditEvent.objects.filter(action="prompt.read", actor=user.email)
    looked = looks.count()
    page.goto(path_of(product, "stored"))

    page.get_by_role("button", name="Show prompt and answer").click()

    expect(page.get_by_text("How long does the cache hold?")).to_be_visible()
    expect(page.get_by_text("The cache holds for five minutes.", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="1 attempt")).to_be_visible()
    assert looks.count() == looked + 1
