"""Projects, and what a gateway key belongs to and may do: rules, records, and that the gateways are told."""

from dataclasses import replace

import pytest
from django.db import connection

from teams.models import AuditEvent, GatewayKey, Project, User, Workspace
from teams.projects import archive_project, create_project, edit_project, restore_project
from teams.services import (
    KeyRevoked,
    KeyScope,
    NameTaken,
    ProjectArchived,
    edit_call_rules,
    edit_gateway_key,
    revoke_gateway_key,
)
from tests.concurrency import run_together
from tests.factories import make_gateway_key


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return create_project(workspace, name="Help centre", actor=None)


def snapshot_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM router_snapshotversion")
        return int(cursor.fetchone()[0])


# Projects


def test_a_name_is_taken_whatever_its_case(workspace: Workspace, other_workspace: Workspace, project: Project) -> None:
    create_project(other_workspace, name="Help centre", actor=None)

    with pytest.raises(NameTaken):
        create_project(workspace, name="HELP centre", actor=None)


def test_an_archived_projects_name_is_free_again(workspace: Workspace, project: Project) -> None:
    archive_project(project, actor=None)

    create_project(workspace, name="Help centre", actor=None)

    with pytest.raises(NameTaken):
        restore_project(project, actor=None)
    assert Project.objects.active().count() == 1


def test_every_change_is_audited(project: Project, alice: User) -> None:
    edit_project(project, name="Support", allowed_regions=["eu"], actor=alice)
    archive_project(project, actor=alice)
    archive_project(project, actor=alice)
    restore_project(project, actor=alice)
    restore_project(project, actor=alice)

    events = AuditEvent.objects.filter(actor=alice.email).order_by("pk")
    assert [event.action for event in events] == ["project.edit", "project.archive", "project.restore"]
    assert events[0].before == {"name": "Help centre", "allowed_regions": []}
    assert events[0].after == {"name": "Support", "allowed_regions": ["eu"]}


@pytest.mark.django_db(transaction=True)
def test_one_of_two_who_take_a_name_at_once_gets_it(workspace: Workspace) -> None:
    raised = run_together(*[lambda: create_project(workspace, name="Help centre", actor=None)] * 2)

    assert [type(error) for error in raised] == [NameTaken]


def test_the_gateways_are_told_of_a_projects_regions(project: Project) -> None:
    before = snapshot_version()

    edit_project(project, name="Help centre", allowed_regions=["eu"], actor=None)

    assert snapshot_version() > before


# Gateway keys


def test_a_key_is_edited_and_the_gateways_are_told(workspace: Workspace, project: Project) -> None:
    key = make_gateway_key(workspace).key
    before = snapshot_version()

    edit_gateway_key(key, name="bot", scope=KeyScope(project, ["eu"], ["anthropic/*"]), actor=None, may_widen=True)

    key.refresh_from_db()
    assert (key.name, key.project, key.allowed_regions, key.models_allowed) == ("bot", project, ["eu"], ["anthropic/*"])
    assert snapshot_version() > before


def test_an_edit_is_audited_with_before_and_after(workspace: Workspace, project: Project, alice: User) -> None:
    key = make_gateway_key(workspace).key

    edit_gateway_key(key, name="bot", scope=KeyScope(project, models_allowed=["route/*"]), actor=alice, may_widen=True)

    event = AuditEvent.objects.get(action="gateway_key.edit")
    assert event.before == {"name": "app", "project": None, "allowed_regions": [], "models_allowed": []}
    assert event.after == {
        "name": "bot",
        "project": "Help centre",
        "allowed_regions": [],
        "models_allowed": ["route/*"],
    }


def test_a_key_does_not_take_anothers_name(workspace: Workspace) -> None:
    make_gateway_key(workspace, name="taken")
    key = make_gateway_key(workspace).key

    with pytest.raises(NameTaken):
        edit_gateway_key(key, name="taken", scope=KeyScope(), actor=None, may_widen=True)


def test_a_revoked_key_is_not_edited(workspace: Workspace) -> None:
    key = revoke_gateway_key(make_gateway_key(workspace).key, actor=None)

    with pytest.raises(KeyRevoked):
        edit_gateway_key(key, name="alive", scope=KeyScope(), actor=None, may_widen=True)


def test_an_archived_project_takes_no_new_key_and_keeps_those_it_has(workspace: Workspace, project: Project) -> None:
    scope = KeyScope(project)
    has, hasnt = (
        make_gateway_key(workspace, name=name, scope=each).key
        for name, each in (("has", scope), ("hasn't", KeyScope()))
    )
    archived = archive_project(project, actor=None)

    edit_gateway_key(has, name="renamed", scope=replace(scope, project=archived), actor=None, may_widen=True)

    with pytest.raises(ProjectArchived):
        edit_gateway_key(hasnt, name="renamed too", scope=KeyScope(archived), actor=None, may_widen=True)
    with pytest.raises(ProjectArchived):
        make_gateway_key(workspace, name="new", scope=KeyScope(archived))
    assert GatewayKey.objects.get(project=project).name == "renamed"


# The workspace


def test_the_rules_for_calls_are_audited_and_the_gateways_are_told(workspace: Workspace, alice: User) -> None:
    before = snapshot_version()

    edit_call_rules(workspace, allowed_regions=["eu"], fetch_urls=True, same_model_fallback=True, actor=alice)

    event = AuditEvent.objects.get()
    assert (event.action, event.actor) == ("workspace.edit_call_rules", alice.email)
    assert event.before == {"allowed_regions": [], "fetch_urls": False, "same_model_fallback": False}
    assert event.after == {"allowed_regions": ["eu"], "fetch_urls": True, "same_model_fallback": True}
    assert snapshot_version() > before
