"""Setting up, and making and ending gateway keys."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from teams.models import AuditEvent, GatewayKey, GatewayKeySecret, Membership, Role, SetupLink, User, Workspace
from teams.services import (
    KeyRevoked,
    NameTaken,
    SetupLinkUsed,
    create_gateway_key,
    ensure_admin,
    ensure_workspace,
    is_setup_link_valid,
    revoke_gateway_key,
    set_up,
    setup_link,
)
from teams.tokens import TokenKind, hash_token, read_public_id
from tests.concurrency import run_together
from tests.factories import make_gateway_key, make_management_key

OWNER: dict[str, Any] = {
    "email": "Alice@Example.com",
    "password": "a passphrase for tests",
    "workspace_name": "Acme",
    "time_zone": "Europe/Berlin",
}


def token_of(link: str | None) -> str:
    assert link is not None
    return link.rstrip("/").rsplit("/", 1)[1]


# Set-up


def test_the_setup_link_makes_the_owner_and_the_workspace(db: None) -> None:
    user, workspace = set_up(token_of(setup_link()), **OWNER)

    assert (user.email, user.check_password(OWNER["password"])) == ("alice@example.com", True)
    assert (workspace.slug, workspace.name, workspace.time_zone) == ("default", "Acme", "Europe/Berlin")
    assert Membership.objects.get().role == Role.OWNER


def test_the_setup_link_works_once(db: None) -> None:
    token = token_of(setup_link())
    set_up(token, **OWNER)

    with pytest.raises(SetupLinkUsed):
        set_up(token, **OWNER | {"email": "mallory@example.com"})

    assert User.objects.count() == 1


def test_a_newer_link_ends_the_one_before(db: None) -> None:
    older, newer = token_of(setup_link()), token_of(setup_link())

    assert not is_setup_link_valid(older)
    assert is_setup_link_valid(newer)
    with pytest.raises(SetupLinkUsed):
        set_up(older, **OWNER)


def test_the_link_itself_is_not_stored(db: None) -> None:
    token = token_of(setup_link())

    assert bytes(SetupLink.objects.get().sha256) == hash_token(token)


def test_there_is_no_link_once_there_is_a_user(alice: User) -> None:
    assert setup_link() is None


def test_setting_up_takes_the_workspace_that_a_management_key_made(db: None) -> None:
    first = ensure_workspace()

    _, workspace = set_up(token_of(setup_link()), **OWNER)

    assert workspace == first
    assert Workspace.objects.count() == 1


def test_the_environments_admin_owns_the_default_workspace(db: None) -> None:
    user = ensure_admin("Ops@Example.com", "a passphrase for tests")

    membership = Membership.objects.get(user=user)
    assert (membership.role, membership.workspace.slug) == (Role.OWNER, "default")


def test_the_environments_admin_is_made_once_and_keeps_the_password(db: None) -> None:
    first = ensure_admin("ops@example.com", "a passphrase for tests")

    again = ensure_admin("ops@example.com", "another passphrase")

    assert again == first
    assert again.check_password("a passphrase for tests")


def test_the_environments_admin_ends_the_setup_link(db: None) -> None:
    token = token_of(setup_link())

    ensure_admin("ops@example.com", "a passphrase for tests")

    assert not is_setup_link_valid(token)


def test_the_environments_admin_joins_the_workspace_that_is_there(workspace: Workspace) -> None:
    user = ensure_admin("ops@example.com", "a passphrase for tests")

    assert Membership.objects.get(user=user).workspace == workspace


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_at_once_make_one_workspace() -> None:
    assert run_together(*[ensure_workspace] * 4) == []

    assert Workspace.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_at_once_make_one_admin() -> None:
    assert run_together(*[lambda: ensure_admin("ops@example.com", "a passphrase for tests")] * 4) == []

    assert User.objects.count() == Membership.objects.count() == Workspace.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_of_two_who_open_the_link_at_once_becomes_the_owner() -> None:
    token = token_of(setup_link())

    raised = run_together(*(lambda n=n: set_up(token, **OWNER | {"email": f"{n}@example.com"}) for n in range(2)))

    assert [type(error) for error in raised] == [SetupLinkUsed]
    assert User.objects.count() == 1


# Gateway keys


def test_a_new_key_stores_its_hash_and_not_its_text(workspace: Workspace) -> None:
    created = make_gateway_key(workspace)

    secret = GatewayKeySecret.objects.get(key=created.key)
    assert bytes(secret.sha256) == hash_token(created.token.text)
    assert created.key.public_id == read_public_id(created.token.text, TokenKind.GATEWAY)
    assert created.key.masked == f"sk-orq-{created.key.public_id}-…{created.token.text[-4:]}"


def test_a_management_key_is_a_kind_of_its_own(workspace: Workspace) -> None:
    created = make_management_key(workspace)

    assert created.token.text.startswith("mk-orq-")
    assert created.key.masked.startswith("mk-orq-")
    assert not GatewayKey.objects.for_clients().exists()


def test_a_name_is_taken_within_its_kind_and_workspace(workspace: Workspace, other_workspace: Workspace) -> None:
    make_gateway_key(workspace, name="app")
    make_gateway_key(other_workspace, name="app")
    make_management_key(workspace, name="app")

    with pytest.raises(NameTaken):
        make_gateway_key(workspace, name="app")


def test_a_revoked_keys_name_is_free_again(workspace: Workspace) -> None:
    revoke_gateway_key(make_gateway_key(workspace, name="app").key, actor=None)

    assert make_gateway_key(workspace, name="app").key.status == "active"


def test_revoking_ends_a_key_for_good(workspace: Workspace, alice: User) -> None:
    key = make_gateway_key(workspace).key

    revoked = revoke_gateway_key(key, actor=alice)

    assert revoked.status == "revoked"
    assert not GatewayKey.objects.usable().exists()
    with pytest.raises(KeyRevoked):
        revoke_gateway_key(key, actor=alice)


def test_a_key_ends_by_itself(workspace: Workspace) -> None:
    key = make_gateway_key(workspace, expires_at=timezone.now() - timedelta(seconds=1)).key

    assert key.status == "expired"
    assert not GatewayKey.objects.usable().exists()


def test_making_and_revoking_are_audited_without_the_text(workspace: Workspace, alice: User) -> None:
    created = create_gateway_key(workspace, name="app", actor=alice, owner=alice)
    revoke_gateway_key(created.key, actor=alice)

    events = AuditEvent.objects.order_by("pk")
    assert [(event.actor, event.action) for event in events] == [
        (alice.email, "gateway_key.create"),
        (alice.email, "gateway_key.revoke"),
    ]
    secret = created.token.text.split("-")[-1]
    assert not any(secret in str([event.before, event.after, event.object_name]) for event in events)


@pytest.mark.django_db(transaction=True)
def test_one_of_two_who_revoke_at_once_does(workspace: Workspace) -> None:
    key = make_gateway_key(workspace).key

    raised = run_together(*[lambda: revoke_gateway_key(key, actor=None)] * 2)

    assert [type(error) for error in raised] == [KeyRevoked]
    assert AuditEvent.objects.filter(action="gateway_key.revoke").count() == 1
