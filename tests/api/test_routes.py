"""Routes over the REST API."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from catalog.models import Route
from catalog.services import sync_catalog
from teams.models import AuditEvent
from tests.api.conftest import Api

SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
BODY: dict[str, Any] = {"name": "support", "targets": [{"model": SONNET}, {"model": OPUS}]}
WHOLE: dict[str, Any] = {
    "name": "evals",
    "strategy": "weighted",
    "targets": [{"model": SONNET, "weight": 9}, {"model": OPUS, "weight": 1}],
    "retries": 3,
    "allowed_regions": ["eu"],
    "same_model_fallback": True,
    "enabled": False,
}


@pytest.fixture(autouse=True)
def catalog(db: None) -> None:
    sync_catalog()


def test_a_route_is_what_was_asked_for(api: Api) -> None:
    answer = api.post("/routes", WHOLE)

    made = answer.json()
    assert answer.status_code == 201
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert made["model"] == "route/evals"
    assert api.get(f"/routes/{made['id']}").json() == made
    assert api.get("/routes").json() == {"data": [made]}


def test_what_is_left_out_has_a_default(api: Api) -> None:
    made = api.post("/routes", BODY).json()

    assert made["targets"] == [{"model": SONNET, "weight": 1}, {"model": OPUS, "weight": 1}]
    assert (made["strategy"], made["retries"], made["enabled"], made["same_model_fallback"]) == (
        "ordered",
        1,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "two words"}, "name"),
        ({"strategy": "random"}, "strategy"),
        ({"retries": 6}, "retries"),
        ({"retries": 10**30}, "retries"),
        ({"targets": []}, "targets"),
        ({"targets": [{"model": "anthropic/claude-9"}]}, "targets.0.model"),
        ({"targets": [{"model": SONNET, "weight": 0}]}, "targets.0.weight"),
        ({"targets": [{"weight": 1}]}, "targets.0.model"),
        ({"targets": [{"model": SONNET, "region": "eu"}]}, "targets.0.region"),
        ({"allowed_regions": ["europe"]}, "allowed_regions"),
        ({"workspace": "other"}, "workspace"),
    ],
)
def test_a_bad_value_is_named_and_makes_no_route(api: Api, changes: dict[str, Any], field: str) -> None:
    answer = api.post("/routes", BODY | changes)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not Route.objects.exists()


def test_a_name_in_use_is_a_conflict(api: Api) -> None:
    api.post("/routes", BODY)

    answer = api.post("/routes", BODY | {"name": "Support"})

    assert (answer.status_code, answer.json()["error"]) == (
        409,
        {
            "code": "name_taken",
            "message": "A route named “Support” exists already. Choose another name.",
            "field": "name",
        },
    )


@pytest.mark.parametrize("changes", [{"retries": 0}, {"name": "other"}, {"targets": [{"model": OPUS, "weight": 2}]}])
def test_what_a_change_leaves_out_stays(api: Api, changes: dict[str, Any]) -> None:
    made = api.post("/routes", WHOLE).json()

    changed = api.patch(f"/routes/{made['id']}", changes).json()

    assert {name: changed[name] for name in WHOLE} == WHOLE | changes


def test_a_change_that_is_refused_changes_nothing(api: Api) -> None:
    made = api.post("/routes", WHOLE).json()

    answer = api.patch(f"/routes/{made['id']}", {"enabled": True, "retries": 9})

    assert answer.status_code == 422
    assert api.get(f"/routes/{made['id']}").json() == made


def test_a_deleted_route_is_gone(api: Api) -> None:
    made = api.post("/routes", BODY).json()

    answer = api.delete(f"/routes/{made['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(f"/routes/{made['id']}").status_code == 404
    assert AuditEvent.objects.get(action="route.delete").actor == "management key scripts"


def test_anothers_route_reads_like_one_that_is_not_there(api: Api, mallorys_api: Api) -> None:
    made = api.post("/routes", BODY).json()
    calls = [mallorys_api.get, mallorys_api.delete, lambda path: mallorys_api.patch(path, {"retries": 0})]

    for call in calls:
        theirs, nothing = call(f"/routes/{made['id']}"), call(f"/routes/{uuid4()}")
        assert (theirs.status_code, theirs.json()) == (nothing.status_code, nothing.json()) == (404, theirs.json())

    assert mallorys_api.get("/routes").json()["data"] == []
    assert api.get(f"/routes/{made['id']}").json() == made


def test_the_list_takes_as_many_queries_however_long_it_is(
    api: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        api.post("/routes", BODY | {"name": f"route-{number}"})

    with django_assert_num_queries(4):
        assert len(api.get("/routes").json()["data"]) == 4


def test_the_schema_says_what_a_route_takes(api: Api) -> None:
    schema = api.get("/openapi.json").json()

    assert {"get", "post"} == set(schema["paths"]["/api/v1/routes"])
    assert {"get", "patch", "delete"} == set(schema["paths"]["/api/v1/routes/{route_id}"])
    assert set(schema["components"]["schemas"]["NewRoute"]["properties"]) == set(WHOLE)
