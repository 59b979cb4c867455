"""Projects over the REST API, and the gateway keys that belong to one."""

from typing import Any
from uuid import uuid4

import pytest

from teams.models import AuditEvent, GatewayKey, Project, Workspace
from teams.projects import archive_project, create_project
from tests.api.conftest import Api
from tests.factories import make_gateway_key


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return create_project(workspace, name="Help centre", allowed_regions=["eu"], actor=None)


def test_a_project_is_made_and_listed(api: Api, workspace: Workspace) -> None:
    answer = api.post("/projects", {"name": "Help centre", "allowed_regions": ["us-east-1", "eu"]})

    made = answer.json()
    assert answer.status_code == 201
    assert (made["name"], made["allowed_regions"], made["archived"]) == ("Help centre", ["eu", "us-east-1"], False)
    assert api.get("/projects").json() == {"data": [made]}
    assert api.get(f"/projects/{made['id']}").json() == made


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x", "allowed_regions": ["europe"]}, "allowed_regions"),
        ({"name": "x", "allowed_regions": "eu"}, "allowed_regions"),
        ({"name": "x", "archived": True}, "archived"),
    ],
)
def test_a_bad_value_is_named_and_makes_no_project(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.post("/projects", body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not Project.objects.exists()


def test_a_name_in_use_is_a_conflict(api: Api, project: Project) -> None:
    answer = api.post("/projects", {"name": "HELP CENTRE"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "name_taken")


def test_what_a_change_leaves_out_stays(api: Api, project: Project) -> None:
    assert api.patch(f"/projects/{project.pk}", {"name": "Support"}).json()["allowed_regions"] == ["eu"]
    assert api.patch(f"/projects/{project.pk}", {"allowed_regions": []}).json()["name"] == "Support"


def test_a_project_is_archived_and_restored(api: Api, project: Project) -> None:
    archived = api.patch(f"/projects/{project.pk}", {"archived": True}).json()
    restored = api.patch(f"/projects/{project.pk}", {"archived": False}).json()

    assert (archived["archived"], restored["archived"], restored["archived_at"]) == (True, False, None)
    actions = AuditEvent.objects.filter(object_id=str(project.pk)).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["project.create", "project.archive", "project.restore"]


def test_a_refused_part_of_a_change_undoes_the_rest(api: Api, workspace: Workspace, project: Project) -> None:
    archive_project(project, actor=None)
    create_project(workspace, name="Help centre", actor=None)

    answer = api.patch(f"/projects/{project.pk}", {"allowed_regions": [], "archived": False})

    project.refresh_from_db()
    assert answer.status_code == 409
    assert (project.allowed_regions, project.is_archived) == (["eu"], True)


def test_anothers_project_reads_like_one_that_is_not_there(mallorys_api: Api, project: Project) -> None:
    for call in (mallorys_api.get, lambda path: mallorys_api.patch(path, {"name": "Mine"})):
        assert call(f"/projects/{project.pk}").json() == call(f"/projects/{uuid4()}").json()
    project.refresh_from_db()
    assert project.name == "Help centre"
    assert mallorys_api.get("/projects").json()["data"] == []


# Gateway keys


def test_a_key_is_made_with_all_that_it_may_do(api: Api, project: Project) -> None:
    body = {
        "name": "app",
        "project": str(project.pk),
        "allowed_regions": ["eu"],
        "models_allowed": ["anthropic/*", "route/support"],
    }

    made = api.post("/api-keys", body).json()

    assert {name: made[name] for name in body} == body
    assert made["project_name"] == "Help centre"
    key = GatewayKey.objects.get(pk=made["id"])
    assert (key.project, key.allowed_regions, key.models_allowed) == (project, ["eu"], ["anthropic/*", "route/support"])


def test_a_key_may_do_everything_unless_told_otherwise(api: Api) -> None:
    made = api.post("/api-keys", {"name": "app"}).json()

    assert (made["project"], made["allowed_regions"], made["models_allowed"]) == (None, [], [])


def test_a_change_of_a_key_leaves_out_what_stays(api: Api, workspace: Workspace, project: Project) -> None:
    key = make_gateway_key(workspace).key
    path = f"/api-keys/{key.pk}"

    api.patch(path, {"project": str(project.pk)})
    api.patch(path, {"models_allowed": ["route/*"]})
    shown = api.patch(path, {"name": "app two", "allowed_regions": ["us"]}).json()

    assert (shown["name"], shown["project"]) == ("app two", str(project.pk))
    assert (shown["models_allowed"], shown["allowed_regions"]) == (["route/*"], ["us"])
    assert api.get(path).json() == shown
    assert api.patch(path, {"project": None}).json()["project"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"allowed_regions": ["mars"]}, "allowed_regions"),
        ({"models_allowed": ["*"]}, "models_allowed"),
        ({"models_allowed": ["claude-sonnet-4-6"]}, "models_allowed"),
        ({"models_allowed": ["a/b"] * 101}, "models_allowed"),
        ({"project": "Help centre"}, "project"),
        ({"project": str(uuid4())}, "project"),
        ({"expires_at": None}, "expires_at"),
    ],
)
def test_a_bad_value_is_named_and_changes_no_key(
    api: Api, workspace: Workspace, body: dict[str, Any], field: str
) -> None:
    key = make_gateway_key(workspace).key

    answer = api.patch(f"/api-keys/{key.pk}", body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not AuditEvent.objects.filter(action="gateway_key.edit").exists()


def test_a_project_of_another_workspace_is_none(api: Api, other_workspace: Workspace) -> None:
    theirs = create_project(other_workspace, name="Theirs", actor=None)

    answer = api.post("/api-keys", {"name": "app", "project": str(theirs.pk)})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "project")


def test_an_archived_project_takes_no_more_keys(api: Api, workspace: Workspace, project: Project) -> None:
    key = make_gateway_key(workspace).key
    archive_project(project, actor=None)

    for answer in (
        api.post("/api-keys", {"name": "another", "project": str(project.pk)}),
        api.patch(f"/api-keys/{key.pk}", {"project": str(project.pk)}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "project_archived")


def test_a_revoked_key_is_not_changed(api: Api, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key
    api.post(f"/api-keys/{key.pk}/revoke")

    answer = api.patch(f"/api-keys/{key.pk}", {"name": "alive"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_revoked")


def test_anothers_key_is_not_changed(mallorys_api: Api, workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    assert mallorys_api.patch(f"/api-keys/{key.pk}", {"name": "mine"}).status_code == 404
    assert mallorys_api.get(f"/api-keys/{key.pk}").status_code == 404
