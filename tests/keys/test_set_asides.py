"""Versions left out for a while: noted once, told to the gateways, and ended by whatever disproves the reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.services import (
    TestResult,
    add_version,
    clear_set_aside,
    delete_provider_key,
    edit_provider_key,
    finish_test_call,
    note_set_aside,
    promote_version,
    request_test_call,
    revoke_version,
    set_provider_key_enabled,
    use_provider_key_again,
)
from providers.base import Outcome
from providers.secret import Secret
from teams.models import AuditEvent, User, Workspace
from tests.factories import PLAINTEXT, make_provider_key

MODEL, OTHER = "claude-opus-4-6", "claude-sonnet-4-6"


@pytest.fixture
def key(workspace: Workspace) -> ProviderKey:
    return make_provider_key(workspace)


@pytest.fixture
def later() -> datetime:
    return timezone.now() + timedelta(hours=1)


def note(key: ProviderKey, until: datetime, outcome: Outcome = Outcome.INVALID_CREDENTIAL, model: str = "") -> None:
    note_set_aside(key.pk, 1, model, outcome, "Refused.", until)


def noted() -> set[str]:
    """The models that something is noted for."""
    return set(SetAside.objects.values_list("model", flat=True))


def snapshot_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(version), 0) FROM router_snapshotversion")
        return int(cursor.fetchone()[0])


# Noting


def test_what_is_noted_stands_there_with_its_reason(key: ProviderKey, later: datetime) -> None:
    note_set_aside(key.pk, 1, MODEL, Outcome.NO_PERMISSION, "Not enabled.", later)

    [row] = key.set_asides.all()
    assert (row.version, row.model, row.outcome, row.detail, row.until) == (
        1,
        MODEL,
        "no_permission",
        "Not enabled.",
        later,
    )


def test_a_repeat_writes_nothing_and_wakes_no_gateway(key: ProviderKey, later: datetime) -> None:
    note(key, later)
    before = snapshot_version()

    note(key, later)

    assert (SetAside.objects.count(), snapshot_version()) == (1, before)


def test_a_later_end_prolongs_and_keeps_when_it_began(key: ProviderKey, later: datetime) -> None:
    note(key, later)
    since = SetAside.objects.get().since

    note(key, later + timedelta(hours=1))

    row = SetAside.objects.get()
    assert (row.since, row.until) == (since, later + timedelta(hours=1))


def test_an_earlier_end_does_not_shorten(key: ProviderKey, later: datetime) -> None:
    note(key, later)

    note(key, later - timedelta(minutes=30), Outcome.NO_CREDIT)

    row = SetAside.objects.get()
    assert (row.outcome, row.until) == ("no_credit", later)


def test_each_model_is_noted_for_itself(key: ProviderKey, later: datetime) -> None:
    note(key, later)
    note(key, later, model=MODEL)

    assert noted() == {"", MODEL}


def test_a_long_reason_is_cut_to_its_column(key: ProviderKey, later: datetime) -> None:
    note_set_aside(key.pk, 1, "", Outcome.NO_CREDIT, "x" * 1000, later)

    assert len(SetAside.objects.get().detail) == 300


def test_what_is_gone_is_not_noted(key: ProviderKey, later: datetime) -> None:
    revoke_version(key.versions.get(), actor=None)

    for key_id, number in ((key.pk, 1), (key.pk, 7), (uuid4(), 1)):
        assert note_set_aside(key_id, number, "", Outcome.NO_CREDIT, "", later) is None
    assert noted() == set()


# Ending


def test_a_success_ends_it_for_its_model_and_for_all(key: ProviderKey, later: datetime) -> None:
    for model in ("", MODEL, OTHER):
        note(key, later, model=model)

    assert clear_set_aside(key.pk, 1, MODEL) == 2

    assert noted() == {OTHER}


def test_ending_what_is_not_there_wakes_no_gateway(key: ProviderKey) -> None:
    before = snapshot_version()

    assert clear_set_aside(key.pk, 1, MODEL) == 0

    assert snapshot_version() == before


def test_both_noting_and_ending_wake_the_gateways(key: ProviderKey, later: datetime) -> None:
    before = snapshot_version()
    note(key, later)
    between = snapshot_version()
    clear_set_aside(key.pk, 1)

    assert before < between < snapshot_version()


def _switch(key: ProviderKey) -> None:
    promote_version(add_version(key, secret=Secret(PLAINTEXT + "2"), actor=None), grace=timedelta(hours=1), actor=None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_switch, id="switched"),
        pytest.param(lambda key: edit_provider_key(key, changes={"weight": 3}, actor=None), id="edited"),
        pytest.param(lambda key: set_provider_key_enabled(key, enabled=True, actor=None), id="enabled again"),
        pytest.param(lambda key: revoke_version(key.versions.get(), actor=None), id="revoked"),
        pytest.param(lambda key: delete_provider_key(key, actor=None), id="deleted"),
        pytest.param(lambda key: use_provider_key_again(key, actor=None), id="used again"),
    ],
)
def test_whoever_changes_the_key_ends_it(
    key: ProviderKey, later: datetime, change: Callable[[ProviderKey], object]
) -> None:
    note(key, later)
    note(key, later, Outcome.NO_PERMISSION, MODEL)

    change(key)

    assert noted() == set()


def test_disabling_and_drafts_leave_it_as_it_is(key: ProviderKey, later: datetime) -> None:
    note(key, later)

    set_provider_key_enabled(key, enabled=False, actor=None)
    add_version(key, secret=Secret(PLAINTEXT + "2"), actor=None)

    assert noted() == {""}


def test_another_key_keeps_its_own(workspace: Workspace, key: ProviderKey, later: datetime) -> None:
    other = make_provider_key(workspace, name="Other", plaintext=PLAINTEXT + "2")
    note(other, later)

    use_provider_key_again(key, actor=None)

    assert other.set_asides.exists()


def test_using_again_is_audited(key: ProviderKey, later: datetime, alice: User) -> None:
    note(key, later)

    use_provider_key_again(key, actor=alice)

    assert AuditEvent.objects.get(action="provider_key.use_again").actor == alice.email


@pytest.mark.parametrize(
    ("kind", "model", "outcome", "left"),
    [
        (TestCall.Kind.CHECK, "", Outcome.OK, {MODEL}),
        (TestCall.Kind.CHECK, "", Outcome.INVALID_CREDENTIAL, {"", MODEL}),
        (TestCall.Kind.MESSAGE, MODEL, Outcome.OK, set()),
        (TestCall.Kind.MESSAGE, OTHER, Outcome.OK, {MODEL}),
        (TestCall.Kind.MESSAGE, MODEL, Outcome.NO_PERMISSION, {"", MODEL}),
    ],
)
def test_a_test_call_ends_what_it_disproves(
    key: ProviderKey, later: datetime, kind: TestCall.Kind, model: str, outcome: Outcome, left: set[str]
) -> None:
    note(key, later, Outcome.INVALID_CREDENTIAL)
    note(key, later, Outcome.NO_PERMISSION, MODEL)
    version = KeyVersion.objects.select_related("provider_key").get()
    call = request_test_call(version, kind=kind, model=model, actor=None)

    finish_test_call(call, TestResult(outcome, "Because.", 12))

    assert noted() == left


def test_a_check_proves_no_credit(key: ProviderKey, later: datetime) -> None:
    note(key, later, Outcome.NO_CREDIT)
    version = KeyVersion.objects.select_related("provider_key").get()
    call = request_test_call(version, kind=TestCall.Kind.CHECK, actor=None)

    finish_test_call(call, TestResult(Outcome.OK, "Checked.", 12))

    assert noted() == {""}
