"""The usage pages show the ledger's figures, to members only, and say what to do where there is nothing."""

import csv
import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from catalog.prices import PriceTable
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import note_set_aside
from providers.base import Outcome
from teams.models import Role, User, Workspace
from tests.factories import make_gateway_key, make_member, make_provider_key
from tests.pages import signed_in, text_of
from tests.usage.samples import NOON, make_opened, make_record, record
from usage.models import Refusal, Shipment
from usage.ranges import DAY
from usage.records import AttemptRecord, Certainty, uuid7
from usage.services import record_attempts
from usage.tasks import aggregate_days

SECOND = timedelta(seconds=1)
REFUSED = {"status": 529, "error_code": "provider_overloaded"}
PAGES = ["overview", "usage", "csv", "requests", "reports"]


def address(name: str, *args: object) -> str:
    return reverse(f"usage:{name}", args=["acme", *args])


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def counted(workspace: Workspace) -> Workspace:
    """Two requests an hour ago and one five weeks ago, all of one key."""
    gateway_key, provider_key = make_gateway_key(workspace).key.pk, make_provider_key(workspace).pk
    now = timezone.now()
    keys = {"gateway_key": gateway_key, "provider_key": provider_key}
    record(
        make_record(workspace, at=now - timedelta(hours=1), **keys),
        make_record(workspace, at=now - timedelta(hours=1), model="claude-haiku-4-5", **keys),
        make_record(workspace, at=now - 35 * DAY, **keys),
    )
    aggregate_days()
    return workspace


def make_refusal(workspace: Workspace, **fields: object) -> Refusal:
    defaults = {
        "id": uuid7(),
        "request_id": uuid4().hex,
        "workspace_id": workspace.pk,
        "gateway_key_id": uuid4(),
        "dialect": "chat",
        "model_asked": "anthropic/claude-sonet",
        "status": 404,
        "error_code": "model_not_found",
        "message": "There is no model 'anthropic/claude-sonet'.",
        "at": timezone.now(),
    }
    return Refusal.objects.create(**defaults | fields)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "requests"])
@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads_usage(counted: Workspace, page: str, role: Role) -> None:
    member = make_member(counted, f"{role}@example.com", role)

    assert signed_in(member).get(address(page)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_usage_of_others_does_not_exist(counted: Workspace, mallory: User, page: str) -> None:
    assert signed_in(mallory).get(address(page)).status_code == 404


def test_failures_do_not_make_the_answers_look_fast(workspace: Workspace, client: Client) -> None:
    now = timezone.now() - timedelta(hours=1)
    record(
        make_record(workspace, at=now, settled={"latency_ms": 4_000}),
        *(make_record(workspace, at=now, settled=REFUSED | {"latency_ms": 20}) for _ in range(3)),
    )

    told = text_of(client.get(address("overview")))

    assert re.search(r"Latency, p50 [3-5]\.\d s", told), told
    assert "Failed attempts 3 of 4" in told


def test_new_workspace_is_told_its_three_steps(client: Client) -> None:
    page = client.get(address("overview"))

    told = text_of(page)
    assert "No requests yet. Three steps to your first number" in told
    assertContains(page, "Connect Anthropic")
    assertContains(page, "Try with simulated Anthropic")


def test_viewer_is_not_offered_to_connect(workspace: Workspace) -> None:
    page = signed_in(make_member(workspace, "v@example.com", Role.VIEWER)).get(address("overview"))

    assertNotContains(page, "Connect Anthropic")


def test_steps_that_are_done_are_marked(client: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)

    page = client.get(address("overview"))

    assertNotContains(page, "Connect Anthropic")
    assertContains(page, "Create API Key")


def test_overview_shows_the_exact_figures(client: Client, counted: Workspace) -> None:
    told = text_of(client.get(address("overview")))

    # 2 × (100 + 1000 + 200 + 30) tokens in and 50 out, of 0.0000300 + … dollars each.
    for figure in (
        "Requests 2 1 before",
        "Input, total 2,660 200 uncached",
        "Output 100 40 of it reasoning",
        "Cache read 2,000",
        "Cache write, 5 m 400",
        "Cache write, 1 h 60",
        "Cache hit rate 75.2%",
        "Cost $0.0046",
        "against $0.0023 before",
    ):
        assert figure in told


def test_overview_compares_with_nothing_where_there_was_nothing(client: Client, workspace: Workspace) -> None:
    record(make_record(workspace, at=timezone.now()))

    assert "nothing before" in text_of(client.get(address("overview")))


def test_overview_has_tables_by_model_and_keys(client: Client, counted: Workspace) -> None:
    told = text_of(client.get(address("overview")))

    for name in ("anthropic/claude-haiku-4-5", "Production", "app", "Latest requests"):
        assert name in told


def test_overview_takes_few_queries(
    client: Client, counted: Workspace, django_assert_max_num_queries: "pytest.FixtureRequest"
) -> None:
    with django_assert_max_num_queries(30):
        client.get(address("overview"))


def test_tests_are_not_among_the_figures(client: Client, counted: Workspace) -> None:
    record(make_record(counted, at=timezone.now(), kind="test", gateway_key=None))

    assert "Requests 2 1 before" in text_of(client.get(address("overview")))


def test_lagging_figures_are_said_aloud(client: Client, counted: Workspace) -> None:
    Shipment.objects.create(host="a", counted_until=timezone.now() - timedelta(minutes=5), waiting=7)

    told = text_of(client.get(address("overview")))

    assert re.search(r"Figures stop at \d\d:\d\d ; requests still work. 7 wait to be counted.", told)


def test_fresh_figures_say_until_when(client: Client, counted: Workspace) -> None:
    Shipment.objects.create(host="a", counted_until=timezone.now())

    told = text_of(client.get(address("overview")))

    assert re.search(r"Counted up to \d\d:\d\d:\d\d", told)
    assert "Figures stop" not in told


def test_failing_key_needs_attention(client: Client, counted: Workspace) -> None:
    version = KeyVersion.objects.get(provider_key__workspace=counted)
    TestCall.objects.create(
        version=version, kind="check", state="done", outcome="invalid_credential", message="Anthropic refused the key."
    )

    told = text_of(client.get(address("overview")))

    assert "Needs attention" in told
    assert "Provider key Production: refused. Anthropic refused the key." in told


def test_all_that_a_key_is_left_out_for_is_one_thing(client: Client, counted: Workspace) -> None:
    key = ProviderKey.objects.get(workspace=counted)
    until = timezone.now() + timedelta(hours=1)
    for number in range(30):
        note_set_aside(key.pk, 1, f"m{number:02}", Outcome.NO_PERMISSION, "Not enabled.", until)

    page = client.get(address("overview"))

    assert len(page.context["concerns"]) == 1
    told = text_of(page)
    assert "Provider key Production is left out for m00, m01 and 28 more models. Its page says why." in told


def test_a_failing_key_is_told_with_what_it_is_left_out_for(client: Client, counted: Workspace) -> None:
    version = KeyVersion.objects.get(provider_key__workspace=counted)
    TestCall.objects.create(version=version, kind="check", state="done", outcome="no_credit", message="Add credit.")
    note_set_aside(version.provider_key_id, 1, "m1", Outcome.NO_PERMISSION, "", timezone.now() + timedelta(hours=1))

    told = text_of(client.get(address("overview")))

    assert "Provider key Production: no credit. Add credit. It is left out for m1." in told


def test_a_secret_that_is_too_old_needs_attention(client: Client, counted: Workspace) -> None:
    key = ProviderKey.objects.get(workspace=counted)
    ProviderKey.objects.update(rotate_every_days=30)
    KeyVersion.objects.update(created_at=timezone.now() - 40 * DAY)

    page = client.get(address("overview"))

    assert "Provider key Production is due for rotation: its secret is 40 days old." in text_of(page)
    assertContains(page, f'href="/w/acme/byok/{key.pk}/rotate/">Rotate</a>')


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DEVELOPER])
def test_who_may_not_see_provider_keys_is_not_told_of_them(counted: Workspace, role: Role) -> None:
    KeyVersion.objects.update(master_key_id="lost")
    member = signed_in(make_member(counted, "member@example.com", role))

    assertNotContains(member.get(address("overview")), "Needs attention")


def test_more_than_five_things_are_a_click_away(client: Client, counted: Workspace) -> None:
    for number in range(6):
        make_provider_key(counted, name=f"key {number}", plaintext=f"sk-ant-api03-only-for-tests-{number:010}")
    KeyVersion.objects.update(master_key_id="lost")

    page = client.get(address("overview"))

    assert (len(page.context["concerns"]), len(page.context["more_concerns"])) == (5, 2)
    assert "and 2 more" in text_of(page)


def test_several_unpriced_models_are_one_thing(client: Client, workspace: Workspace) -> None:
    unpriced = [make_record(workspace, at=timezone.now(), model=f"m{number}") for number in range(4)]
    record_attempts(unpriced, prices=PriceTable({}))

    page = client.get(address("overview"), {"range": "7d"})

    assert (
        "anthropic/m0, anthropic/m1 and 2 more models have no price for some of their tokens: "
        "the cost of 4 attempts is missing from the figures."
    ) in text_of(page)
    assertContains(page, "/w/acme/usage/?range=7d&amp;group_by=model&amp;grain=total")


def test_unpriced_model_needs_attention(client: Client, workspace: Workspace) -> None:
    record_attempts([make_record(workspace, at=timezone.now(), model="claude-new")], prices=PriceTable({}))

    told = text_of(client.get(address("overview")))

    assert "anthropic/claude-new has no price for some of its tokens: the cost of 1 attempt is missing" in told
    assert "1 attempts unpriced" in told


def test_unsettled_attempts_need_attention(client: Client, counted: Workspace) -> None:
    record(
        make_record(counted, at=timezone.now(), settled={"certainty": Certainty.UNKNOWN}),
        AttemptRecord(make_opened(counted, at=timezone.now() - timedelta(hours=1))),
        AttemptRecord(make_opened(counted, at=timezone.now())),
    )

    told = text_of(client.get(address("overview")))

    assert "2 attempts never told what was used" in told


def test_attempts_of_one_request_are_not_told_as_requests(client: Client, counted: Workspace) -> None:
    unknown = {"certainty": Certainty.UNKNOWN}
    record(
        make_record(counted, at=timezone.now(), request_id="r1", settled=unknown | {"final": False}),
        make_record(counted, at=timezone.now(), request_id="r1", attempt=2, settled=unknown),
    )

    assert "2 attempts never told what was used" in text_of(client.get(address("overview")))


@pytest.mark.parametrize("name", ["1h", "6h", "24h", "7d", "30d", "90d", "no such range"])
def test_ranges(client: Client, counted: Workspace, name: str) -> None:
    assert client.get(address("overview"), {"range": name}).status_code == 200


def test_custom_range_is_in_the_zone_of_the_page(client: Client, workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kolkata")
    record(make_record(workspace, at=NOON))

    asked = {"range": "custom", "from": "2026-03-10T17:30", "to": "2026-03-10T17:45"}

    assert "Requests 1 0 before" in text_of(client.get(address("overview"), asked))
    assert "Requests 0" in text_of(client.get(address("overview"), asked | {"zone": "UTC"}))


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ({"from": "2026-03-10T12:00", "to": "2026-03-10T11:00"}, "The range ends before it begins."),
        ({"from": "2026-03-10T12:00"}, "Give both ends of the range."),
        ({"from": "yesterday", "to": "2026-03-10T11:00"}, "Enter a valid date/time."),
        ({"from": "2010-03-10T12:00", "to": "2026-03-10T11:00"}, "The range is longer than ten years."),
        ({"from": "0001-01-01T00:00", "to": "2026-03-10T11:00"}, "Choose years from 2000 to 2200"),
        ({"from": "2026-03-10T11:00", "to": "9999-12-31T23:59"}, "Choose years from 2000 to 2200"),
    ],
)
def test_bad_custom_range_is_explained(client: Client, counted: Workspace, ends: dict[str, str], told: str) -> None:
    assert told in text_of(client.get(address("overview"), {"range": "custom", **ends}))


def test_bad_custom_range_stays_as_it_was_typed(client: Client, counted: Workspace) -> None:
    typed = {"from": "2026-03-05T08:15", "to": "2026-03-01T00:00"}

    page = client.get(address("usage"), {"range": "custom", **typed})

    for name, value in typed.items():
        assertContains(page, f'name="{name}" value="{value}"')


def test_link_to_copy_shows_the_same_figures_later(client: Client, counted: Workspace) -> None:
    page = client.get(address("overview"))
    record(make_record(counted, at=timezone.now() + timedelta(days=1)))

    shown = client.get(page.context["link"])

    assert "range=custom" in page.context["link"]
    assert shown.context["report"].totals == page.context["totals"]


@pytest.mark.parametrize("groups", [["", ""], ["model", "region"]])
def test_link_to_copy_opens_the_same_view(client: Client, counted: Workspace, groups: list[str]) -> None:
    page = client.get(address("usage"), {"group_by": groups, "measure": "output_tokens"})

    shown = client.get(page.context["link"])

    for name in ("breakdown", "measure"):
        assert shown.context[name] == page.context[name]


def test_other_zone_is_offered_to_a_viewer_who_chose_one(client: Client, alice: User, counted: Workspace) -> None:
    alice.time_zone = "Asia/Kathmandu"
    alice.save()

    assert "show in Asia/Kathmandu" in text_of(client.get(address("overview")))
    assert "show in UTC" in text_of(client.get(address("overview"), {"zone": "Asia/Kathmandu"}))


def test_usage_page_groups_and_filters(client: Client, counted: Workspace) -> None:
    asked = {"group_by": ["model", "gateway_key"], "grain": "total", "model": "anthropic/claude-haiku-4-5"}

    page = client.get(address("usage"), asked)

    [row] = page.context["report"].rows
    assert row.dimensions["gateway_key_name"] == "app"
    assertContains(page, "<tfoot>")


def test_usage_page_says_what_is_estimated(client: Client, counted: Workspace) -> None:
    record(make_record(counted, at=timezone.now(), settled={"certainty": Certainty.ESTIMATED}))

    assert "Of 3 attempts 1 are estimated" in text_of(client.get(address("usage")))


def test_bad_filter_is_explained(client: Client, counted: Workspace) -> None:
    page = client.get(address("usage"), {"gateway_key": "mine"})

    assert "gateway_key is an id" in text_of(page)


@pytest.mark.parametrize("filters", [{}, {"kind": "live"}, {"model": "", "kind": "live"}])
def test_nothing_is_to_be_cleared_where_nothing_is_filtered(
    client: Client, counted: Workspace, filters: dict[str, str]
) -> None:
    assertNotContains(client.get(address("usage"), filters), "Clear filters")


@pytest.mark.parametrize("filters", [{"kind": "test"}, {"kind": ["live", "test"]}, {"region": "eu"}])
def test_clearing_filters_keeps_range_and_grouping(
    client: Client, counted: Workspace, filters: dict[str, str | list[str]]
) -> None:
    kept = {"range": "7d", "grain": "hour", "group_by": ["region", "model"], "measure": "requests"}
    page = client.get(address("usage"), kept | filters)
    [link] = re.findall(r'href="([^"]*)">Clear filters<', page.content.decode())

    cleared = client.get(address("usage") + html.unescape(link))

    assert cleared.context["breakdown"] == replace(page.context["breakdown"], filters={})
    assert cleared.context["period"].name == "7d"
    assert cleared.context["measure"] == "requests"


def test_bad_kind_is_explained_and_the_filters_stay(client: Client, counted: Workspace) -> None:
    page = client.get(address("usage"), {"kind": "\0"})

    assert "kind cannot hold that." in text_of(page)
    assert [name for name, _, _ in page.context["filters"]][-1] == "kind"


def test_page_and_csv_say_the_same(client: Client, counted: Workspace) -> None:
    page = client.get(address("usage"), {"group_by": "model"})

    answer = client.get(page.context["csv_url"])

    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    shown = page.context["report"]
    assert answer["Content-Disposition"].startswith('attachment; filename="usage-')
    assert [row["model"] for row in rows[:-1]] == [row.dimensions["model"] for row in shown.rows]
    assert rows[-1]["cost_usd"] == shown.totals.as_dict()["cost_usd"]


def test_csv_of_a_bad_question_is_refused(client: Client, counted: Workspace) -> None:
    assert client.get(address("csv"), {"gateway_key": "mine"}).status_code == 400


def test_csv_of_a_range_that_is_none_is_refused_and_says_why(client: Client, counted: Workspace) -> None:
    answer = client.get(address("csv"), {"range": "custom", "from": "2026-99-01T00:00", "to": "2026-12-01T00:00"})

    assert (answer.status_code, answer.content) == (400, b"Enter a valid date/time.\n")


def test_requests_do_not_claim_that_days_begin_in_the_viewers_zone(
    client: Client, alice: User, counted: Workspace
) -> None:
    alice.time_zone = "Asia/Kathmandu"
    alice.save()

    assert "Days begin" not in text_of(client.get(address("requests")))
    assert "Days begin in UTC" in text_of(client.get(address("usage")))


def test_requests_are_listed_with_refusals_newest_first(client: Client, counted: Workspace) -> None:
    make_refusal(counted)

    told = text_of(client.get(address("requests")))

    assert told.index("404 Refused") < told.index("Production")
    assert "There is no such model." in told


@pytest.fixture
def of_bob_and_alice(workspace: Workspace, alice: User, bob: User) -> None:
    """A request and a refusal of a key of each, and a test message of nobody's."""
    for owner, name in ((alice, "alices"), (bob, "bobs")):
        key = make_gateway_key(workspace, name=name, owner=owner).key.pk
        record(make_record(workspace, at=timezone.now(), request_id=f"{name}-answered", session="s", gateway_key=key))
        make_refusal(workspace, request_id=f"{name}-refused", gateway_key_id=key)
    record(make_record(workspace, at=timezone.now(), request_id="test", kind="test", gateway_key=None))


@pytest.mark.parametrize("query", ["", "?q=s", "?q=alices-answered", "?q=alices-refused", "?shown=refused"])
def test_a_developer_sees_requests_of_own_keys_only(of_bob_and_alice: None, bob: User, query: str) -> None:
    listed = signed_in(bob).get(address("requests") + query).context["page"].requests

    assert all(one.request_id.startswith("bobs-") for one in listed)


def test_a_developer_sees_all_requests_of_own_keys(of_bob_and_alice: None, bob: User) -> None:
    listed = signed_in(bob).get(address("requests")).context["page"].requests

    assert {one.request_id for one in listed} == {"bobs-answered", "bobs-refused"}
    for one in listed:
        assert signed_in(bob).get(address("request_detail", one.request_id)).status_code == 200


@pytest.mark.parametrize("request_id", ["alices-answered", "alices-refused", "test"])
def test_requests_of_others_do_not_exist_for_a_developer(of_bob_and_alice: None, bob: User, request_id: str) -> None:
    assert signed_in(bob).get(address("request_detail", request_id)).status_code == 404


def test_an_admin_sees_all_requests(of_bob_and_alice: None, workspace: Workspace) -> None:
    admin = signed_in(make_member(workspace, "admin@example.com", Role.ADMIN))

    assert len(admin.get(address("requests")).context["page"].requests) == 5


def test_the_overview_shows_the_requests_that_one_may_see(
    of_bob_and_alice: None, workspace: Workspace, bob: User
) -> None:
    viewer = make_member(workspace, "viewer@example.com", Role.VIEWER)

    listed = signed_in(bob).get(address("overview")).context["requests"]
    assert {one.request_id for one in listed} == {"bobs-answered", "bobs-refused"}
    assertNotContains(signed_in(viewer).get(address("overview")), "Latest requests")


def test_who_sees_no_requests_is_not_led_to_them(counted: Workspace) -> None:
    record(make_record(counted, at=timezone.now(), settled={"certainty": Certainty.UNKNOWN}))
    viewer = signed_in(make_member(counted, "viewer@example.com", Role.VIEWER))

    assert viewer.get(address("requests")).status_code == 403
    assertNotContains(viewer.get(address("overview")), address("requests"))


def test_requests_are_paged(client: Client, workspace: Workspace) -> None:
    records = [make_record(workspace, at=NOON + timedelta(seconds=index)) for index in range(55)]
    record(*records)

    first = client.get(address("requests"))
    second = client.get(address("requests"), {"before": first.context["page"].next_before})

    listed = [one.id for page in (first, second) for one in page.context["page"].requests]
    assert listed == [one.opened.id for one in reversed(records)]
    assert second.context["page"].next_before is None


def test_attempt_that_was_retried_is_on_its_request_only(client: Client, workspace: Workspace) -> None:
    failed = make_record(workspace, settled={"final": False, "status": 529, "error_code": "provider_overloaded"})
    answered = make_record(workspace, request_id=failed.opened.request_id, attempt=2)
    record(failed, answered)

    listed = client.get(address("requests")).context["page"].requests
    told = text_of(client.get(address("request_detail", failed.opened.request_id)))

    assert [one.id for one in listed] == [answered.opened.id]
    assert "529" in told
    assert "The provider was overloaded." in told


def test_request_that_succeeded_in_the_end_did_not_fail(client: Client, workspace: Workspace) -> None:
    retried = make_record(workspace, settled=REFUSED | {"final": False})
    record(retried, make_record(workspace, request_id=retried.opened.request_id, attempt=2))

    assert client.get(address("requests"), {"shown": "failed"}).context["page"].requests == []


def test_request_is_listed_once_however_often_it_was_tried(client: Client, workspace: Workspace) -> None:
    unknown = {"certainty": Certainty.UNKNOWN, "final": False, "status": None, "error_code": "provider_timeout"}
    first = make_record(workspace, settled=unknown | {"upstream_request_id": "req_first"})
    request_id = first.opened.request_id
    second = make_record(workspace, at=NOON + SECOND, request_id=request_id, attempt=2, settled=unknown)
    last = make_record(workspace, at=NOON + 2 * SECOND, request_id=request_id, attempt=3, settled=REFUSED)
    record(first, second, last)

    for asked in ({"shown": "all"}, {"shown": "failed"}, {"q": request_id}, {"q": "req_first"}):
        [found] = client.get(address("requests"), asked).context["page"].requests
        assert found.id == last.opened.id
    # Nothing is known of what this one cost, whatever came after it.
    answer = client.get(address("requests"), {"shown": "unsettled"})
    assert [one.id for one in answer.context["page"].requests] == [second.opened.id]
    assert "tried again" in text_of(answer)


def test_request_in_flight_is_listed_once_between_two_attempts(client: Client, workspace: Workspace) -> None:
    first = make_opened(workspace)
    second = make_opened(workspace, at=NOON + SECOND, request_id=first.request_id, attempt=2)
    record(AttemptRecord(first), AttemptRecord(second))

    [found] = client.get(address("requests")).context["page"].requests

    assert found.id == second.id


def test_total_is_the_whole_time_of_a_request(client: Client, workspace: Workspace) -> None:
    first = make_record(workspace, settled=REFUSED | {"final": False}, queue_ms=2)
    record(first, make_record(workspace, request_id=first.opened.request_id, attempt=2, queue_ms=1300))

    [found] = client.get(address("requests")).context["page"].requests

    assert found.total_ms == 1300 + 412


def test_count_of_tokens_is_not_told_as_a_message(client: Client, workspace: Workspace) -> None:
    record(make_record(workspace, dialect="count_tokens"))

    assert "Token count" in text_of(client.get(address("requests")))


def test_failed_attempt_that_was_the_last_was_not_tried_again(client: Client, workspace: Workspace) -> None:
    record(make_record(workspace, settled=REFUSED), AttemptRecord(make_opened(workspace)))

    assert "tried again" not in text_of(client.get(address("requests")))


@pytest.mark.parametrize(
    "field", [{"request_id": "wanted"}, {"session": "wanted"}, {"identity": "wanted"}, {"upstream": "wanted"}]
)
def test_search(client: Client, workspace: Workspace, other_workspace: Workspace, field: dict[str, str]) -> None:
    upstream = field.get("upstream", "req_1")
    opened = {name: value for name, value in field.items() if name != "upstream"}
    now = timezone.now()
    wanted = make_record(workspace, at=now, settled={"upstream_request_id": upstream}, **opened)
    record(
        wanted,
        make_record(workspace, at=now),
        make_record(other_workspace, at=now, settled={"upstream_request_id": upstream}, **opened),
    )

    found = client.get(address("requests"), {"q": " wanted "}).context["page"].requests

    assert [one.id for one in found] == [wanted.opened.id]


def test_refusal_is_found_by_its_trace_id(client: Client, workspace: Workspace) -> None:
    refusal = make_refusal(workspace)

    [found] = client.get(address("requests"), {"q": refusal.request_id}).context["page"].requests

    assert found.is_refused


@pytest.mark.parametrize(("shown", "expected"), [("all", 4), ("failed", 1), ("unsettled", 2), ("refused", 1)])
def test_lists_of_some_requests(client: Client, workspace: Workspace, shown: str, expected: int) -> None:
    make_refusal(workspace)
    record(
        make_record(workspace, settled={"status": 500, "error_code": "provider_error"}),
        make_record(workspace, settled={"certainty": Certainty.UNKNOWN}),
        AttemptRecord(make_opened(workspace)),
    )

    assert len(client.get(address("requests"), {"shown": shown}).context["page"].requests) == expected


@pytest.mark.parametrize(("shown", "expected"), [("all", 3), ("failed", 1), ("unsettled", 1), ("refused", 0)])
def test_search_among_some_requests(client: Client, workspace: Workspace, shown: str, expected: int) -> None:
    now = timezone.now()
    failed = {"status": 500, "error_code": "provider_error"}
    record(
        make_record(workspace, at=now, session="wanted", settled=failed),
        make_record(workspace, at=now, session="wanted"),
        AttemptRecord(make_opened(workspace, at=now, session="wanted")),
        make_record(workspace, at=now, settled=failed),
    )

    found = client.get(address("requests"), {"shown": shown, "q": "wanted"}).context["page"].requests

    assert len(found) == expected


@pytest.mark.parametrize(("shown", "expected"), [("all", 1), ("failed", 0), ("unsettled", 0), ("refused", 1)])
def test_search_for_a_refusal_among_some_requests(
    client: Client, workspace: Workspace, shown: str, expected: int
) -> None:
    refusal = make_refusal(workspace)

    found = client.get(address("requests"), {"shown": shown, "q": refusal.request_id}).context["page"].requests

    assert len(found) == expected


@pytest.mark.parametrize("asked", [{"q": "a\x00"}, {"before": "x"}, {"shown": "x"}, {"q": "%'\""}])
def test_odd_addresses_do_no_harm(client: Client, counted: Workspace, asked: dict[str, str]) -> None:
    assert client.get(address("requests"), asked).status_code == 200


def test_request_page_has_every_count_and_cost(client: Client, workspace: Workspace) -> None:
    whole = make_record(workspace)
    record(whole)

    told = text_of(client.get(address("request_detail", whole.opened.request_id)))

    for words in (
        "Counted",
        "Uncached input 100 no rate $0.0003",
        "Cache write, 1 h 30 no rate $0.00018",
        "Output 50 no rate $0.00075",
    ):
        assert words in told
    assert "Cost $0.00228" in told


def test_unknown_usage_is_shown_as_such(client: Client, workspace: Workspace) -> None:
    opened = make_opened(workspace)
    record(AttemptRecord(opened))

    told = text_of(client.get(address("request_detail", opened.request_id)))

    assert "In flight" in told
    assert "Cost Not known" in told


def test_refusal_explains_itself(client: Client, workspace: Workspace) -> None:
    refusal = make_refusal(workspace)

    told = text_of(client.get(address("request_detail", refusal.request_id)))

    assert "There is no model 'anthropic/claude-sonet'." in told
    assert "Look up the model's string on the Models page" in told


@pytest.mark.parametrize("request_id", ["nothing", "a\x00b"])
def test_request_of_nobody_is_not_found(client: Client, workspace: Workspace, request_id: str) -> None:
    assert client.get(address("request_detail", request_id)).status_code == 404


def test_request_of_others_is_not_found(client: Client, other_workspace: Workspace, workspace: Workspace) -> None:
    theirs = make_record(other_workspace)
    record(theirs)

    assert client.get(address("request_detail", theirs.opened.request_id)).status_code == 404


def test_names_are_escaped(client: Client, workspace: Workspace) -> None:
    name = "<script>alert(1)</script>"
    key = make_gateway_key(workspace, name=name).key.pk
    record(make_record(workspace, at=timezone.now(), gateway_key=key, model_asked=name, session=name))

    for page in PAGES[:2] + PAGES[3:]:
        assertNotContains(client.get(address(page), {"group_by": "gateway_key"}), "<script>alert")


def test_months_are_those_of_the_workspace_zone(client: Client, workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kolkata")
    record(make_record(workspace, at=datetime(2026, 3, 31, 19, tzinfo=UTC)), make_record(workspace, at=NOON))

    months = client.get(address("reports")).context["months"]

    assert [(month.bucket.month, month.measures.requests) for month in months] == [(4, 1), (3, 1)]


def test_month_is_told_by_model_and_keys_with_totals(client: Client, workspace: Workspace) -> None:
    record(
        make_record(workspace),
        make_record(workspace, model="claude-haiku-4-5"),
        make_record(workspace, kind="test", gateway_key=None),
        make_record(workspace, at=NOON + 40 * DAY),
    )

    page = client.get(address("month", 2026, 3))

    told = text_of(page)
    assert "$0.0046 for 2 requests" in told
    assert "1 of them cost $0.00228 this month" in told
    assert [report.totals.requests for _, _, report in page.context["tables"]] == [2, 2, 2, 2]


def test_csv_of_a_month_has_the_totals_of_its_page(client: Client, workspace: Workspace) -> None:
    record(make_record(workspace), make_record(workspace, at=NOON + 40 * DAY))
    page = client.get(address("month", 2026, 3))

    for _, csv_url, report in page.context["tables"]:
        last = client.get(csv_url).content.decode().splitlines()[-1]
        assert report.totals.as_dict()["cost_usd"] in last.split(",")


@pytest.mark.parametrize(("year", "month"), [(2026, 13), (2026, 0), (0, 1), (9999, 12), (99_999, 1)])
def test_month_that_is_none_is_not_found(client: Client, workspace: Workspace, year: int, month: int) -> None:
    assert client.get(address("month", year, month)).status_code == 404


@pytest.mark.parametrize("page", ["usage", "requests", "reports"])
def test_queries_do_not_grow_with_rows(client: Client, counted: Workspace, page: str) -> None:
    with CaptureQueriesContext(connection) as few:
        client.get(address(page))
    keys = [make_gateway_key(counted, name=f"app {number}").key.pk for number in range(5)]
    record(*(make_record(counted, at=timezone.now(), gateway_key=key) for key in keys for _ in range(4)))

    with CaptureQueriesContext(connection) as many:
        client.get(address(page))

    assert len(many) == len(few)
