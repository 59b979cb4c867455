"""Settings, one's account, the first steps and the sidebar."""

import pytest
from django.test import Client

from keys.models import KeyVersion
from teams.models import AuditEvent, Role, User, Workspace
from tests.factories import make_member, make_provider_key
from tests.pages import signed_in, text_of

SETTINGS = "/w/acme/settings/"


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


def menu_of(client: Client) -> list[str]:
    navigation = client.get("/account/").context["navigation"]()
    return [link.label for group in navigation.groups for link in group.links]


def test_name_and_zone_are_changed(owner: Client, workspace: Workspace) -> None:
    owner.post(SETTINGS, {"name": "Acme Labs", "time_zone": "Europe/Berlin"})

    workspace.refresh_from_db()
    assert (workspace.name, workspace.time_zone) == ("Acme Labs", "Europe/Berlin")


def test_a_change_is_audited_with_what_was_before(owner: Client) -> None:
    owner.post(SETTINGS, {"name": "Acme Labs", "time_zone": "UTC"})

    event = AuditEvent.objects.get(action="workspace.edit")
    assert (event.before["name"], event.after["name"]) == ("Acme", "Acme Labs")


def test_an_unknown_zone_is_refused(owner: Client, workspace: Workspace) -> None:
    owner.post(SETTINGS, {"name": "Acme", "time_zone": "Nowhere/At_All"})

    workspace.refresh_from_db()
    assert workspace.time_zone == "UTC"


def test_master_keys_are_listed_with_how_much_each_seals(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)

    [row] = owner.get(SETTINGS).context["master_keys"]

    assert (row.is_primary, row.is_configured, row.secrets) == (True, True, 1)


def test_a_master_key_that_nobody_configured_is_shown_as_missing(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)
    KeyVersion.objects.update(master_key_id="lost")

    assert "Missing: its secrets cannot be opened" in text_of(owner.get(SETTINGS))


def test_times_are_shown_in_the_workspaces_zone(owner: Client, workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kathmandu")
    make_provider_key(workspace)

    key = workspace.provider_keys.get()
    assert "+0545" in text_of(owner.get(f"/w/acme/byok/{key.pk}/"))


def test_ones_own_zone_goes_before_the_workspaces(owner: Client, workspace: Workspace, alice: User) -> None:
    owner.post("/account/", {"time_zone": "Asia/Tokyo"})
    make_provider_key(workspace)

    alice.refresh_from_db()
    assert alice.time_zone == "Asia/Tokyo"
    key = workspace.provider_keys.get()
    assert " JST" in text_of(owner.get(f"/w/acme/byok/{key.pk}/"))


def test_the_last_sign_in_is_told_in_the_workspaces_zone(owner: Client, workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kathmandu")

    assert "+0545" in text_of(owner.get("/account/"))


def test_the_first_steps_are_there_until_dismissed(owner: Client) -> None:
    assert [step.is_done for step in owner.get(SETTINGS).context["checklist"]()] == [False] * 5

    owner.post("/w/acme/checklist/dismiss/")

    assert owner.get(SETTINGS).context["checklist"]() == []


def test_connecting_a_provider_is_a_step_done(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)

    done = [step.title for step in owner.get(SETTINGS).context["checklist"]() if step.is_done]

    assert done == ["Connect a provider"]


def test_saving_the_master_key_is_a_step_done(owner: Client) -> None:
    owner.post(f"{SETTINGS}master-key-copied/")

    done = [step.title for step in owner.get(SETTINGS).context["checklist"]() if step.is_done]

    assert done == ["Save the master key"]


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        (Role.OWNER, set()),
        (Role.DEVELOPER, {"BYOK", "Settings"}),
        (Role.VIEWER, {"BYOK", "API Keys", "Requests", "Settings"}),
    ],
)
def test_the_sidebar_has_the_pages_that_the_role_opens(workspace: Workspace, role: Role, hidden: set[str]) -> None:
    everything = menu_of(signed_in(make_member(workspace, "owner@example.com", Role.OWNER)))

    shown = menu_of(signed_in(make_member(workspace, "member@example.com", role)))

    assert shown == [label for label in everything if label not in hidden]
