"""Prompts are stored only where somebody with the right said so, and go when they say so."""

import pytest
from django.test import Client
from django.utils import timezone

from keys.crypto import CannotOpen
from keys.models import PromptKey
from keys.prompts import load_sealers
from teams.models import AuditEvent, Role, User, Workspace
from tests.factories import make_member
from tests.pages import signed_in, text_of
from tests.usage.exchanges import ANSWERED, ASKED, keep
from usage.models import StoredExchange
from usage.prompt_storage import delete_stored_prompts, read_stored, set_prompt_storage
from usage.tasks import forget_exchanges

STORAGE, DELETION, SETTINGS = (f"/w/acme/settings/{page}" for page in ("prompts/", "prompts/delete/", ""))


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def storing(workspace: Workspace, alice: User) -> Workspace:
    return set_prompt_storage(workspace, store=True, retention_days=7, actor=alice)


def test_nothing_is_stored_unless_it_is_switched_on(workspace: Workspace, owner: Client) -> None:
    assert not workspace.store_prompts
    assert load_sealers() == {}
    assert "Not stored" in text_of(owner.get(SETTINGS))


def test_owner_switches_it_on_and_it_is_audited(owner: Client, workspace: Workspace) -> None:
    answer = owner.post(STORAGE, {"store_prompts": "on", "retention_days": "30"})

    workspace.refresh_from_db()
    assert answer.headers["Location"] == SETTINGS
    assert (workspace.store_prompts, workspace.prompt_retention_days) == (True, 30)
    assert load_sealers()[workspace.pk].retention_days == 30
    event = AuditEvent.objects.get(action="workspace.set_prompt_storage")
    assert (event.before["store_prompts"], event.after["store_prompts"]) == (False, True)
    assert "Stored for 30 days" in text_of(owner.get(SETTINGS))


def test_a_warning_says_what_prompts_hold(owner: Client) -> None:
    assert "personal data" in text_of(owner.get(STORAGE))


@pytest.mark.parametrize("days", ["0", "91", "-1", "", "a week"])
def test_a_time_out_of_bounds_is_refused(owner: Client, workspace: Workspace, days: str) -> None:
    answer = owner.post(STORAGE, {"store_prompts": "on", "retention_days": days})

    workspace.refresh_from_db()
    assert answer.status_code == 422
    assert not workspace.store_prompts


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
@pytest.mark.parametrize("page", [STORAGE, DELETION])
def test_others_may_not(workspace: Workspace, role: Role, page: str) -> None:
    member = signed_in(make_member(workspace, "m@example.com", role))

    assert member.post(page, {"store_prompts": "on", "retention_days": "7"}).status_code == 403


def test_switching_off_keeps_what_is_stored_unless_asked(owner: Client, storing: Workspace) -> None:
    keep(storing)

    owner.post(STORAGE, {"retention_days": "7"})

    assert load_sealers() == {}
    assert StoredExchange.objects.count() == 1


def test_switching_off_offers_to_delete_what_is_stored(owner: Client, storing: Workspace) -> None:
    keep(storing)
    assert "delete what is stored already: 1 request" in text_of(owner.get(STORAGE))

    owner.post(STORAGE, {"retention_days": "7", "delete_stored": "on"})

    assert not StoredExchange.objects.exists()
    assert not PromptKey.objects.exists()


def test_staying_on_deletes_nothing(owner: Client, storing: Workspace) -> None:
    keep(storing)

    owner.post(STORAGE, {"store_prompts": "on", "retention_days": "7", "delete_stored": "on"})

    assert StoredExchange.objects.count() == 1


def test_all_is_deleted_at_once_and_storage_goes_on(owner: Client, storing: Workspace) -> None:
    keep(storing)
    before = PromptKey.objects.get().pk

    answer = owner.post(DELETION, follow=True)

    assert "Deleted 1 stored prompt." in text_of(answer)
    assert not StoredExchange.objects.exists()
    assert load_sealers()[storing.pk].key_id != before
    assert AuditEvent.objects.get(action="workspace.delete_stored_prompts").before == {"exchanges": 1}


def test_deletion_leaves_other_tenants_alone(storing: Workspace, other_workspace: Workspace) -> None:
    set_prompt_storage(other_workspace, store=True, retention_days=7, actor=None)
    theirs = keep(other_workspace)

    delete_stored_prompts(storing, actor=None)

    assert StoredExchange.objects.get() == theirs
    assert read_stored(theirs, other_workspace, actor=None).request == ASKED


def test_deletion_is_offered_only_where_there_is_something(owner: Client, storing: Workspace) -> None:
    assert "Delete stored prompts now" not in text_of(owner.get(SETTINGS))
    keep(storing)

    assert "Delete stored prompts now" in text_of(owner.get(SETTINGS))


def test_shorter_time_holds_for_what_is_stored_already(storing: Workspace) -> None:
    old, new = keep(storing, days_ago=5), keep(storing, days_ago=1)

    set_prompt_storage(storing, store=True, retention_days=3, actor=None)
    forget_exchanges()

    assert list(StoredExchange.objects.all()) == [new]
    assert old.pk != new.pk


def test_longer_time_holds_for_what_comes_only(storing: Workspace) -> None:
    stored = keep(storing)

    set_prompt_storage(storing, store=True, retention_days=90, actor=None)

    assert StoredExchange.objects.get().expires_at == stored.expires_at


def test_what_is_over_is_not_shown_even_before_it_is_deleted(storing: Workspace) -> None:
    keep(storing, days_ago=6.9)
    StoredExchange.objects.update(expires_at=timezone.now())

    assert not StoredExchange.objects.in_workspace(storing).exists()


def test_expired_prompts_are_deleted(storing: Workspace) -> None:
    keep(storing)
    StoredExchange.objects.update(expires_at=timezone.now())

    forget_exchanges()

    assert not StoredExchange.objects.exists()


def test_reading_one_is_audited(storing: Workspace, alice: User) -> None:
    stored = keep(storing)

    exchange = read_stored(stored, storing, actor=alice)

    assert (exchange.request, exchange.answer) == (ASKED, ANSWERED)
    event = AuditEvent.objects.get(action="prompt.read")
    assert (event.actor, event.after) == (alice.email, {"request": stored.request_id})


def test_another_workspace_cannot_open_it(storing: Workspace, other_workspace: Workspace) -> None:
    stored = keep(storing)

    with pytest.raises(CannotOpen):
        read_stored(stored, other_workspace, actor=None)


def test_swapped_sides_do_not_open(storing: Workspace) -> None:
    stored = keep(storing)
    stored.sealed_request, stored.sealed_answer = stored.sealed_answer, stored.sealed_request

    with pytest.raises(CannotOpen):
        read_stored(stored, storing, actor=None)


def test_deleting_the_workspace_key_is_all_it_takes(storing: Workspace) -> None:
    stored = keep(storing)
    PromptKey.objects.all().delete()

    with pytest.raises(CannotOpen):
        read_stored(stored, storing, actor=None)


def test_master_keys_count_the_prompt_key(owner: Client, storing: Workspace) -> None:
    [row] = owner.get(SETTINGS).context["master_keys"]

    assert row.secrets == 1
