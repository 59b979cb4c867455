"""Signing in and out; nobody signs up by themselves."""

import re
from urllib.parse import parse_qs

import pytest
from django.test import Client

from teams.models import User, Workspace
from tests.factories import PASSWORD
from tests.pages import signed_in, text_of

LOGIN = "/accounts/login/"


@pytest.fixture
def credentials(alice: User) -> dict[str, str]:
    return {"login": alice.email, "password": PASSWORD}


def test_signed_out_the_root_leads_to_the_form_and_back(client: Client, db: None) -> None:
    assert client.get("/").headers["Location"] == f"{LOGIN}?next=/"


def test_the_form_has_the_fields_login_and_password(client: Client, db: None) -> None:
    content = client.get(LOGIN).content

    assert b'name="login"' in content
    assert b'name="password"' in content


def test_signing_in_leads_back_to_where_one_was_going(client: Client, credentials: dict[str, str]) -> None:
    answer = client.post(LOGIN, credentials | {"next": "/w/acme/byok/"})

    assert answer.headers["Location"] == "/w/acme/byok/"


def test_signing_in_leads_nowhere_else(client: Client, credentials: dict[str, str]) -> None:
    answer = client.post(LOGIN, credentials | {"next": "https://evil.test/"})

    assert answer.headers["Location"] == "/"


def test_the_root_leads_to_the_workspace(alice: User) -> None:
    assert signed_in(alice).get("/").headers["Location"] == "/w/acme/overview/"


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client: Client, credentials: dict[str, str]
) -> None:
    wrong = text_of(client.post(LOGIN, credentials | {"password": "not this one at all"}))
    unknown = text_of(client.post(LOGIN, credentials | {"login": "nobody@example.com"}))

    assert wrong.replace(credentials["login"], "X") == unknown.replace("nobody@example.com", "X")


def test_a_password_is_never_echoed(client: Client, credentials: dict[str, str]) -> None:
    answer = client.post(LOGIN, credentials | {"password": "not this one at all"})

    assert b"not this one at all" not in answer.content


def test_signing_out_ends_the_session(alice: User) -> None:
    client = signed_in(alice)

    client.post("/accounts/logout/")

    assert client.get("/account/").status_code == 302


def test_the_button_in_the_menu_signs_out(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    page = client.get("/account/").content.decode()
    [form] = re.findall(r'action="/accounts/logout/">(.*?)</form>', page, re.DOTALL)
    fields = dict(re.findall(r'name="(\w+)" value="(\w+)"', form))

    client.post("/accounts/logout/", fields)

    assert client.get("/account/").status_code == 302


def test_signing_up_makes_no_user(client: Client, alice: User) -> None:
    fields = {"email": "eve@example.com", "password1": PASSWORD, "password2": PASSWORD}

    client.post("/accounts/signup/", fields)

    assert list(User.objects.values_list("email", flat=True)) == ["alice@example.com"]


def test_the_sign_up_page_says_that_it_is_closed(client: Client, db: None) -> None:
    assert "Sign-up is closed" in text_of(client.get("/accounts/signup/"))


def test_a_fragment_asked_for_after_the_session_ended_reloads_the_page(client: Client, workspace: Workspace) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/w/acme/usage/?range=7d&group_by=project"}

    answer = client.get("/w/acme/models/?q=opus", headers=headers)

    path, _, query = answer.headers["HX-Redirect"].partition("?")
    assert (path, parse_qs(query)) == (LOGIN, {"next": ["/w/acme/usage/?range=7d&group_by=project"]})


def test_a_member_of_no_workspace_is_told_so(db: None) -> None:
    nobody = User.objects.create_user("nobody@example.com", PASSWORD)

    assert "You are in no workspace" in text_of(signed_in(nobody).get("/"))


def test_the_password_can_be_changed(alice: User) -> None:
    fields = {"oldpassword": PASSWORD, "password1": "another passphrase", "password2": "another passphrase"}

    signed_in(alice).post("/accounts/password/change/", fields)

    alice.refresh_from_db()
    assert alice.check_password("another passphrase")
