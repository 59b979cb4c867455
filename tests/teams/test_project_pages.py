"""Projects, the scope of gateway keys, and the rules for calls, as people see and change them."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from teams.models import AuditEvent, GatewayKey, Project, Role, User, Workspace
from teams.projects import archive_project, create_project
from teams.services import KeyScope, revoke_gateway_key
from tests.factories import make_gateway_key, make_management_key, make_member
from tests.pages import post_by_htmx, signed_in, text_of
from tests.usage.samples import make_record, record

LIST, NEW = "/w/acme/projects/", "/w/acme/projects/new/"
KEYS, RULES = "/w/acme/api-keys/", "/w/acme/settings/calls/"


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return create_project(workspace, name="Help centre", actor=None)


def shown_names(client: Client, query: str = "") -> list[str]:
    return [row.project.name for row in client.get(LIST + query).context["rows"]]


# The list


def test_without_projects_the_list_says_what_one_is_for(owner: Client) -> None:
    page = text_of(owner.get(LIST))

    assert "No projects yet" in page
    assert "Create project" in page


def test_the_list_tells_usable_keys_and_cost(owner: Client, workspace: Workspace, project: Project) -> None:
    scope = KeyScope(project)
    make_gateway_key(workspace, name="works", scope=scope)
    make_gateway_key(workspace, name="over", scope=scope, expires_at=timezone.now() - timedelta(seconds=1))
    revoke_gateway_key(make_gateway_key(workspace, name="ended", scope=scope).key, actor=None)
    make_gateway_key(workspace, name="elsewhere")
    record(make_record(workspace, at=timezone.now(), project=project.pk))
    record(make_record(workspace, at=timezone.now()))

    [row] = owner.get(LIST).context["rows"]

    assert row.keys == 1
    assert row.cost_usd == Decimal("0.00228")


def test_regions_are_told_in_words(owner: Client, workspace: Workspace) -> None:
    create_project(workspace, name="Help centre", allowed_regions=["eu", "us-east-1"], actor=None)

    assert "European Union, us-east-1" in text_of(owner.get(LIST))


def test_archived_projects_are_shown_when_asked_for(owner: Client, workspace: Workspace, project: Project) -> None:
    archive_project(create_project(workspace, name="Old", actor=None), actor=None)

    assert shown_names(owner) == ["Help centre"]
    assert shown_names(owner, "?status=archived") == ["Old"]
    assert shown_names(owner, "?status=all") == ["Help centre", "Old"]


@pytest.mark.parametrize("sort", ["name", "-name", "keys", "-keys", "cost", "-cost", "created", "-created", "x"])
def test_every_column_sorts_both_ways(owner: Client, workspace: Workspace, project: Project, sort: str) -> None:
    later = create_project(workspace, name="Zoo", actor=None)
    make_gateway_key(workspace, scope=KeyScope(later))
    record(make_record(workspace, at=timezone.now(), project=later.pk))

    names = ["Help centre", "Zoo"]
    assert shown_names(owner, f"?sort={sort}") == (names[::-1] if sort.startswith("-") else names)


def test_a_search_that_finds_nothing_offers_to_clear_it(owner: Client, project: Project) -> None:
    page = text_of(owner.get(LIST + "?q=nothing"))

    assert "No project fits" in page
    assert "Clear filters" in page


def test_with_all_archived_the_list_leads_to_them(owner: Client, project: Project) -> None:
    archive_project(project, actor=None)

    assert "All projects are archived" in text_of(owner.get(LIST))


def test_the_list_takes_as_many_queries_however_long_it_is(
    owner: Client, workspace: Workspace, project: Project
) -> None:
    with CaptureQueriesContext(connection) as for_one:
        owner.get(LIST)
    for number in range(5):
        create_project(workspace, name=f"Project {number}", actor=None)

    with CaptureQueriesContext(connection) as for_six:
        owner.get(LIST)

    assert len(for_six) == len(for_one)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_others_see_projects_and_change_none(workspace: Workspace, project: Project, role: Role) -> None:
    page = text_of(signed_in(make_member(workspace, "carol@example.com", role)).get(LIST))

    assert "Help centre" in page
    assert not {"Create project", "Edit", "Archive"}.intersection(page.split("Created")[1].split())


# Changes


def test_creating_leads_back_to_the_list(owner: Client) -> None:
    answer = post_by_htmx(owner, NEW, {"name": "Help centre", "allowed_regions": ["eu"]})

    assert answer.headers["HX-Redirect"] == LIST
    assert Project.objects.get().allowed_regions == ["eu"]


@pytest.mark.parametrize("name", ["", "help CENTRE"])
def test_what_cannot_be_a_name_is_refused_beside_it(owner: Client, project: Project, name: str) -> None:
    answer = owner.post(NEW, {"name": name})

    assert answer.status_code == 422
    assert "name" in answer.context["form"].errors
    assert Project.objects.count() == 1


def test_editing_begins_with_what_is_there_and_saves(owner: Client, workspace: Workspace) -> None:
    project = create_project(workspace, name="Help centre", allowed_regions=["eu-west-1"], actor=None)
    path = f"{LIST}{project.pk}/edit/"

    page = owner.get(path).content.decode()
    owner.post(path, {"name": "Support"})

    project.refresh_from_db()
    assert 'value="eu-west-1" id="id_allowed_regions_eu-west-1" checked' in page
    assert (project.name, project.allowed_regions) == ("Support", [])


def test_archiving_says_what_becomes_of_the_keys(owner: Client, workspace: Workspace, project: Project) -> None:
    make_gateway_key(workspace, scope=KeyScope(project))

    page = text_of(owner.get(f"{LIST}{project.pk}/archive/"))

    assert "1 gateway key still belongs to it. It goes on working" in page
    project.refresh_from_db()
    assert not project.is_archived


def test_a_project_is_archived_and_restored(owner: Client, project: Project) -> None:
    owner.post(f"{LIST}{project.pk}/archive/")
    project.refresh_from_db()
    assert project.is_archived

    answer = owner.post(f"{LIST}{project.pk}/restore/", follow=True)

    project.refresh_from_db()
    assert not project.is_archived
    assert "takes gateway keys again" in text_of(answer)


def test_a_project_whose_name_was_taken_is_not_restored(owner: Client, workspace: Workspace, project: Project) -> None:
    archive_project(project, actor=None)
    create_project(workspace, name="Help centre", actor=None)

    answer = owner.post(f"{LIST}{project.pk}/restore/", follow=True)

    assert "Rename one of the two first." in text_of(answer)


# Gateway keys


def test_a_key_is_made_in_a_project_with_limits(owner: Client, project: Project) -> None:
    asked = {
        "name": "app",
        "project": project.pk,
        "models_allowed": "anthropic/*\r\n\r\nroute/x",
        "allowed_regions": "eu",
    }

    owner.post(f"{KEYS}new/", asked)

    key = GatewayKey.objects.get()
    assert (key.project, key.models_allowed, key.allowed_regions) == (project, ["anthropic/*", "route/x"], ["eu"])


def test_a_key_is_edited(owner: Client, workspace: Workspace, project: Project) -> None:
    key = make_gateway_key(workspace, scope=KeyScope(project, ["eu"], ["route/*"])).key
    path = f"{KEYS}{key.pk}/edit/"

    form = owner.get(path).context["form"]
    assert {field.name: field.value() for field in form} == {
        "name": "app",
        "project": project.pk,
        "models_allowed": "route/*",
        "allowed_regions": ["eu"],
    }

    owner.post(path, {"name": "bot", "models_allowed": "aws/*"})

    key.refresh_from_db()
    assert (key.name, key.project, key.models_allowed, key.allowed_regions) == ("bot", None, ["aws/*"], [])


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "other"}, "name"),
        ({"name": "app", "models_allowed": "claude-sonnet-4-6"}, "models_allowed"),
        ({"name": "app", "allowed_regions": "mars"}, "allowed_regions"),
        ({"name": "app", "project": "0000"}, "project"),
    ],
)
def test_what_cannot_be_is_refused_beside_the_field(
    owner: Client, workspace: Workspace, asked: dict[str, Any], field: str
) -> None:
    make_gateway_key(workspace, name="other")
    key = make_gateway_key(workspace).key

    answer = owner.post(f"{KEYS}{key.pk}/edit/", asked)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not AuditEvent.objects.filter(action="gateway_key.edit").exists()


def test_a_project_of_another_workspace_or_an_archived_one_cannot_be_chosen(
    owner: Client, workspace: Workspace, other_workspace: Workspace, project: Project
) -> None:
    theirs = create_project(other_workspace, name="Theirs", actor=None)
    archive_project(project, actor=None)

    for each in (theirs, project):
        answer = owner.post(f"{KEYS}new/", {"name": "app", "project": each.pk})
        assert "project" in answer.context["form"].errors


def test_a_key_stays_in_its_project_that_was_archived_since(
    owner: Client, workspace: Workspace, project: Project
) -> None:
    key = make_gateway_key(workspace, scope=KeyScope(project)).key
    archive_project(project, actor=None)

    owner.post(f"{KEYS}{key.pk}/edit/", {"name": "bot", "project": project.pk})

    key.refresh_from_db()
    assert (key.name, key.project) == ("bot", project)


def test_the_list_of_keys_tells_project_models_and_regions(
    owner: Client, workspace: Workspace, project: Project
) -> None:
    scope = KeyScope(project, ["eu"], ["anthropic/*", "aws/*", "google/*", "route/*", "openai/*"])
    make_gateway_key(workspace, scope=scope)

    page = text_of(owner.get(KEYS))

    assert "Help centre" in page
    assert "anthropic/* , aws/* , google/* and 2 more Only in: European Union" in page


@pytest.mark.parametrize("query", ["?q=help", "?sort=-project"])
def test_the_list_of_keys_is_searched_and_sorted_by_project(
    owner: Client, workspace: Workspace, project: Project, query: str
) -> None:
    make_gateway_key(workspace, name="in it", scope=KeyScope(project))
    make_gateway_key(workspace, name="outside")

    assert owner.get(KEYS + query).context["rows"][0].key.name == "in it"


@pytest.mark.parametrize("what", ["management key", "revoked key", "colleague's key"])
def test_what_cannot_be_edited_has_no_such_page(workspace: Workspace, alice: User, bob: User, what: str) -> None:
    key = {
        "management key": lambda: make_management_key(workspace, owner=bob).key,
        "revoked key": lambda: revoke_gateway_key(make_gateway_key(workspace, owner=bob).key, actor=None),
        "colleague's key": lambda: make_gateway_key(workspace, owner=alice).key,
    }[what]()

    assert signed_in(bob).get(f"{KEYS}{key.pk}/edit/").status_code == 404


# The workspace


def test_the_rules_for_calls_are_set_and_shown(owner: Client, workspace: Workspace) -> None:
    asked = {"allowed_regions": ["eu", "global"], "fetch_urls": "on", "same_model_fallback": "on"}

    answer = owner.post(RULES, asked, follow=True)

    workspace.refresh_from_db()
    assert workspace.allowed_regions == ["global", "eu"]
    assert (workspace.fetch_urls, workspace.same_model_fallback) == (True, True)
    assert "Global, European Union" in text_of(answer)


def test_who_takes_no_addresses_is_named(owner: Client, workspace: Workspace) -> None:
    said = "Images and PDFs by URL Not fetched; AWS Bedrock and Google Vertex AI take none"

    assert said in text_of(owner.get("/w/acme/settings/"))


@pytest.mark.parametrize("path", [RULES, NEW, "/w/acme/routes/new/", "/w/acme/byok/new/aws/own/"])
def test_help_and_errors_of_grouped_boxes_are_read_out_with_them(owner: Client, path: str) -> None:
    page = owner.get(path).content.decode()

    described = re.findall(r'<fieldset[^>]* aria-describedby="([^"]+)"', page)
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert described
    assert {each for names in described for each in names.split()} <= ids


def test_nothing_ticked_is_an_answer_too(owner: Client, workspace: Workspace) -> None:
    Workspace.objects.update(allowed_regions=["eu"], fetch_urls=True, same_model_fallback=True)

    owner.post(RULES)

    workspace.refresh_from_db()
    assert (workspace.allowed_regions, workspace.fetch_urls, workspace.same_model_fallback) == ([], False, False)


def test_a_region_that_is_none_is_refused(owner: Client, workspace: Workspace) -> None:
    answer = owner.post(RULES, {"allowed_regions": ["mars"]})

    assert answer.status_code == 422
    workspace.refresh_from_db()
    assert workspace.allowed_regions == []


def test_usage_is_told_by_project(owner: Client, workspace: Workspace, project: Project) -> None:
    record(make_record(workspace, at=timezone.now(), project=project.pk))

    page = text_of(owner.get("/w/acme/usage/?group_by=project&grain=total"))

    assert "Help centre" in page
