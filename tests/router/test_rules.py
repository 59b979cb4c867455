"""What a gateway key, its project, its workspace and a route allow: models and regions."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from catalog.models import Route
from teams.models import Project
from tests.router.conftest import Rig, stub, wait_for
from tests.stub import Reply

__all__ = ["stub"]

CHAT = "/v3/router/chat/completions"
MESSAGES = "/v3/anthropic/v1/messages"
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"


def chat(rig: Rig, model: str = SONNET, **fields: Any) -> Any:
    return rig.post(CHAT, {"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields})


def until(answer: Callable[[], Any], status: int) -> Any:
    """Return the answer once it has ``status``: changes reach the gateway within a second."""
    return wait_for(lambda: found if (found := answer()).status_code == status else None)


def save(thing: Any, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(thing, name, value)
    thing.save(update_fields=list(fields))


def error_of(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize("allowed", [["anthropic/claude-opus-4-6"], ["route/*"], ["aws/*"]])
def test_model_the_key_may_not_call(rig: Rig, allowed: list[str]) -> None:
    save(rig.gateway_key, models_allowed=allowed)

    response = until(lambda: chat(rig), 403)

    assert error_of(response) == (403, "insufficient_scope", "model")
    assert allowed[0] in response.json()["error"]["message"]


def test_models_the_key_may_call_by_any_of_their_names(rig: Rig) -> None:
    save(rig.gateway_key, models_allowed=[SONNET])

    until(lambda: chat(rig, OPUS), 403)

    assert chat(rig).status_code == 200
    assert rig.post(MESSAGES, {"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": []}).status_code == 200
    assert [model["id"] for model in _models(rig)] == [SONNET]


def test_fallback_the_key_may_not_call(rig: Rig) -> None:
    save(rig.gateway_key, models_allowed=[SONNET])

    response = until(lambda: chat(rig, fallbacks=[{"model": OPUS}]), 403)

    assert error_of(response) == (403, "insufficient_scope", "fallbacks.0.model")


@pytest.mark.parametrize("owner", ["the workspace", "the project", "the gateway key"])
def test_region_outside_a_rule(rig: Rig, owner: str) -> None:
    project = Project.objects.create(workspace=rig.workspace, name="Search")
    save(rig.gateway_key, project=project)
    ruled = {"the workspace": rig.workspace, "the project": project, "the gateway key": rig.gateway_key}[owner]
    save(ruled, allowed_regions=["eu"])

    response = until(lambda: chat(rig), 403)

    assert error_of(response) == (403, "region_not_allowed", "model")
    assert f"{owner} allows only European Union (eu)" in response.json()["error"]["message"]
    assert _models(rig) == []


def test_no_fallback_outside_the_rule(rig: Rig) -> None:
    save(rig.workspace, allowed_regions=["eu"])

    until(lambda: chat(rig), 403)
    rig.stub.requests.clear()

    response = chat(rig, fallbacks=[{"model": OPUS}])

    assert error_of(response)[1] == "region_not_allowed"
    assert [seen for seen in rig.stub.requests if seen.method == "POST"] == []


def test_project_is_on_the_ledger(rig: Rig) -> None:
    project = Project.objects.create(workspace=rig.workspace, name="Search")
    save(rig.gateway_key, project=project)

    def ledger_has_it() -> bool | None:
        chat(rig)
        return any(row.project_id == project.pk for row in rig.ledger()) or None

    assert wait_for(ledger_has_it)


def test_route_goes_to_its_targets_in_order(rig: Rig) -> None:
    _route(rig, "fast", [SONNET, OPUS])

    response = until(lambda: chat(rig, "route/fast"), 200)

    assert response.json()["model"] == SONNET
    row = rig.ledger()[-1]
    assert (row.model_asked, row.route, row.model) == ("route/fast", "fast", "claude-sonnet-4-6")


def test_route_falls_back_after_its_retries(rig: Rig) -> None:
    _route(rig, "fast", [SONNET, OPUS], retries=1)
    until(lambda: chat(rig, "route/fast"), 200)
    rig.stub.replies.extend([_overloaded(), _overloaded()])

    response = chat(rig, "route/fast")

    assert (response.json()["model"], response.headers["x-orq-attempts"]) == (OPUS, "3")


def test_weighted_route_shares(rig: Rig) -> None:
    route = _route(rig, "both", [SONNET, OPUS], strategy="weighted")
    until(lambda: chat(rig, route.model_string), 200)

    models = {chat(rig, route.model_string).json()["model"] for _ in range(30)}

    assert models == {SONNET, OPUS}


def test_route_has_regions_of_its_own(rig: Rig) -> None:
    _route(rig, "local", [SONNET], allowed_regions=["eu"])

    response = until(lambda: chat(rig, "route/local"), 403)

    assert "the route local allows only European Union (eu)" in response.json()["error"]["message"]


def test_target_that_left_the_catalog_is_passed_over(rig: Rig) -> None:
    _route(rig, "mixed", ["anthropic/claude-gone-1", OPUS])
    _route(rig, "gone", ["anthropic/claude-gone-1"])

    assert until(lambda: chat(rig, "route/mixed"), 200).json()["model"] == OPUS
    assert error_of(until(lambda: chat(rig, "route/gone"), 404))[1] == "model_not_found"


def test_unknown_and_disabled_routes(rig: Rig) -> None:
    _route(rig, "off", [SONNET], enabled=False)

    for model in ("route/off", "route/none"):
        assert error_of(chat(rig, model)) == (404, "model_not_found", "model")


def test_route_on_the_native_endpoint(rig: Rig) -> None:
    _route(rig, "claude", [SONNET])
    body = {"model": "route/claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}

    response = until(lambda: rig.post(MESSAGES, body), 200)

    assert response.json()["model"] == "claude-sonnet-4-6"


def test_routes_are_listed(rig: Rig) -> None:
    _route(rig, "fast", [SONNET])

    _route(rig, "nowhere", [SONNET], allowed_regions=["eu"])
    _route(rig, "gone", ["anthropic/claude-gone-1"])
    _route(rig, "last", [OPUS])

    wait_for(lambda: "route/last" in [model["id"] for model in _models(rig)] or None)
    assert [model["id"] for model in _models(rig) if model["owned_by"] == "route"] == ["route/fast", "route/last"]


def _models(rig: Rig) -> list[dict[str, Any]]:
    answer = httpx.get(rig.url + "/v3/router/models", headers=rig.headers, trust_env=False)
    models: list[dict[str, Any]] = answer.json()["data"]
    return models


def _route(rig: Rig, name: str, targets: list[str], **fields: Any) -> Route:
    route = Route.objects.create(workspace=rig.workspace, name=name, **{"retries": 0, **fields})
    for position, model in enumerate(targets):
        route.targets.create(model_string=model, position=position)
    return route


def _overloaded() -> Reply:
    return Reply.of_error(529, "overloaded_error", "Overloaded")
