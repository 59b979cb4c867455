"""API Keys: who sees which, a new one shown once, its first request, and the end of one."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.routes import RouteSpec, TargetSpec, create_route
from catalog.services import sync_catalog
from providers.base import TokenCounts
from teams.models import GatewayKey, User, Workspace
from teams.projects import create_project
from teams.services import KeyScope, edit_gateway_key
from teams.tokens import TokenKind, hash_token, read_public_id
from tests.factories import make_gateway_key, make_provider_key
from tests.pages import signed_in, text_of
from tests.usage.samples import make_record, record
from usage.models import LastUse
from usage.records import Certainty, RefusalRecord, first_id_at, microseconds_of, uuid7
from usage.services import record_refusals

LIST, NEW = "/w/acme/api-keys/", "/w/acme/api-keys/new/"


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def developer(bob: User) -> Client:
    return signed_in(bob)


def shown_names(client: Client, query: str = "") -> list[str]:
    return [row.key.name for row in client.get(LIST + query).context["rows"]]


def token_on(page: bytes) -> str:
    found = re.search(rb"sk-orq-[0-9A-Za-z]{8}-[0-9A-Za-z]{49}", page)
    assert found
    return found.group().decode()


def record_request(key: GatewayKey, **settled: Any) -> None:
    """Write one request of ``key`` to claude-sonnet-4-6 into the ledger."""
    record(make_record(key.workspace, at=timezone.now(), gateway_key=key.pk, settled=settled))


# The list


def test_an_owner_sees_everybodys_keys(owner: Client, workspace: Workspace, alice: User, bob: User) -> None:
    make_gateway_key(workspace, name="of alice", owner=alice)
    make_gateway_key(workspace, name="of bob", owner=bob)

    assert sorted(shown_names(owner)) == ["of alice", "of bob"]


def test_a_developer_sees_only_their_own(developer: Client, workspace: Workspace, alice: User, bob: User) -> None:
    make_gateway_key(workspace, name="of alice", owner=alice)
    make_gateway_key(workspace, name="of bob", owner=bob)

    assert shown_names(developer) == ["of bob"]


def test_keys_of_other_workspaces_are_not_there(
    owner: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    make_gateway_key(other_workspace, name="theirs")

    assert shown_names(owner, "?status=all") == []


def test_without_keys_the_list_says_what_to_do_next(owner: Client) -> None:
    page = text_of(owner.get(LIST))

    assert "No gateway keys yet" in page
    assert "Create API Key" in page


@pytest.mark.parametrize("query", ["support", "SUPPORT", "alice@"])
def test_search_looks_at_name_and_owner(owner: Client, workspace: Workspace, alice: User, query: str) -> None:
    make_gateway_key(workspace, name="Support bot", owner=alice)
    make_gateway_key(workspace, name="Nightly evals")

    assert shown_names(owner, f"?q={query}") == ["Support bot"]


def test_search_finds_a_key_by_its_last_four_characters(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace, name="found").key
    make_gateway_key(workspace, name="other")

    assert shown_names(owner, f"?q={key.last4}") == ["found"]


@pytest.mark.parametrize("shown", ["{masked}", "{token}", "Bearer {token}", "sk-orq-{public_id}", "{public_id}"])
def test_search_finds_a_key_by_what_is_known_of_it_and_keeps_no_secret(
    owner: Client, workspace: Workspace, shown: str
) -> None:
    made = make_gateway_key(workspace, name="found")
    make_gateway_key(workspace, name="other")
    names = {"masked": made.key.masked, "token": made.token.text, "public_id": made.key.public_id}

    page = owner.get(LIST, {"q": shown.format(**names), "sort": "name"}, follow=True)

    assert [row.key.name for row in page.context["rows"]] == ["found"]
    assert made.token.text[20:] not in page.content.decode()
    assert page.wsgi_request.GET.dict() == {"q": made.key.public_id, "sort": "name"}


def test_a_search_that_finds_nothing_offers_to_clear_it(owner: Client, workspace: Workspace) -> None:
    make_gateway_key(workspace)

    assert "Clear filters" in text_of(owner.get(LIST + "?q=nothing like that"))


def test_a_search_for_what_no_text_holds_is_answered(owner: Client, workspace: Workspace) -> None:
    make_gateway_key(workspace, name="support bot")

    assert shown_names(owner, "?q=supp%00ort") == ["support bot"]


def test_revoked_keys_are_shown_when_asked_for(owner: Client, workspace: Workspace) -> None:
    make_gateway_key(workspace, name="alive")
    ended = make_gateway_key(workspace, name="ended").key
    GatewayKey.objects.filter(pk=ended.pk).update(revoked_at=timezone.now())

    assert shown_names(owner) == ["alive"]
    assert shown_names(owner, "?status=ended") == ["ended"]
    assert sorted(shown_names(owner, "?status=all")) == ["alive", "ended"]


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["a", "b"]),
        ("-name", ["b", "a"]),
        ("created", ["b", "a"]),
        ("-created", ["a", "b"]),
        ("-last-used", ["b", "a"]),
        ("expires", ["a", "b"]),
        ("no such column", ["a", "b"]),
    ],
)
def test_every_column_sorts_both_ways(owner: Client, workspace: Workspace, sort: str, names: list[str]) -> None:
    b = make_gateway_key(workspace, name="b").key
    make_gateway_key(workspace, name="a", expires_at=timezone.now() + timedelta(days=1))
    LastUse.objects.create(key_id=b.pk, at=timezone.now())

    assert shown_names(owner, f"?sort={sort}") == names


def test_the_list_asks_the_same_number_of_queries_for_many_keys(
    owner: Client, workspace: Workspace, alice: User
) -> None:
    make_gateway_key(workspace, name="first", owner=alice)
    with CaptureQueriesContext(connection) as for_one:
        owner.get(LIST)
    for number in range(9):
        make_gateway_key(workspace, name=f"key {number}", owner=alice)

    with CaptureQueriesContext(connection) as for_ten:
        owner.get(LIST)

    assert len(for_ten) == len(for_one)


# A new key


def test_a_new_key_is_shown_once_and_works(developer: Client, bob: User) -> None:
    token = token_on(developer.post(NEW, {"name": "Support bot"}).content)

    key = GatewayKey.objects.get()
    assert (key.name, key.owner, key.expires_at) == ("Support bot", bob, None)
    assert key.public_id == read_public_id(token, TokenKind.GATEWAY)
    assert bytes(key.secrets.get().sha256) == hash_token(token)


def test_the_page_that_shows_a_key_is_kept_by_no_cache(owner: Client) -> None:
    assert "no-store" in owner.post(NEW, {"name": "app"}).headers["Cache-Control"]


@pytest.mark.parametrize("path", [LIST, LIST + "?status=all", NEW, "/w/acme/settings/", "/account/"])
def test_no_later_page_shows_the_key(owner: Client, path: str) -> None:
    token = token_on(owner.post(NEW, {"name": "app"}).content)

    assert token[20:-6].encode() not in owner.get(path).content


def test_sending_the_form_again_makes_no_second_key_and_says_that_the_text_is_gone(owner: Client) -> None:
    owner.post(NEW, {"name": "app"})

    answer = owner.post(NEW, {"name": "app"})

    assert "“app” was made just now; its text was shown once." in text_of(answer)
    assert b"sk-orq-" not in answer.content
    assert GatewayKey.objects.count() == 1


def test_a_name_that_was_taken_long_ago_is_taken(owner: Client, workspace: Workspace, alice: User) -> None:
    key = make_gateway_key(workspace, name="app", owner=alice).key
    GatewayKey.objects.filter(pk=key.pk).update(created_at=timezone.now() - timedelta(hours=1))

    assert "exists already" in text_of(owner.post(NEW, {"name": "app"}))


def test_a_key_without_a_name_is_refused(owner: Client) -> None:
    answer = owner.post(NEW, {"name": " "})

    assert "name" in answer.context["form"].errors
    assert not GatewayKey.objects.exists()


def test_the_last_day_ends_at_midnight_of_the_workspaces_zone(owner: Client, workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kathmandu")

    owner.post(NEW, {"name": "app", "expires_on": "2099-12-31"})

    key = GatewayKey.objects.get()
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2099-12-31T18:15:00+00:00"


def test_a_day_that_is_over_is_refused(owner: Client) -> None:
    answer = owner.post(NEW, {"name": "app", "expires_on": "2020-01-01"})

    assert "This day is over" in text_of(answer)


@pytest.mark.parametrize("day", ["2200-01-01", "9999-12-31"])
def test_a_day_beyond_our_age_is_refused(owner: Client, day: str) -> None:
    answer = owner.post(NEW, {"name": "app", "expires_on": day})

    assert "Choose a day before 2200, or leave it empty." in text_of(answer)
    assert not GatewayKey.objects.exists()


def test_the_snippets_are_for_this_very_host_and_a_connected_provider(owner: Client, workspace: Workspace) -> None:
    sync_catalog()
    make_provider_key(workspace)

    page = text_of(owner.post(NEW, {"name": "app"}, headers={"host": "localhost:8123"}))

    assert "curl -X POST http://localhost:8123/v3/router/responses" in page
    assert '"model": "anthropic/claude-sonnet-4-6"' in page
    assert "ANTHROPIC_BASE_URL=http://localhost:8123/v3/anthropic" in page


def test_a_real_provider_is_preferred_to_the_simulated_one(owner: Client, workspace: Workspace) -> None:
    sync_catalog()
    make_provider_key(workspace, provider="simulated", name="Simulated")
    make_provider_key(workspace)

    body = json.loads(owner.post(NEW, {"name": "app"}).context["body"])

    assert body["model"] == "anthropic/claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ({}, "anthropic/claude-sonnet-4-6"),
        ({"models_allowed": "anthropic/claude-haiku-4-5-20251001"}, "anthropic/claude-haiku-4-5-20251001"),
        ({"models_allowed": "simulated/*\nroute/*"}, "simulated/claude-sonnet-4-6"),
        ({"models_allowed": "route/*"}, "route/support"),
    ],
)
def test_the_snippets_ask_for_what_the_key_may_call(
    owner: Client, workspace: Workspace, asked: dict[str, Any], model: str
) -> None:
    sync_catalog()
    make_provider_key(workspace, provider="simulated", name="Simulated")
    make_provider_key(workspace)
    create_route(workspace, RouteSpec("support", [TargetSpec("anthropic/claude-sonnet-4-6")]), actor=None)

    page = owner.post(NEW, {"name": "app"} | asked)

    assert json.loads(page.context["body"])["model"] == model
    assert f'"model": "{model}"' in text_of(page)


def test_the_snippets_ask_for_what_is_served_where_the_key_may_call(owner: Client, workspace: Workspace) -> None:
    sync_catalog()
    make_provider_key(workspace)
    secret = json.dumps({"access_key_id": "AKIAABCDEFGHIJKLMNOP", "secret_access_key": "x" * 40})
    make_provider_key(workspace, provider="aws", plaintext=secret, key_settings={"region": "eu-central-1"})

    page = owner.post(NEW, {"name": "app", "allowed_regions": "eu"})

    assert json.loads(page.context["body"])["model"].startswith("aws/")


def test_a_key_that_can_call_nothing_says_so(owner: Client, workspace: Workspace) -> None:
    sync_catalog()
    make_provider_key(workspace)

    page = text_of(owner.post(NEW, {"name": "app", "models_allowed": "aws/*"}))

    assert "It can call nothing yet" in page
    assert "Send it for me" not in page


def test_without_a_provider_the_page_says_what_is_missing(owner: Client) -> None:
    page = text_of(owner.post(NEW, {"name": "app"}))

    assert "No provider is connected yet" in page


# The first request


def test_it_waits_until_there_is_a_request(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    answer = owner.get(f"{LIST}{key.pk}/first-request/")

    assert "Waiting for your first request…" in text_of(answer)
    assert b'hx-trigger="every 1s"' in answer.content


def test_it_tells_status_tokens_and_cost_and_asks_no_more(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    record_request(key, counts=TokenCounts(uncached_input=1200, output=34))

    answer = owner.get(f"{LIST}{key.pk}/first-request/")

    # 1,200 × $3 and 34 × $15 a million.
    assert text_of(answer) == "200 · 1,234 tokens · $0.0041 · see it"
    assert b"hx-trigger" not in answer.content


def test_a_request_in_the_millisecond_of_its_key_is_found(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    record(make_record(workspace, at=key.created_at, id=first_id_at(key.created_at), gateway_key=key.pk))

    assert "200 · 1,380 tokens" in text_of(owner.get(f"{LIST}{key.pk}/first-request/"))


def test_what_stands_there_already_is_not_said_again(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    path = f"{LIST}{key.pk}/first-request/"
    failed = {"status": 500, "error_code": "provider_error"}

    waiting = next_question(owner.get(path))
    assert owner.get(waiting).status_code == 204
    record(make_record(workspace, at=timezone.now(), gateway_key=key.pk, settled=failed))
    answer = owner.get(waiting)

    assert "500 · The provider failed" in text_of(answer)
    assert owner.get(next_question(answer)).status_code == 204


def next_question(answer: HttpResponse) -> str:
    """Return where the line below a new key asks next."""
    found = re.search(r'hx-get="([^"]+)"', answer.content.decode())
    assert found
    return html.unescape(found[1])


def test_a_request_of_another_key_is_not_its_first(owner: Client, workspace: Workspace) -> None:
    key, other = make_gateway_key(workspace).key, make_gateway_key(workspace, name="other").key
    record_request(other)

    assert "Waiting" in text_of(owner.get(f"{LIST}{key.pk}/first-request/"))


def test_a_refused_request_is_told_with_its_reason(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    record_refusals(
        [
            RefusalRecord(
                uuid7(),
                "r1",
                workspace.pk,
                key.pk,
                "responses",
                "x/y",
                404,
                "model_not_found",
                "No y.",
                microseconds_of(timezone.now()),
            )
        ]
    )

    answer = owner.get(f"{LIST}{key.pk}/first-request/")

    assert "404 · No y." in text_of(answer)
    assert b'hx-trigger="every 1s"' in answer.content


def test_a_failed_request_is_told_in_words(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    ended = {"status": None, "ttft_ms": None, "certainty": Certainty.UNKNOWN}
    record_request(key, counts=TokenCounts(), error_code="provider_timeout", **ended)

    assert "No answer · The provider took the request and did not begin its answer in time." in text_of(
        owner.get(f"{LIST}{key.pk}/first-request/")
    )


def test_a_success_without_usage_is_not_told_as_zero(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    record_request(key, counts=TokenCounts(), certainty=Certainty.UNKNOWN)

    assert "tokens not known" in text_of(owner.get(f"{LIST}{key.pk}/first-request/"))


# Changing a key


def narrowed_key(workspace: Workspace, owner: User) -> GatewayKey:
    return make_gateway_key(workspace, owner=owner, scope=KeyScope(None, ["eu"], ["anthropic/*"])).key


@pytest.mark.parametrize(
    "asked",
    [
        {"models_allowed": "", "allowed_regions": ["eu"]},
        {"models_allowed": "anthropic/*\naws/*", "allowed_regions": ["eu"]},
        {"models_allowed": "anthropic/*"},
    ],
)
def test_a_developer_cannot_allow_their_key_more(
    developer: Client, workspace: Workspace, bob: User, asked: dict[str, Any]
) -> None:
    key = narrowed_key(workspace, bob)

    answer = developer.post(f"{LIST}{key.pk}/edit/", {"name": "mine"} | asked)

    assert answer.status_code == 422
    assert "Only an admin can allow more. Ask one, or revoke this key." in text_of(answer)
    key.refresh_from_db()
    assert (key.name, key.models_allowed, key.allowed_regions) == ("app", ["anthropic/*"], ["eu"])


def test_a_form_older_than_an_admins_limit_does_not_undo_it(
    developer: Client, workspace: Workspace, alice: User, bob: User
) -> None:
    key = make_gateway_key(workspace, owner=bob).key
    project = create_project(workspace, name="Help centre", actor=alice)
    edit_gateway_key(key, name="app", scope=KeyScope(project), actor=alice, may_widen=True)

    developer.post(f"{LIST}{key.pk}/edit/", {"name": "app", "models_allowed": "", "project": ""})

    key.refresh_from_db()
    assert key.project == project


def test_a_developer_renames_and_narrows_their_key(developer: Client, workspace: Workspace, bob: User) -> None:
    key = narrowed_key(workspace, bob)
    asked = {"name": "mine", "models_allowed": "anthropic/claude-*", "allowed_regions": ["eu-west-1"]}

    developer.post(f"{LIST}{key.pk}/edit/", asked)

    key.refresh_from_db()
    assert (key.name, key.models_allowed, key.allowed_regions) == ("mine", ["anthropic/claude-*"], ["eu-west-1"])


def test_an_admin_allows_a_key_more(owner: Client, workspace: Workspace, bob: User) -> None:
    key = narrowed_key(workspace, bob)

    owner.post(f"{LIST}{key.pk}/edit/", {"name": "app", "models_allowed": ""})

    key.refresh_from_db()
    assert (key.models_allowed, key.allowed_regions) == ([], [])


# The end of a key


def test_revoking_asks_first(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    owner.get(f"{LIST}{key.pk}/revoke/")

    key.refresh_from_db()
    assert key.revoked_at is None


def test_revoking_ends_the_key(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    owner.post(f"{LIST}{key.pk}/revoke/")

    key.refresh_from_db()
    assert key.status == "revoked"


def test_revoking_twice_says_so(owner: Client, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    owner.post(f"{LIST}{key.pk}/revoke/")

    answer = owner.post(f"{LIST}{key.pk}/revoke/", follow=True)

    assert "was revoked already" in text_of(answer)


def test_a_developer_revokes_their_own_key(developer: Client, workspace: Workspace, bob: User) -> None:
    key = make_gateway_key(workspace, owner=bob).key

    developer.post(f"{LIST}{key.pk}/revoke/")

    key.refresh_from_db()
    assert key.status == "revoked"


def test_a_developer_cannot_revoke_anothers_key(developer: Client, workspace: Workspace, alice: User) -> None:
    key = make_gateway_key(workspace, owner=alice).key

    answer = developer.post(f"{LIST}{key.pk}/revoke/")

    assert answer.status_code == 404
    key.refresh_from_db()
    assert key.status == "active"


def test_where_every_key_has_ended_the_list_says_so_and_leads_to_them(
    owner: Client, workspace: Workspace, alice: User
) -> None:
    key = make_gateway_key(workspace, owner=alice).key
    owner.post(f"{LIST}{key.pk}/revoke/")

    answer = owner.get(LIST)

    assert "All keys are revoked or expired." in text_of(answer)
    assert 'href="?status=ended"' in answer.content.decode()
