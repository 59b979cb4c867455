"""The pages of the catalog: what they show to whom, and how they narrow it."""

import json
import re
import shlex
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.asserts import assertContains

from catalog.models import Model, Offering, Price
from catalog.providers import PROVIDERS
from catalog.services import sync_catalog
from keys.models import KeyVersion, TestCall
from keys.services import TestResult, finish_test_call, note_set_aside
from providers.base import Outcome
from teams.models import Role, User, Workspace
from tests.factories import PLAINTEXT, make_member, make_provider_key

LIST = "/w/acme/models/"
SONNET = f"{LIST}claude-sonnet-4-6/"


@pytest.fixture(autouse=True)
def catalog(db: None) -> None:
    sync_catalog()


@pytest.fixture
def page(client: Client, bob: User):
    """Return a function that gets a page as bob and gives its text."""
    client.force_login(bob)

    def get(path: str, **parameters: str) -> str:
        response = client.get(path, parameters)
        assert response.status_code == 200
        return unescape(response.content.decode())

    return get


def listed(html: str) -> list[str]:
    """Return the slugs of the models in the table, in order."""
    return re.findall(r'<a href="/w/acme/models/([^/]+)/">', html)


def test_a_models_page_says_where_it_enforces_no_schema(page):
    assert "<dd>Yes; not at AWS Bedrock</dd>" in page(f"{LIST}claude-opus-4-8/")
    assert "not at" not in page(SONNET)


def test_all_models_are_listed_the_newest_first(page):
    slugs = listed(page(LIST))

    assert sorted(slugs) == sorted(Model.objects.values_list("slug", flat=True))
    days = dict(Model.objects.exclude(released_on=None).values_list("slug", "released_on"))
    known = [days[slug] for slug in slugs if slug in days]
    assert known == sorted(known, reverse=True)


def test_a_model_whose_day_nobody_published_stands_behind_the_one_before_it_in_the_catalog(page):
    slugs = listed(page(LIST))

    assert slugs.index("claude-opus-5-5") + 1 == slugs.index("claude-sonnet-5-5")


def test_a_row_tells_strengths_use_context_and_five_prices(page):
    html = page(LIST, q="claude-sonnet-4-6")

    for text in ("Best balance", "Most tasks, coding", ">1M<", ">128K<", "$3.00", "$0.30", "$3.75", "$6.00", "$15.00"):
        assert text in html


@pytest.mark.parametrize(
    ("parameters", "slugs"),
    [
        ({"q": "sonnet 4.6"}, ["claude-sonnet-4-6"]),
        ({"q": "claude-haiku-4-5"}, ["claude-haiku-4-5-20251001"]),
        ({"q": "extra-high"}, ["claude-opus-4-7"]),
        ({"q": "nothing is called this"}, []),
        ({"q": "opus", "capability": "thinking_enabled", "context": "1000000"}, ["claude-opus-4-6"]),
        ({"q": "claude-2", "capability": "vision"}, []),
        ({"provider": "openai", "q": "o3"}, ["o3", "o3-mini"]),
        ({"connected": "on"}, []),
    ],
)
def test_filters_narrow_the_list(page, parameters, slugs):
    assert listed(page(LIST, **parameters)) == slugs


def test_a_provider_filter_shows_what_that_provider_offers_at_its_prices(page):
    html = page(LIST, provider="google", q="claude-sonnet-5")

    assert listed(html) == ["claude-sonnet-5-5", "claude-sonnet-5"]
    assert '<div class="muted">Google Vertex AI</div>' in html
    assert "Simulated Anthropic" not in html.partition("<tbody>")[2]


def test_works_with_our_keys_means_what_a_key_in_use_can_call(page, workspace: Workspace):
    make_provider_key(workspace)

    html = page(LIST, connected="on")

    retired = Offering.objects.filter(provider="anthropic", retires_on__lte=timezone.now().date())
    offered = Model.objects.filter(offerings__provider="anthropic").exclude(offerings__in=retired)
    assert len(listed(html)) == offered.count()
    assert "<div>Anthropic <span" in html
    assert "AWS Bedrock" not in html.partition("<tbody>")[2]


def test_a_model_outside_the_allowed_regions_is_not_connected(page, workspace: Workspace):
    make_provider_key(workspace)
    workspace.allowed_regions = ["eu"]
    workspace.save()

    html = page(LIST, q="claude-sonnet-4-6")

    assert "outside the allowed regions" in html
    assert "Connected" not in html
    assert listed(page(LIST, connected="on")) == []
    assert "It cannot be called now: outside the allowed regions." in page(SONNET)


def test_a_provider_whose_only_key_fails_is_not_connected(page, workspace: Workspace):
    key = make_provider_key(workspace)
    call = TestCall.objects.get(version__provider_key=key)
    finish_test_call(call, TestResult(Outcome.INVALID_CREDENTIAL, "Refused.", 9))

    html = page(LIST, q="claude-sonnet-4-6")

    assert '<div>Anthropic <span class="badge" data-tone="bad">Key failing</span>' in html
    assert "Connected" not in html
    assert listed(page(LIST, connected="on")) == []
    assert "Key failing" in page(SONNET)


def test_a_key_set_aside_for_every_model_fails(page, workspace: Workspace):
    key = make_provider_key(workspace)
    until = timezone.now() + timedelta(hours=1)
    note_set_aside(key.pk, 1, "claude-opus-4-6", Outcome.NO_PERMISSION, "", until)
    assert "Key failing" not in page(SONNET)

    note_set_aside(key.pk, 1, "", Outcome.NO_CREDIT, "", until)

    assert "Key failing" in page(SONNET)


@pytest.mark.parametrize(
    ("role", "told"),
    [(Role.ADMIN, "See why its key fails</a>"), (Role.DEVELOPER, "An admin can see why under BYOK.")],
)
def test_a_failing_key_leads_to_it_who_may_see_it(client, workspace: Workspace, role: Role, told: str):
    make_provider_key(workspace)
    KeyVersion.objects.update(master_key_id="lost")
    client.force_login(make_member(workspace, "member@example.com", role))

    assertContains(client.get(SONNET), told)


def test_one_key_that_works_is_enough(page, workspace: Workspace):
    failing = make_provider_key(workspace)
    make_provider_key(workspace, name="Other", plaintext=PLAINTEXT + "2")
    call = TestCall.objects.get(version__provider_key=failing)

    finish_test_call(call, TestResult(Outcome.NO_CREDIT, "No credit.", 9))

    assert "Key failing" not in page(SONNET)


def test_a_filter_that_nobody_offers_is_ignored(page):
    assert len(listed(page(LIST, provider="mars", capability="flying", context="-1"))) == Model.objects.count()


def test_nothing_found_offers_to_clear_the_filters(page):
    html = page(LIST, q="nothing is called this")

    assert "No model matches" in html
    assert f'<a class="button" href="{LIST}">Clear filters</a>' in html


def test_without_filters_there_is_nothing_to_clear(page):
    assert "Clear filters" not in page(LIST)


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("name", "claude-2.0", "o4-mini"),
        ("-name", "o4-mini", "claude-2.0"),
        ("uncached_input", "gpt-5-nano", "o1"),
        ("-max_output", "claude-opus-4-8", "claude-mythos-5-2"),
        ("flavour", "claude-fable-5-2", "claude-2.0"),
    ],
)
def test_columns_sort_both_ways_with_the_unknown_last(page, sort, first, last):
    slugs = listed(page(LIST, sort=sort))

    assert (slugs[0], slugs[-1]) == (first, last)


def test_a_heading_sorts_and_turns_round_and_keeps_the_filters(page):
    html = page(LIST, q="opus", sort="output")

    assert 'href="?q=opus&sort=-output"' in html
    assert 'aria-sort="ascending"' in html
    assert '<input type="hidden" name="sort" value="output">' in html


def test_htmx_gets_the_table_alone(client, bob):
    client.force_login(bob)

    response = client.get(LIST, {"q": "sonnet"}, headers={"HX-Request": "true"})

    html = response.content.decode()
    assert "<html" not in html
    assert 'id="models"' in html
    assert "HX-Request" in response.headers["Vary"]


def test_the_number_of_queries_does_not_grow_with_the_models(client, bob, django_assert_max_num_queries):
    client.force_login(bob)

    # Session, user, membership, the sidebar's workspace, three for keys in use, and three for the catalog.
    with django_assert_max_num_queries(10):
        client.get(LIST)
    with django_assert_max_num_queries(10):
        client.get(SONNET)


def test_a_model_page_has_the_model_strings_of_each_provider(page):
    html = page(SONNET)

    for string in (
        "anthropic/claude-sonnet-4-6",
        "aws/anthropic/claude-sonnet-4-6",
        "google/anthropic/claude-sonnet-4-6",
        "simulated/claude-sonnet-4-6",
    ):
        assert re.search(rf'<code id="string-\d+">{re.escape(string)}</code>', html)


def test_prices_stand_side_by_side(page):
    html = page(SONNET)
    table = re.search(r"Cache write, 1 h</th>(.*?)</tr>", html, re.DOTALL).group(1)

    # Anthropic, Bedrock global and elsewhere, Vertex AI global and elsewhere, the simulator.
    assert re.findall(r"\$[\d.]+", table) == ["$6.00", "$6.00", "$6.60", "$6.00", "$6.60", "$6.00"]
    assert "us, eu, jp, au, single regions" in html


def test_a_price_says_since_when_and_from_where(page):
    html = page(SONNET)

    assert 'title="2026-03-13 00:00:00 UTC"' in html
    assert "Source: genai-prices" in html


def test_long_input_has_its_own_prices(page):
    html = page(f"{LIST}claude-haiku-5-5/")

    assert "Above 100K input tokens" in html
    assert "$2.50" in html


def test_an_unknown_rate_is_a_dash_and_never_nothing(page):
    Price.objects.filter(offering__model_string="anthropic/claude-sonnet-4-6").update(cache_write_1h_input=None)

    table = re.search(r"Cache write, 1 h</th>(.*?)</tr>", page(SONNET), re.DOTALL).group(1)

    assert ">–<" in table
    assert "$0.00" not in table


def test_an_offering_without_price_says_so(page):
    Price.objects.filter(offering__model_string="google/anthropic/claude-sonnet-4-6").delete()

    assert "no price is known" in page(SONNET)


def snippet(html: str, slug: str) -> str:
    return re.search(rf'<code id="code-{slug}">(.*?)</code>', html, re.DOTALL).group(1)


def test_snippets_call_where_the_browser_came_to(client, bob, settings):
    settings.PUBLIC_URL = "http://0.0.0.0:8000"
    client.force_login(bob)

    html = client.get(SONNET, headers={"host": "localhost:8123"}).content.decode()

    assert "http://localhost:8123/v3/router" in snippet(html, "python")
    assert "0.0.0.0" not in html


def test_the_curl_snippet_calls_this_very_host(page):
    words = shlex.split(snippet(page(SONNET), "curl").replace("\\\n", " "))

    assert words[:4] == ["curl", "-X", "POST", "http://testserver/v3/router/responses"]
    assert "Authorization: Bearer $ORQ_API_KEY" in words
    assert json.loads(words[-1])["model"] == "anthropic/claude-sonnet-4-6"


def test_the_python_snippet_is_python_and_calls_this_very_host(page):
    code = snippet(page(SONNET), "python")

    compile(code, "snippet", "exec")
    assert 'base_url="http://testserver/v3/router"' in code
    assert 'model="anthropic/claude-sonnet-4-6"' in code


def test_the_javascript_snippet_calls_this_very_host(page):
    code = snippet(page(SONNET), "javascript")

    assert 'baseURL: "http://testserver/v3/router"' in code
    assert 'model: "anthropic/claude-sonnet-4-6"' in code


def test_snippets_call_what_the_workspace_can_call(page, workspace: Workspace):
    make_provider_key(workspace, provider="simulated", name="Simulator")

    html = page(SONNET)

    assert '"model": "simulated/claude-sonnet-4-6"' in snippet(html, "curl")
    assert "Answers come from Simulated Anthropic" in html


def test_snippets_are_for_the_offering_asked_for(page):
    html = page(SONNET, **{"from": "simulated/claude-sonnet-4-6"})

    assert '"model": "simulated/claude-sonnet-4-6"' in snippet(html, "curl")


@pytest.mark.parametrize("string", ["aws/anthropic/claude-sonnet-4-6", "google/anthropic/claude-sonnet-4-6"])
def test_each_provider_of_a_model_has_its_snippet(page, string):
    html = page(SONNET, **{"from": string})

    assert f'"model": "{string}"' in snippet(html, "curl")


def test_an_offering_of_a_provider_to_come_says_so_and_has_no_snippet(page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PROVIDERS, "google", replace(PROVIDERS["google"], is_callable=False))

    html = page(SONNET, **{"from": "google/anthropic/claude-sonnet-4-6"})

    assert "cannot be called by this gateway yet" in html
    assert "ORQ_API_KEY" not in html
    assert "code-curl" not in html


def test_a_model_page_says_which_efforts_it_takes(page):
    assert "low, medium, high, max" in page(SONNET)
    assert "minimal, low, medium, high" in page(f"{LIST}gpt-5/")


def test_a_retired_model_says_so(page):
    html = page(f"{LIST}claude-3-opus/")

    assert "Retired 5 Jan 2026" in html
    assert "Retired at Anthropic" in page(LIST, q="claude-3-opus")


def test_who_may_connect_is_shown_where(client, alice, bob):
    client.force_login(alice)
    assert "Connect Anthropic</a>" in client.get(SONNET).content.decode()

    client.force_login(bob)
    assert "An admin can connect it" in client.get(SONNET).content.decode()


def test_a_model_nobody_knows_is_not_found(client, bob):
    client.force_login(bob)

    assert client.get(f"{LIST}claude-next/").status_code == 404


def test_a_model_the_catalog_dropped_is_not_found(client, bob):
    Offering.objects.filter(model__slug="claude-sonnet-4-6").update(is_listed=False)
    client.force_login(bob)

    assert client.get(SONNET).status_code == 404


@pytest.mark.parametrize("path", [LIST, SONNET])
def test_another_workspace_does_not_exist(client, workspace, mallory, path):
    client.force_login(mallory)

    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", [LIST, SONNET])
def test_signed_out_leads_to_the_sign_in_form(client, workspace, path):
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", [LIST, SONNET])
def test_nothing_can_be_posted(client, bob, path):
    client.force_login(bob)

    assert client.post(path).status_code == 405
