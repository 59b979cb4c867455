"""Routes: the list, the form with its moving rows, and how a route is called."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Route
from catalog.routes import RouteSpec, TargetSpec, create_route, spec_of
from catalog.services import sync_catalog
from teams.models import AuditEvent, Role, User, Workspace
from tests.factories import make_member, make_provider_key
from tests.pages import post_by_htmx, signed_in, text_of

LIST, NEW = "/w/acme/routes/", "/w/acme/routes/new/"
SONNET, OPUS, HAIKU = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6", "anthropic/claude-haiku-4-5"
ON_AWS = "aws/anthropic/claude-sonnet-4-6"
SPEC = RouteSpec(name="support", targets=[TargetSpec(SONNET), TargetSpec(OPUS)])


@pytest.fixture(autouse=True)
def catalog(db: None) -> None:
    sync_catalog()


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def route(workspace: Workspace) -> Route:
    return create_route(workspace, SPEC, actor=None)


def edit_path(route: Route) -> str:
    return f"{LIST}{route.pk}/edit/"


def posted(*models: str, **changes: Any) -> dict[str, Any]:
    """What a browser posts for a route of ``models``, each with weight 1."""
    rows = {f"targets-{number}-model": model for number, model in enumerate(models)}
    weights = {f"targets-{number}-weight": "1" for number in range(len(models))}
    return {"name": "support", "strategy": "ordered", "retries": "1", "enabled": "on", **rows, **weights, **changes}


def rows_of(page: Any) -> list[tuple[str, str]]:
    return [(form["model"].value(), str(form["weight"].value())) for form in page.context["forms"].targets]


# The list


def test_without_routes_the_list_says_what_one_is_for(owner: Client) -> None:
    page = text_of(owner.get(LIST))

    assert "No routes yet" in page
    assert "Create route" in page


def test_the_list_shows_a_route_with_its_models_in_order(owner: Client, workspace: Workspace, route: Route) -> None:
    make_provider_key(workspace)

    page = text_of(owner.get(LIST))

    assert "route/support" in page
    assert page.index(SONNET) < page.index(OPUS)
    assert "In order, 1 retry" in page
    assert "In use" in page


def test_weights_are_shown_as_shares(owner: Client, workspace: Workspace) -> None:
    targets = [TargetSpec(SONNET, 3), TargetSpec(OPUS, 1)]
    create_route(workspace, replace(SPEC, strategy="weighted", targets=targets), actor=None)

    page = text_of(owner.get(LIST))

    assert f"{SONNET} 75 %" in page
    assert f"{OPUS} 25 %" in page


def test_a_model_that_cannot_be_called_says_why(owner: Client, workspace: Workspace, route: Route) -> None:
    page = text_of(owner.get(LIST))

    assert "Anthropic is not connected" in page
    assert "Cannot be called" in page


@pytest.mark.parametrize("where", ["workspace", "route"])
def test_regions_that_leave_out_a_model_are_told(owner: Client, workspace: Workspace, where: str) -> None:
    make_provider_key(workspace)
    if where == "workspace":
        workspace.allowed_regions = ["eu"]
        workspace.save()
    create_route(workspace, replace(SPEC, allowed_regions=["eu"] if where == "route" else []), actor=None)

    page = text_of(owner.get(LIST))

    assert "Outside the allowed regions" in page
    assert "European Union" in page


def test_a_route_that_is_off_says_so(owner: Client, workspace: Workspace) -> None:
    create_route(workspace, replace(SPEC, enabled=False), actor=None)

    assert "Off" in text_of(owner.get(LIST))


@pytest.mark.parametrize(("query", "shown"), [("SUPP", ["support"]), ("haiku", ["evals"]), ("route/e", ["evals"])])
def test_search_looks_at_name_and_models(
    owner: Client, workspace: Workspace, route: Route, query: str, shown: list[str]
) -> None:
    create_route(workspace, RouteSpec(name="evals", targets=[TargetSpec(HAIKU)]), actor=None)

    page = owner.get(LIST, {"q": query})

    assert [row.route.name for row in page.context["rows"]] == shown


def test_a_search_without_a_find_can_be_cleared(owner: Client, route: Route) -> None:
    page = text_of(owner.get(LIST, {"q": "nothing"}))

    assert "No route fits" in page
    assert "Clear filters" in page


@pytest.mark.parametrize(
    ("sort", "shown"), [("", ["Alpha", "support"]), ("-name", ["support", "Alpha"]), ("x", ["Alpha", "support"])]
)
def test_the_list_is_sorted(owner: Client, workspace: Workspace, route: Route, sort: str, shown: list[str]) -> None:
    create_route(workspace, replace(SPEC, name="Alpha"), actor=None)

    assert [row.route.name for row in owner.get(LIST, {"sort": sort}).context["rows"]] == shown


def test_the_list_takes_as_many_queries_however_long_it_is(owner: Client, workspace: Workspace, route: Route) -> None:
    make_provider_key(workspace)
    with CaptureQueriesContext(connection) as for_one:
        owner.get(LIST)
    for number in range(5):
        create_route(workspace, replace(SPEC, name=f"route-{number}"), actor=None)

    with CaptureQueriesContext(connection) as for_six:
        owner.get(LIST)

    assert len(for_six) == len(for_one)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_others_see_routes_and_change_none(workspace: Workspace, route: Route, role: Role) -> None:
    page = text_of(signed_in(make_member(workspace, "carol@example.com", role)).get(LIST))

    assert "route/support" in page
    assert "Call" in page
    assert not {"Create route", "Edit", "Delete"}.intersection(page.split("State")[1].split())


# A new one


def test_creating_leads_back_to_the_list_and_says_how_to_call_it(owner: Client) -> None:
    answer = owner.post(NEW, posted(SONNET, OPUS), follow=True)

    assert spec_of(Route.objects.get()) == SPEC or spec_of(Route.objects.get()) == replace(SPEC, allowed_regions=[])
    assert "Call it as the model “route/support”." in text_of(answer)


def test_from_the_dialog_the_whole_page_goes_back(owner: Client) -> None:
    answer = post_by_htmx(owner, NEW, posted(SONNET))

    assert answer.headers["HX-Redirect"] == LIST


def test_all_that_a_route_is_can_be_set(owner: Client) -> None:
    asked = posted(
        SONNET,
        ON_AWS,
        strategy="weighted",
        retries="3",
        same_model_fallback="on",
        allowed_regions=["us-east-1", "eu"],
        **{"targets-0-weight": "7"},
    )
    del asked["enabled"]

    owner.post(NEW, asked)

    assert spec_of(Route.objects.get()) == RouteSpec(
        name="support",
        strategy="weighted",
        targets=[TargetSpec(SONNET, 7), TargetSpec(ON_AWS, 1)],
        retries=3,
        allowed_regions=["eu", "us-east-1"],
        same_model_fallback=True,
        enabled=False,
    )


def test_an_empty_row_counts_for_nothing(owner: Client) -> None:
    owner.post(NEW, posted("", SONNET, ""))

    assert [target.model_string for target in Route.objects.get().targets.all()] == [SONNET]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (posted(SONNET, name=""), "Give it a name."),
        (posted(SONNET, name="two words"), "A route's name has letters"),
        (posted(SONNET, retries="6"), "Retries are 0 to 5."),
        (posted(SONNET, retries="x"), "Retries are 0 to 5."),
        (posted(SONNET, strategy="random"), "Select a valid choice."),
        (posted(SONNET, allowed_regions="mars"), "Select a valid choice."),
        (posted(SONNET, **{"targets-0-weight": "0"}), "A weight is 1 to 1000."),
        (posted(""), "A route needs at least one model."),
        (posted("anthropic/claude-9"), "There is no model “anthropic/claude-9”."),
        (posted("", SONNET, SONNET), "is there already. To try it more often, set Retries."),
        (posted("", SONNET, SONNET, strategy="weighted"), "is there already. Give it a larger weight."),
    ],
)
def test_what_cannot_be_saved_says_why_and_keeps_what_was_typed(
    owner: Client, asked: dict[str, Any], said: str
) -> None:
    answer = owner.post(NEW, asked)

    assert answer.status_code == 422
    assert said in text_of(answer)
    assert rows_of(answer)[0][0] == asked["targets-0-model"]
    assert not Route.objects.exists()


def test_an_empty_form_says_all_that_is_missing_at_once(owner: Client) -> None:
    told = text_of(owner.post(NEW, posted("", name="")))

    assert "Give it a name." in told
    assert "A route needs at least one model." in told


def test_an_error_stands_beside_the_row_it_is_about(owner: Client) -> None:
    answer = owner.post(NEW, posted("", SONNET, SONNET))

    assert [bool(form.errors) for form in answer.context["forms"].targets] == [False, False, True]


@pytest.mark.parametrize(
    "model", ["openai/my-own-model", "aws/arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"]
)
def test_a_model_that_is_not_in_the_catalog_can_be_typed(owner: Client, model: str) -> None:
    owner.post(NEW, posted(model))

    assert [target.model_string for target in Route.objects.get().targets.all()] == [model]


def test_models_to_choose_from_are_listed_once(owner: Client) -> None:
    content = owner.get(NEW).content.decode()

    assert content.count(f'<option value="{SONNET}">') == 1
    assert content.count('list="models"') == 2


def test_models_that_can_be_called_come_first_and_the_others_say_why_not(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)

    options = owner.get(NEW).context["forms"].options

    assert [bool(option.why_not) for option in options] == sorted(bool(option.why_not) for option in options)
    labels = {option.model_string: option.label for option in options}
    assert labels[SONNET] == SONNET
    assert labels["simulated/claude-sonnet-4-6"] == (
        "simulated/claude-sonnet-4-6 (Simulated Anthropic is not connected)"
    )


def test_a_chosen_model_that_cannot_be_called_says_why(owner: Client, route: Route) -> None:
    assert "Cannot be called now: Anthropic is not connected." in text_of(owner.get(edit_path(route)))


# Moving models about


@pytest.mark.parametrize(
    ("move", "models", "focus"),
    [
        ("add", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        ("up-1", [OPUS, SONNET, HAIKU], (0, "down")),
        ("up-2", [SONNET, HAIKU, OPUS], (1, "up")),
        ("down-0", [OPUS, SONNET, HAIKU], (1, "down")),
        ("down-1", [SONNET, HAIKU, OPUS], (2, "up")),
        ("remove-0", [OPUS, HAIKU], (0, "remove")),
        ("remove-2", [SONNET, OPUS], (1, "remove")),
        # What no button of the form sends adds a row, which is undone as easily.
        ("up-0", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        ("down-2", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        ("remove-9", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        ("remove-x", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        (f"up-{'1' * 5000}", [SONNET, OPUS, HAIKU, ""], (3, "model")),
        ("sideways-1", [SONNET, OPUS, HAIKU, ""], (3, "model")),
    ],
)
def test_a_button_rearranges_the_models_and_saves_nothing(
    owner: Client, move: str, models: list[str], focus: tuple[int, str]
) -> None:
    answer = owner.post(NEW, posted(SONNET, OPUS, HAIKU, rearrange=move))

    forms = answer.context["forms"]
    assert answer.status_code == 200
    assert [model or "" for model, _ in rows_of(answer)] == models
    assert [(row, form.focus) for row, form in enumerate(forms.targets) if form.focus] == [focus]
    assert answer.content.decode().count(" autofocus") == 1
    assert not Route.objects.exists()


def test_rearranging_keeps_everything_else_that_was_typed(owner: Client) -> None:
    asked = posted(
        SONNET,
        OPUS,
        rearrange="up-1",
        name="not yet a name",
        strategy="weighted",
        retries="99",
        allowed_regions=["eu"],
        same_model_fallback="on",
        **{"targets-0-weight": "many", "targets-1-weight": "5"},
    )
    del asked["enabled"]

    forms = owner.post(NEW, asked).context["forms"]

    assert {field.name: field.value() for field in forms.route} == {
        "name": "not yet a name",
        "strategy": "weighted",
        "retries": "99",
        "allowed_regions": ["eu"],
        "same_model_fallback": True,
        "enabled": False,
    }
    assert [(form["model"].value(), form["weight"].value()) for form in forms.targets] == [
        (OPUS, "5"),
        (SONNET, "many"),
    ]


def test_the_last_model_removed_leaves_an_empty_row(owner: Client) -> None:
    answer = owner.post(NEW, posted(SONNET, rearrange="remove-0"))

    assert [model for model, _ in rows_of(answer)] == [None]


def test_there_is_an_end_to_adding(owner: Client) -> None:
    answer = owner.post(NEW, posted(*[SONNET] * 30, rearrange="add"))

    assert len(rows_of(answer)) == 20
    assert "Add a model" not in text_of(answer)


# Changing and deleting one


def test_editing_begins_with_what_is_there(owner: Client, route: Route) -> None:
    forms = owner.get(edit_path(route)).context["forms"]

    assert forms.route["name"].value() == "support"
    assert [form["model"].value() for form in forms.targets] == [SONNET, OPUS]


def test_editing_saves_and_is_audited(owner: Client, alice: User, route: Route) -> None:
    owner.post(edit_path(route), posted(OPUS, name="helpdesk"))

    route.refresh_from_db()
    assert (route.name, [str(target) for target in route.targets.all()]) == ("helpdesk", [OPUS])
    assert AuditEvent.objects.get(action="route.edit").actor == alice.email


def test_a_name_in_use_is_refused_beside_the_name(owner: Client, workspace: Workspace, route: Route) -> None:
    other = create_route(workspace, replace(SPEC, name="other"), actor=None)

    answer = owner.post(edit_path(other), posted(SONNET, name="SUPPORT"))

    assert "exists already" in answer.context["forms"].route.errors["name"][0]


def test_a_model_that_left_the_catalog_stays_in_the_form(owner: Client, route: Route) -> None:
    route.targets.filter(position=0).update(model_string="anthropic/claude-gone")

    page = owner.get(edit_path(route))

    assert 'value="anthropic/claude-gone"' in page.content.decode()


def test_deleting_asks_first(owner: Client, route: Route) -> None:
    path = f"{LIST}{route.pk}/delete/"

    assert "route/support" in text_of(owner.get(path))
    assert Route.objects.exists()

    answer = owner.post(path, follow=True)

    assert "“support” is deleted." in text_of(answer)
    assert not Route.objects.exists()


def test_the_code_that_calls_a_route_names_it_as_the_model(owner: Client, route: Route) -> None:
    page = text_of(owner.get(f"{LIST}{route.pk}/call/"))

    assert 'model="route/support"' in page
    assert '"model": "route/support"' in page


@pytest.mark.parametrize("what", ["edit", "delete", "call"])
def test_a_route_of_another_workspace_is_not_there(mallory: User, route: Route, what: str) -> None:
    client = signed_in(mallory)

    assert client.get(f"/w/umbrella/routes/{route.pk}/{what}/").status_code == 404
    assert client.post(f"/w/umbrella/routes/{route.pk}/{what}/").status_code in (404, 405)
    assert Route.objects.exists()
