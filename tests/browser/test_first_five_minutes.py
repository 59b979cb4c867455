"""A new user's first five minutes, walked in a browser on real parts: from the set-up link to exact numbers."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import anthropic
import openai
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product
from tests.factories import PASSWORD
from tests.gateway import counts_in_chat, counts_in_message, counts_in_response

pytestmark = pytest.mark.browser

SECRET = "sk-ant-sim-acme"
MODEL = "anthropic/claude-sonnet-4-6"
# Dollars per million tokens, from Anthropic's price list.
RATES = {
    "uncached_input_tokens": Decimal("3"),
    "cache_read_input_tokens": Decimal("0.3"),
    "cache_write_5m_input_tokens": Decimal("3.75"),
    "cache_write_1h_input_tokens": Decimal("6"),
    "output_tokens": Decimal("15"),
}
# Longer than the smallest prompt that Sonnet caches.
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 400


class Tally:
    """What the answers themselves said they used."""

    def __init__(self) -> None:
        self.requests = 0
        self.counts: Counter[str] = Counter()

    def add(self, counts: Mapping[str, int | None]) -> None:
        assert None not in counts.values()
        self.requests += 1
        self.counts.update({name: count or 0 for name, count in counts.items()})

    @property
    def cost_usd(self) -> Decimal:
        return sum((self.counts[name] * rate for name, rate in RATES.items()), Decimal(0)) / 1_000_000


def test_from_the_set_up_link_to_exact_numbers(page: Page, product: Product) -> None:
    set_up(page, product)
    connect_anthropic(page, product)
    token = create_gateway_key(page, product)

    tally = Tally()
    send_it_for_me(page, tally)
    call_with_openai(product, token, tally)
    call_with_anthropic(product, token, tally)

    expect_on_overview(page, tally)


def set_up(page: Page, product: Product) -> None:
    page.goto(product.url + product.setup_path)
    # Chromium calls the zone by its older name.
    expect(page.get_by_label("Time zone")).to_have_value(re.compile("Asia/Kath?mandu"))
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Workspace name").fill("Analytical Engines")
    page.get_by_role("button", name="Create workspace").click()
    expect(page.get_by_role("heading", name="No requests yet")).to_be_visible()
    expect(page.get_by_text("Three steps to your first number")).to_be_visible()
    expect(page.get_by_role("link", name="Connect Anthropic")).to_be_visible()
    expect(page.get_by_role("link", name="Try with simulated Anthropic")).to_be_visible()


def connect_anthropic(page: Page, product: Product) -> None:
    """The seven steps of the provider's page; the simulator stands where Anthropic would."""
    page.get_by_role("link", name="BYOK").click()
    anthropic_card = page.get_by_role("region", name="Anthropic (anthropic/)")
    anthropic_card.get_by_role("link", name="Configure Anthropic").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="Setup your own API Key").click()
    dialog.get_by_label("Name").fill("Anthropic Production")
    dialog.get_by_label("API key").fill(SECRET)
    dialog.get_by_text("Advanced").click()
    dialog.get_by_label("Base URL").fill(product.simulator_origin)
    dialog.get_by_role("button", name="Save").click()
    sentence = "Your Anthropic API key is now configured and ready to use through the AI Gateway. Checked in"
    expect(dialog.get_by_text(sentence)).to_have_text(re.compile(r"Checked in \d+ ms\."))
    expect(anthropic_card.get_by_text("Working")).to_be_visible()


def create_gateway_key(page: Page, product: Product) -> str:
    page.get_by_role("link", name="Next: Create API Key").click()
    page.get_by_label("Name").fill("Support bot")
    page.get_by_role("button", name="Create API Key").click()
    token = page.locator("#gateway-key").inner_text()
    page.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == token
    expect(page.locator("#export-line")).to_have_text(f"export ORQ_API_KEY={token}")
    for tab in ("Python", "JavaScript", "Claude Code", "curl"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tabpanel")).to_contain_text(product.url)
    expect(page.get_by_text("Waiting for your first request…")).to_be_visible()
    return token


def send_it_for_me(page: Page, tally: Tally) -> None:
    with page.expect_response("**/v3/router/responses") as sent:
        page.get_by_role("button", name="Send it for me").click()
    shown = page.locator("#code-curl").inner_text().partition("-d '")[2].removesuffix("'")
    assert sent.value.request.post_data_json == json.loads(shown)
    usage = sent.value.json()["usage"]
    tally.add(counts_in_response(usage))
    assert Decimal(str(usage["total_cost"])) == tally.cost_usd
    line = page.locator("#first-request")
    expect(line).to_have_text(re.compile(rf"^\s*200\s+· {usage['total_tokens']:,} tokens · \$0\.0\d+\s+· see it\s*$"))


def call_with_openai(product: Product, token: str, tally: Tally) -> None:
    cached = {"type": "text", "text": LONG_TEXT, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [cached]}, {"role": "user", "content": "Who jumps?"}]
    with openai.OpenAI(base_url=f"{product.url}/v3/router", api_key=token, max_retries=0) as client:
        for _ in range(2):  # the first writes the cache, the second reads it
            answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=40)  # type: ignore[arg-type]
            tally.add(counts_in_chat(answer.model_dump()["usage"]))
        chunks = client.chat.completions.create(
            model=MODEL,
            messages=messages,  # type: ignore[arg-type]
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
        )
        [usage] = [chunk.usage for chunk in chunks if chunk.usage]
        tally.add(counts_in_chat(usage.model_dump()))
        response = client.responses.create(model=MODEL, input="Say hello.", max_output_tokens=40)
        tally.add(counts_in_response(response.model_dump()["usage"]))
        with client.responses.stream(model=MODEL, input="Say goodbye.") as stream:
            tally.add(counts_in_response(stream.get_final_response().model_dump()["usage"]))


def call_with_anthropic(product: Product, token: str, tally: Tally) -> None:
    system = [
        {"type": "text", "text": LONG_TEXT * 2, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": LONG_TEXT * 3, "cache_control": {"type": "ephemeral"}},
    ]
    options = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 40,
        "system": system,
        "messages": [{"role": "user", "content": "Who is lazy?"}],
    }
    url = f"{product.url}/v3/anthropic"
    with anthropic.Anthropic(base_url=url, auth_token=token, max_retries=0) as client:
        tally.add(counts_in_message(client.messages.create(**options).model_dump()["usage"]))  # type: ignore[call-overload]
        with client.messages.stream(**options) as stream:  # type: ignore[arg-type]
            tally.add(counts_in_message(stream.get_final_message().model_dump()["usage"]))


def expect_on_overview(page: Page, tally: Tally) -> None:
    # Otherwise the test would not show what it says: each class was used.
    assert all(tally.counts[name] for name in RATES)
    page.get_by_role("link", name="Overview").click()
    # What is still in the outbox is counted within moments; the page shows what is when it is loaded.
    for _ in range(40):
        if figure(page, "Requests") == str(tally.requests):
            break
        page.wait_for_timeout(250)
        page.reload()
    counts = tally.counts
    shown = {
        "Requests": tally.requests,
        "Input, total": sum(counts.values()) - counts["output_tokens"],
        "Output": counts["output_tokens"],
        "Cache read": counts["cache_read_input_tokens"],
        "Cache write, 5 m": counts["cache_write_5m_input_tokens"],
        "Cache write, 1 h": counts["cache_write_1h_input_tokens"],
    }
    assert {name: figure(page, name) for name in shown} == {name: f"{count:,}" for name, count in shown.items()}
    assert figure_box(page, "Cost").get_attribute("title") == f"${tally.cost_usd.normalize():f}"


def figure_box(page: Page, label: str):  # type: ignore[no-untyped-def]  # Playwright's Locator
    return page.locator(".figure").filter(has=page.get_by_text(label, exact=True)).locator("dd")


def figure(page: Page, label: str) -> str:
    """Return a figure of Overview without its small print."""
    text: str = figure_box(page, label).evaluate("box => box.firstChild.textContent")
    return text.strip()
