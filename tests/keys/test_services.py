"""Storing, switching, editing and deleting provider keys: what changes, what cannot, and what the audit log says."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from catalog.providers import PROVIDERS
from keys.credentials import OriginNotAllowed, SettingInvalid
from keys.crypto import CannotOpen
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import (
    KeyDeleted,
    NameTaken,
    NotCallable,
    SecretRequired,
    VersionRevoked,
    add_version,
    delete_provider_key,
    edit_provider_key,
    end_drained_versions,
    keyring,
    promote_version,
    request_test_call,
    revoke_version,
    set_provider_key_enabled,
    use_provider_key_again,
    versions_with_same_secret,
)
from providers.secret import Secret
from teams.models import AuditEvent, User, Workspace
from tests.concurrency import run_overtaken, run_together
from tests.factories import PLAINTEXT, make_provider_key

State = KeyVersion.State
NEW_PLAINTEXT = "sk-ant-api03-the-one-that-follows-9876543210"
PROXY, OTHER_PROXY = "https://proxy.test:8443", "https://other.test"


@pytest.fixture
def key(workspace: Workspace, settings: Any) -> ProviderKey:
    settings.ALLOWED_ORIGINS = frozenset([PROXY, OTHER_PROXY])
    return make_provider_key(workspace)


@pytest.fixture
def draft(key: ProviderKey, alice: User) -> KeyVersion:
    return add_version(key, secret=Secret(NEW_PLAINTEXT), actor=alice)


def states(key: ProviderKey) -> dict[int, str]:
    return dict(key.versions.order_by("number").values_list("number", "state"))


def plaintext_of(version: KeyVersion) -> str:
    version = KeyVersion.objects.select_related("provider_key").get(pk=version.pk)
    return keyring().open(version.sealed, version.seal_context).reveal()


# Create


def test_a_new_key_has_its_first_version_in_use(key: ProviderKey) -> None:
    version = key.versions.get()

    assert (version.number, version.state, version.hint) == (1, State.ACTIVE, PLAINTEXT[-4:])
    assert plaintext_of(version) == PLAINTEXT


def test_a_new_key_is_checked_once(key: ProviderKey) -> None:
    call = TestCall.objects.get()

    assert (call.version.provider_key, call.kind, call.state) == (key, "check", "queued")


def test_a_new_key_is_tried_after_those_that_are_there(workspace: Workspace, key: ProviderKey) -> None:
    later = make_provider_key(workspace, name="Second")

    assert (key.order, later.order) == (0, 1)


def test_a_name_is_taken_within_its_provider_only(workspace: Workspace, key: ProviderKey) -> None:
    make_provider_key(workspace, provider="simulated")

    with pytest.raises(NameTaken):
        make_provider_key(workspace)


def test_a_name_that_is_taken_stores_nothing(workspace: Workspace, key: ProviderKey) -> None:
    with pytest.raises(NameTaken):
        make_provider_key(workspace)

    assert KeyVersion.objects.count() == TestCall.objects.count() == AuditEvent.objects.count() == 1


def test_a_deleted_keys_name_is_free_again(workspace: Workspace, key: ProviderKey) -> None:
    delete_provider_key(key, actor=None)

    assert make_provider_key(workspace).name == key.name


def test_a_provider_the_gateway_cannot_call_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "openai", replace(PROVIDERS["openai"], is_callable=False))

    with pytest.raises(NotCallable):
        make_provider_key(workspace, provider="openai")


@pytest.mark.parametrize(("provider", "settings"), [("aws", {}), ("aws", {"region": "mars-1"}), ("google", {})])
def test_a_key_without_the_settings_it_needs_is_refused(
    workspace: Workspace, provider: str, settings: dict[str, str]
) -> None:
    with pytest.raises(SettingInvalid):
        make_provider_key(workspace, provider=provider, key_settings=settings)


def test_names_of_one_provider_differ_in_more_than_case(workspace: Workspace, key: ProviderKey) -> None:
    with pytest.raises(NameTaken):
        make_provider_key(workspace, name=key.name.upper(), plaintext=PLAINTEXT + "2")

    make_provider_key(workspace, provider="openai", name=key.name.upper(), plaintext="sk-proj-" + "x" * 20)


def test_a_secret_goes_to_allowed_origins_only(workspace: Workspace, key: ProviderKey) -> None:
    with pytest.raises(OriginNotAllowed):
        make_provider_key(workspace, name="Elsewhere", base_url="https://evil.test")

    assert ProviderKey.objects.count() == 1


def test_the_same_secret_pasted_twice_is_noticed(
    workspace: Workspace, other_workspace: Workspace, key: ProviderKey
) -> None:
    assert versions_with_same_secret(workspace, Secret(PLAINTEXT)) == [key.versions.get()]
    assert versions_with_same_secret(workspace, Secret(PLAINTEXT), but_not=key) == []
    assert versions_with_same_secret(workspace, Secret(NEW_PLAINTEXT)) == []
    assert versions_with_same_secret(other_workspace, Secret(PLAINTEXT)) == []


# Rotate


def test_a_draft_carries_no_traffic(key: ProviderKey, draft: KeyVersion) -> None:
    assert states(key) == {1: State.ACTIVE, 2: State.DRAFT}


def test_switching_keeps_the_old_version_as_fallback(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    before = timezone.now()

    promoted = promote_version(draft, grace=timedelta(hours=24), actor=alice)

    old = key.versions.get(number=1)
    assert states(key) == {1: State.DRAINING, 2: State.ACTIVE}
    assert promoted.promoted_at is not None
    assert old.draining_until is not None
    assert before + timedelta(hours=24) <= old.draining_until <= timezone.now() + timedelta(hours=24)
    assert plaintext_of(old) == PLAINTEXT


def test_switching_without_grace_ends_the_old_version(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    promote_version(draft, grace=timedelta(0), actor=alice)

    old = key.versions.get(number=1)
    assert (old.state, old.draining_until) == (State.REVOKED, None)
    assert old.revoked_at is not None


def test_switching_back_is_one_promotion(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    promote_version(draft, grace=timedelta(hours=1), actor=alice)

    back = promote_version(key.versions.get(number=1), grace=timedelta(hours=1), actor=alice)

    assert states(key) == {1: State.ACTIVE, 2: State.DRAINING}
    assert back.draining_until is None


def test_promoting_the_version_in_use_changes_nothing(key: ProviderKey, alice: User) -> None:
    promote_version(key.versions.get(), grace=timedelta(0), actor=alice)

    assert states(key) == {1: State.ACTIVE}
    assert not AuditEvent.objects.filter(action="provider_key.switch").exists()


def test_revoked_version_cannot_be_promoted(draft: KeyVersion, alice: User) -> None:
    revoke_version(draft, actor=alice)

    with pytest.raises(VersionRevoked):
        promote_version(draft, grace=timedelta(0), actor=alice)


def test_revoked_version_cannot_be_tested(draft: KeyVersion, alice: User) -> None:
    revoked = revoke_version(draft, actor=alice)

    with pytest.raises(VersionRevoked):
        request_test_call(revoked, kind=TestCall.Kind.CHECK, actor=alice)


def test_revoking_twice_changes_nothing(draft: KeyVersion, alice: User) -> None:
    first = revoke_version(draft, actor=alice)

    again = revoke_version(draft, actor=alice)

    assert again.revoked_at == first.revoked_at
    assert AuditEvent.objects.filter(action="provider_key.revoke_version").count() == 1


def test_a_fallback_ends_when_its_time_is_up(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    promote_version(draft, grace=timedelta(hours=1), actor=alice)
    assert end_drained_versions() == 0

    key.versions.filter(number=1).update(draining_until=timezone.now())

    assert end_drained_versions() == 1
    assert states(key) == {1: State.REVOKED, 2: State.ACTIVE}


# Edit


@pytest.mark.django_db(transaction=True)
def test_a_fallback_that_is_switched_back_to_does_not_end(key: ProviderKey) -> None:
    promote_version(add_version(key, secret=Secret(NEW_PLAINTEXT), actor=None), grace=timedelta(hours=1), actor=None)
    key.versions.filter(number=1).update(draining_until=timezone.now())
    first = key.versions.get(number=1)

    raised = run_overtaken(end_drained_versions, lambda: promote_version(first, grace=timedelta(hours=1), actor=None))

    assert raised == []
    assert states(key) == {1: State.ACTIVE, 2: State.DRAINING}


def test_editing_sets_what_was_changed(key: ProviderKey, alice: User) -> None:
    edited = edit_provider_key(key, changes={"name": "Renamed", "order": 4, "weight": 2}, actor=alice)

    assert (edited.name, edited.order, edited.weight) == ("Renamed", 4, 2)
    assert plaintext_of(key.versions.get()) == PLAINTEXT


def test_a_new_origin_needs_the_secret_again(key: ProviderKey, alice: User) -> None:
    with pytest.raises(SecretRequired):
        edit_provider_key(key, changes={"base_url": PROXY}, actor=alice)

    key.refresh_from_db()
    assert key.base_url == ""


def test_a_new_origin_ends_the_versions_bound_to_the_old_one(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    edit_provider_key(key, changes={"base_url": PROXY}, secret=Secret(NEW_PLAINTEXT), actor=alice)

    assert states(key) == {1: State.REVOKED, 2: State.REVOKED, 3: State.ACTIVE}
    assert plaintext_of(key.versions.get(number=3)) == NEW_PLAINTEXT


def test_another_path_at_the_same_origin_needs_no_secret(workspace: Workspace, key: ProviderKey, alice: User) -> None:
    proxied = make_provider_key(workspace, name="Proxied", base_url=PROXY)

    edit_provider_key(proxied, changes={"base_url": f"{PROXY}/team-a"}, actor=alice)

    assert plaintext_of(proxied.versions.get()) == PLAINTEXT


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"base_url": PROXY}, id="origin"),
        pytest.param({"provider": "simulated"}, id="provider"),
    ],
)
def test_a_change_past_the_services_makes_the_secret_unreadable(key: ProviderKey, change: dict[str, str]) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(**change)

    with pytest.raises(CannotOpen):
        plaintext_of(key.versions.get())


def test_an_origin_that_is_not_allowed_changes_nothing(key: ProviderKey, alice: User) -> None:
    with pytest.raises(OriginNotAllowed):
        edit_provider_key(
            key, changes={"base_url": "https://evil.test", "name": "Evil"}, secret=Secret(NEW_PLAINTEXT), actor=alice
        )

    key.refresh_from_db()
    assert (key.base_url, key.name) == ("", "Production")


def test_a_key_cannot_take_anothers_name(workspace: Workspace, key: ProviderKey, alice: User) -> None:
    other = make_provider_key(workspace, name="Second")

    with pytest.raises(NameTaken):
        edit_provider_key(other, changes={"name": key.name}, actor=alice)


def test_disabling_and_enabling(key: ProviderKey, alice: User) -> None:
    assert set_provider_key_enabled(key, enabled=False, actor=alice).enabled is False
    assert set_provider_key_enabled(key, enabled=True, actor=alice).enabled is True


# Delete


def test_deleting_wipes_every_secret_and_keeps_the_rows(key: ProviderKey, draft: KeyVersion, alice: User) -> None:
    delete_provider_key(key, actor=alice)

    key.refresh_from_db()
    assert key.deleted_at is not None
    assert key.enabled is False
    for version in key.versions.all():
        assert (bytes(version.ciphertext), bytes(version.wrapped_data_key)) == (b"", b"")
        assert version.state == State.REVOKED


def test_a_deleted_key_is_in_no_list(workspace: Workspace, key: ProviderKey, alice: User) -> None:
    delete_provider_key(key, actor=alice)

    assert not ProviderKey.objects.in_workspace(workspace).exists()
    assert not KeyVersion.objects.in_workspace(workspace).exists()


# Audit

CHANGES: dict[str, Callable[[ProviderKey, KeyVersion, User], object]] = {
    "provider_key.add_version": lambda key, draft, actor: add_version(key, secret=Secret(NEW_PLAINTEXT), actor=actor),
    "provider_key.switch": lambda key, draft, actor: promote_version(draft, grace=timedelta(hours=1), actor=actor),
    "provider_key.revoke_version": lambda key, draft, actor: revoke_version(draft, actor=actor),
    "provider_key.edit": lambda key, draft, actor: edit_provider_key(
        key, changes={"base_url": PROXY}, secret=Secret(NEW_PLAINTEXT), actor=actor
    ),
    "provider_key.disable": lambda key, draft, actor: set_provider_key_enabled(key, enabled=False, actor=actor),
    "provider_key.test_message": lambda key, draft, actor: request_test_call(
        draft, kind=TestCall.Kind.MESSAGE, model="claude-sonnet-4-6", actor=actor
    ),
    "provider_key.delete": lambda key, draft, actor: delete_provider_key(key, actor=actor),
}


@pytest.mark.parametrize("action", CHANGES)
def test_each_change_is_audited_without_its_secret(
    key: ProviderKey, draft: KeyVersion, alice: User, action: str
) -> None:
    AuditEvent.objects.all().delete()

    CHANGES[action](key, draft, alice)

    event = AuditEvent.objects.get(action=action)
    assert (event.actor, event.object_id, event.workspace_id) == (alice.email, str(key.pk), key.workspace_id)
    for written in AuditEvent.objects.all():
        text = json.dumps([written.before, written.after, written.object_name])
        assert PLAINTEXT not in text
        assert NEW_PLAINTEXT not in text


def test_a_change_that_fails_is_not_audited(key: ProviderKey, alice: User) -> None:
    AuditEvent.objects.all().delete()

    with pytest.raises(SecretRequired):
        edit_provider_key(key, changes={"base_url": PROXY}, actor=alice)

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda key: add_version(key, secret=Secret(NEW_PLAINTEXT), actor=None),
        lambda key: promote_version(key.versions.get(), grace=timedelta(0), actor=None),
        lambda key: revoke_version(key.versions.get(), actor=None),
        lambda key: edit_provider_key(key, changes={"name": "Renamed"}, actor=None),
        lambda key: set_provider_key_enabled(key, enabled=True, actor=None),
        lambda key: use_provider_key_again(key, actor=None),
        lambda key: delete_provider_key(key, actor=None),
    ],
)
def test_a_deleted_key_is_changed_no_more(key: ProviderKey, change: Callable[[ProviderKey], object]) -> None:
    stale = ProviderKey.objects.select_related("workspace").get(pk=key.pk)
    delete_provider_key(key, actor=None)

    with pytest.raises(KeyDeleted, match="was deleted meanwhile"):
        change(stale)

    assert states(key) == {1: State.REVOKED}


# At the same time


@pytest.mark.django_db(transaction=True)
def test_promotions_at_the_same_time_leave_one_version_in_use(key: ProviderKey) -> None:
    drafts = [add_version(key, secret=Secret(f"{NEW_PLAINTEXT}-{n}"), actor=None) for n in range(4)]

    raised = run_together(
        *(lambda draft=draft: promote_version(draft, grace=timedelta(hours=1), actor=None) for draft in drafts)
    )

    assert raised == []
    assert sorted(states(key).values()) == [State.ACTIVE, *[State.DRAINING] * 4]
    assert AuditEvent.objects.filter(action="provider_key.switch").count() == 4


@pytest.mark.django_db(transaction=True)
def test_promoting_and_revoking_at_the_same_time_never_revives_a_version(key: ProviderKey) -> None:
    for number in range(2, 6):
        draft = add_version(key, secret=Secret(NEW_PLAINTEXT), actor=None)

        raised = run_together(
            lambda draft=draft: promote_version(draft, grace=timedelta(hours=1), actor=None),
            lambda draft=draft: revoke_version(draft, actor=None),
        )

        assert {type(error) for error in raised} <= {VersionRevoked}
        assert states(key)[number] == State.REVOKED


@pytest.mark.django_db(transaction=True)
def test_versions_added_at_the_same_time_get_numbers_of_their_own(key: ProviderKey) -> None:
    raised = run_together(*[lambda: add_version(key, secret=Secret(NEW_PLAINTEXT), actor=None)] * 4)

    assert raised == []
    assert list(states(key)) == [1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_one_of_two_keys_created_at_the_same_time_gets_the_name(workspace: Workspace, settings: Any) -> None:
    raised = run_together(*[lambda: make_provider_key(workspace)] * 2)

    assert [type(error) for error in raised] == [NameTaken]
    assert ProviderKey.objects.count() == KeyVersion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_rolled_back_leaves_nothing(key: ProviderKey) -> None:
    with transaction.atomic():
        delete_provider_key(key, actor=None)
        transaction.set_rollback(True)

    key.refresh_from_db()
    assert key.deleted_at is None
    assert plaintext_of(key.versions.get()) == PLAINTEXT
    assert not AuditEvent.objects.filter(action="provider_key.delete").exists()
