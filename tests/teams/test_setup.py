"""The set-up link: it makes the owner and the workspace, once."""

import pytest
from django.test import Client

from teams.models import Membership, Role, User, Workspace
from teams.services import setup_link
from tests.factories import PASSWORD
from tests.pages import text_of

pytestmark = pytest.mark.django_db
FIELDS = {
    "email": "ada@example.com",
    "password": PASSWORD,
    "workspace_name": "Analytical Engines",
    "time_zone": "Asia/Kathmandu",
}


@pytest.fixture
def path() -> str:
    link = setup_link()
    assert link is not None
    return "/setup/" + link.rstrip("/").rsplit("/", 1)[1] + "/"


def test_it_asks_for_four_things_and_no_more(client: Client, path: str) -> None:
    form = client.get(path).context["form"]

    assert list(form.fields) == ["email", "password", "workspace_name", "time_zone"]


def test_it_makes_the_owner_of_the_named_workspace(client: Client, path: str) -> None:
    client.post(path, FIELDS)

    membership = Membership.objects.get()
    assert (membership.user.email, membership.role) == ("ada@example.com", Role.OWNER)
    assert (membership.workspace.name, membership.workspace.time_zone) == ("Analytical Engines", "Asia/Kathmandu")


def test_it_signs_the_owner_in_and_lands_on_overview(client: Client, path: str) -> None:
    answer = client.post(path, FIELDS)

    assert answer.headers["Location"] == "/w/default/overview/"
    assert client.get("/account/").status_code == 200


def test_a_used_link_says_so(client: Client, path: str) -> None:
    client.post(path, FIELDS)

    answer = Client().get(path)

    assert answer.status_code == 410
    assert "does not work any more" in text_of(answer)


def test_a_used_link_makes_no_second_user(client: Client, path: str) -> None:
    client.post(path, FIELDS)

    Client().post(path, FIELDS | {"email": "eve@example.com"})

    assert User.objects.count() == 1


def test_the_link_of_an_earlier_start_does_not_work(client: Client, path: str) -> None:
    setup_link()

    assert client.get(path).status_code == 410


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 10 characters"),
        ("password1234", "too common"),
        ("ada@example.com", "too similar"),
    ],
)
def test_a_weak_password_is_refused_at_its_field(client: Client, path: str, password: str, why: str) -> None:
    answer = client.post(path, FIELDS | {"password": password})

    assert why in " ".join(answer.context["form"].errors["password"])
    assert not User.objects.exists()


def test_a_refused_password_stands_nowhere_in_the_answer(client: Client, path: str) -> None:
    answer = client.post(path, FIELDS | {"password": "password1234"})

    assert b"password1234" not in answer.content


def test_a_refusal_keeps_what_else_was_typed(client: Client, path: str) -> None:
    answer = client.post(path, FIELDS | {"password": ""})

    assert b'value="Analytical Engines"' in answer.content
    assert b'<option value="Asia/Kathmandu" selected>' in answer.content


def test_a_zone_that_does_not_exist_is_refused(client: Client, path: str) -> None:
    answer = client.post(path, FIELDS | {"time_zone": "Mars/Olympus"})

    assert "time_zone" in answer.context["form"].errors


def test_it_keeps_the_workspace_that_was_there_before_it(client: Client, path: str) -> None:
    Workspace.objects.create(slug="default", name="Default")

    client.post(path, FIELDS)

    assert list(Workspace.objects.values_list("slug", "name")) == [("default", "Analytical Engines")]


def test_no_cache_keeps_the_page(client: Client, path: str) -> None:
    assert "no-store" in client.get(path).headers["Cache-Control"]
