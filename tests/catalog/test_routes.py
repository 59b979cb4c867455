"""Routes: what can be one, that changes are recorded, and that the gateways are told."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from catalog.models import Route, RouteTarget
from catalog.routes import (
    MAX_TARGETS,
    NameTaken,
    RouteError,
    RouteSpec,
    TargetSpec,
    create_route,
    delete_route,
    edit_route,
    spec_of,
)
from catalog.services import sync_catalog
from teams.models import AuditEvent, User, Workspace
from tests.concurrency import run_overtaken, run_together

SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
ON_AWS = "aws/anthropic/claude-sonnet-4-6"
SPEC = RouteSpec(name="support", targets=[TargetSpec(SONNET), TargetSpec(ON_AWS)])
WEIGHTED = RouteSpec(
    name="evals",
    strategy=Route.Strategy.WEIGHTED,
    targets=[TargetSpec(OPUS, 9), TargetSpec(SONNET, 1)],
    retries=3,
    allowed_regions=["eu", "us-east-1"],
    same_model_fallback=True,
)


@pytest.fixture(autouse=True)
def catalog(db: None) -> None:
    sync_catalog()


def snapshot_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM router_snapshotversion")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("spec", [SPEC, WEIGHTED])
def test_a_route_is_what_was_asked_for(workspace: Workspace, spec: RouteSpec) -> None:
    route = create_route(workspace, spec, actor=None)

    assert spec_of(Route.objects.get(pk=route.pk)) == replace(spec, allowed_regions=list(spec.allowed_regions))
    assert route.model_string == f"route/{spec.name}"


def test_editing_replaces_everything(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)

    edit_route(route, WEIGHTED, actor=None)

    assert spec_of(Route.objects.get()) == WEIGHTED


def test_targets_change_places(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)

    edit_route(route, replace(SPEC, targets=list(reversed(SPEC.targets))), actor=None)

    assert [target.model_string for target in route.targets.all()] == [ON_AWS, SONNET]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "two words"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"strategy": "random"}, "strategy"),
        ({"retries": 6}, "retries"),
        ({"retries": -1}, "retries"),
        ({"allowed_regions": ["europe"]}, "allowed_regions"),
        ({"targets": []}, "targets"),
        ({"targets": [TargetSpec(SONNET)] * (MAX_TARGETS + 1)}, "targets"),
        ({"targets": [TargetSpec(OPUS), TargetSpec(SONNET), TargetSpec(OPUS)]}, "targets.2.model"),
        ({"targets": [TargetSpec(SONNET), TargetSpec("claude-sonnet-4-6")]}, "targets.1.model"),
        ({"targets": [TargetSpec("anthropic/claude-9")]}, "targets.0.model"),
        ({"targets": [TargetSpec("bedrock/claude-sonnet-4-6")]}, "targets.0.model"),
        ({"targets": [TargetSpec("route/support")]}, "targets.0.model"),
        ({"targets": [TargetSpec(f"openai/{'m' * 200}")]}, "targets.0.model"),
        ({"targets": [TargetSpec(SONNET, 0)]}, "targets.0.weight"),
        ({"targets": [TargetSpec(SONNET, 1001)]}, "targets.0.weight"),
    ],
)
def test_what_cannot_be_a_route_is_refused_by_field(workspace: Workspace, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RouteError) as refused:
        create_route(workspace, replace(SPEC, **changes), actor=None)

    assert refused.value.field == field
    assert not Route.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "model",
    [
        "aws/us.anthropic.claude-opus-4-6-v1",
        "aws/arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
        "openai/a-model-of-ones-own",
        "anthropic/claude-haiku-4-5-20251001",
    ],
)
def test_whatever_the_gateway_calls_can_be_a_target(workspace: Workspace, model: str) -> None:
    route = create_route(workspace, replace(SPEC, targets=[TargetSpec(model)]), actor=None)

    assert route.targets.get().model_string == model


def test_a_refused_change_changes_nothing(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)

    with pytest.raises(RouteError):
        edit_route(route, replace(WEIGHTED, retries=9), actor=None)

    assert spec_of(Route.objects.get()) == replace(SPEC, allowed_regions=[])


def test_a_name_is_taken_whatever_its_case(workspace: Workspace, other_workspace: Workspace) -> None:
    create_route(workspace, SPEC, actor=None)
    create_route(other_workspace, SPEC, actor=None)

    with pytest.raises(NameTaken):
        create_route(workspace, replace(SPEC, name="Support"), actor=None)


def test_a_route_keeps_its_own_name(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)

    assert edit_route(route, replace(SPEC, name="SUPPORT"), actor=None).name == "SUPPORT"


@pytest.mark.django_db(transaction=True)
def test_one_of_two_who_take_a_name_at_once_gets_it(workspace: Workspace) -> None:
    raised = run_together(*[lambda: create_route(workspace, SPEC, actor=None)] * 2)

    assert [type(error) for error in raised] == [NameTaken]
    assert Route.objects.count() == 1


def test_every_change_is_audited_with_before_and_after(workspace: Workspace, alice: User) -> None:
    route = create_route(workspace, SPEC, actor=alice)
    edit_route(route, replace(SPEC, retries=2), actor=alice)
    delete_route(route, actor=alice)

    created, edited, deleted = AuditEvent.objects.filter(workspace=workspace, actor=alice.email).order_by("pk")
    assert [created.action, edited.action, deleted.action] == ["route.create", "route.edit", "route.delete"]
    assert (edited.before["retries"], edited.after["retries"]) == (1, 2)
    assert created.after == edited.before
    assert deleted.before["targets"] == [
        {"model_string": SONNET, "weight": 1},
        {"model_string": ON_AWS, "weight": 1},
    ]


def test_a_deleted_route_is_gone_with_its_targets(workspace: Workspace) -> None:
    delete_route(create_route(workspace, SPEC, actor=None), actor=None)

    assert not Route.objects.exists()
    assert not RouteTarget.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_route_is_deleted_with_the_targets_it_gets_meanwhile(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)

    raised = run_overtaken(
        lambda: delete_route(route, actor=None),
        lambda: edit_route(route, WEIGHTED, actor=None),
    )

    assert raised == []
    assert not RouteTarget.objects.exists()
    assert AuditEvent.objects.get(action="route.delete").before["retries"] == WEIGHTED.retries


def test_a_route_is_deleted_once(workspace: Workspace) -> None:
    route = create_route(workspace, SPEC, actor=None)
    again = Route.objects.get()

    delete_route(route, actor=None)
    delete_route(again, actor=None)

    assert AuditEvent.objects.filter(action="route.delete").count() == 1


@pytest.mark.parametrize("spec", [WEIGHTED, replace(SPEC, targets=SPEC.targets[:1])])
def test_the_gateways_are_told_of_every_change(workspace: Workspace, spec: RouteSpec) -> None:
    versions = [snapshot_version()]
    route = create_route(workspace, SPEC, actor=None)
    versions.append(snapshot_version())
    edit_route(route, spec, actor=None)
    versions.append(snapshot_version())
    delete_route(route, actor=None)
    versions.append(snapshot_version())

    assert versions == sorted(set(versions))


@pytest.mark.parametrize(
    "fields",
    [{"retries": 6}, {"strategy": "random"}],
)
def test_the_database_refuses_a_route_that_cannot_be(workspace: Workspace, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Route.objects.create(workspace=workspace, **{"name": "support", **fields})


@pytest.mark.parametrize("fields", [{"weight": 0}, {"position": 0}, {"model_string": SONNET}])
def test_the_database_refuses_a_target_that_cannot_be(workspace: Workspace, fields: dict[str, Any]) -> None:
    route = create_route(workspace, SPEC, actor=None)

    with pytest.raises(IntegrityError), transaction.atomic():
        RouteTarget.objects.create(route=route, **{"model_string": OPUS, "position": 2, **fields})
