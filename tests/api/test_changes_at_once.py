"""Changes of one thing that come in at once: what one leaves out is what the other made of it."""

from dataclasses import replace

import pytest

from catalog.models import Route
from catalog.routes import RouteSpec, TargetSpec, create_route, edit_route
from catalog.services import sync_catalog
from teams.models import GatewayKey, Project, Workspace
from teams.projects import create_project, edit_project
from teams.services import KeyScope, edit_gateway_key
from tests.api.conftest import Api
from tests.concurrency import run_overtaken
from tests.factories import make_gateway_key

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_renamed_project_keeps_regions_set_meanwhile(api: Api, workspace: Workspace) -> None:
    project = create_project(workspace, name="old", actor=None)

    run_overtaken(
        lambda: api.patch(f"/projects/{project.pk}", {"name": "new"}),
        lambda: edit_project(project, name="old", allowed_regions=["eu"], actor=None),
    )

    now = Project.objects.get()
    assert (now.name, now.allowed_regions) == ("new", ["eu"])


def test_a_renamed_gateway_key_keeps_limits_set_meanwhile(api: Api, workspace: Workspace) -> None:
    key = make_gateway_key(workspace, name="old").key

    run_overtaken(
        lambda: api.patch(f"/api-keys/{key.pk}", {"name": "new"}),
        lambda: edit_gateway_key(
            key, name="old", scope=KeyScope(models_allowed=["route/*"]), actor=None, may_widen=True
        ),
    )

    now = GatewayKey.objects.get(pk=key.pk)
    assert (now.name, now.models_allowed) == ("new", ["route/*"])


def test_a_renamed_route_keeps_regions_set_meanwhile(api: Api, workspace: Workspace) -> None:
    sync_catalog()
    spec = RouteSpec(name="old", targets=[TargetSpec("anthropic/claude-sonnet-4-6")])
    route = create_route(workspace, spec, actor=None)

    run_overtaken(
        lambda: api.patch(f"/routes/{route.pk}", {"name": "new"}),
        lambda: edit_route(route, replace(spec, allowed_regions=["eu"]), actor=None),
    )

    now = Route.objects.get()
    assert (now.name, now.allowed_regions) == ("new", ["eu"])
