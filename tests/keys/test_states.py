"""In which state a key is: one answer for BYOK, Models, routes and Overview."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from keys.connections import workspace_reach
from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.services import (
    TestResult,
    add_version,
    edit_provider_key,
    finish_test_call,
    note_set_aside,
    promote_version,
    request_test_call,
    revoke_version,
)
from keys.states import KeyState, key_states
from providers.base import Outcome
from providers.secret import Secret
from teams.models import Workspace
from tests.factories import PLAINTEXT, make_provider_key
from tests.usage.samples import make_record, record


@pytest.fixture
def key(workspace: Workspace) -> ProviderKey:
    return make_provider_key(workspace)


def state_of(key: ProviderKey) -> KeyState:
    [state] = key_states([ProviderKey.objects.get(pk=key.pk)])
    return state


def is_provider_failing(key: ProviderKey) -> bool | None:
    """Whether the pages call the key's provider failing; None if it counts as not connected."""
    reach = workspace_reach(key.workspace)
    return key.provider in reach.failing if key.provider in reach.targets else None


def check(key: ProviderKey, outcome: Outcome, at: datetime | None = None) -> None:
    """Let a check of the version in use have ended with ``outcome``, now or ``at`` a time."""
    call = request_test_call(key.versions.active().get(), kind=TestCall.Kind.CHECK, actor=None)
    finish_test_call(call, TestResult(outcome, "Why.", 9))
    if at:
        TestCall.objects.filter(version__provider_key=key).update(queued_at=at, finished_at=at)


def record_call(key: ProviderKey, at: datetime, *, version: int = 1, status: int = 200) -> None:
    settled = {"status": status, "error_code": "" if status == 200 else "provider_error"}
    record(make_record(key.workspace, at=at, provider_key=key.pk, provider_key_version=version, settled=settled))


def test_a_key_that_cannot_be_opened_fails(key: ProviderKey) -> None:
    check(key, Outcome.OK)
    KeyVersion.objects.update(master_key_id="lost")

    assert (state_of(key).status.word, is_provider_failing(key)) == ("Cannot be opened", True)


def test_a_key_without_a_version_in_use_fails_and_connects_nothing(key: ProviderKey) -> None:
    revoke_version(key.versions.get(), actor=None)

    assert state_of(key).status.is_failing
    assert is_provider_failing(key) is None


def test_a_key_set_aside_fails_until_its_time_is_up(key: ProviderKey) -> None:
    check(key, Outcome.OK)
    note_set_aside(key.pk, 1, "", Outcome.NO_CREDIT, "", timezone.now() + timedelta(hours=1))
    assert (state_of(key).status.is_failing, is_provider_failing(key)) == (True, True)

    SetAside.objects.update(until=timezone.now())

    assert (state_of(key).status.word, is_provider_failing(key)) == ("Working", False)


def test_what_an_older_version_was_refused_for_is_not_the_keys_state(key: ProviderKey) -> None:
    promote_version(add_version(key, secret=Secret(PLAINTEXT + "2"), actor=None), grace=timedelta(hours=1), actor=None)
    note_set_aside(key.pk, 1, "", Outcome.INVALID_CREDENTIAL, "", timezone.now() + timedelta(hours=1))

    assert state_of(key).left_out_for == []
    assert not state_of(key).status.is_failing


def test_a_key_fails_until_a_new_check_has_ended(key: ProviderKey) -> None:
    check(key, Outcome.UNREACHABLE)

    request_test_call(key.versions.get(), kind=TestCall.Kind.CHECK, actor=None)

    assert (state_of(key).status.word, is_provider_failing(key)) == ("Unreachable", True)


# Requests after the check

DAY = timedelta(days=1)


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.RATE_LIMITED])
def test_requests_that_succeed_disprove_an_older_check(key: ProviderKey, outcome: Outcome) -> None:
    check(key, outcome, at=timezone.now() - 3 * DAY)

    record_call(key, timezone.now() - DAY)

    assert (state_of(key).status.word, is_provider_failing(key)) == ("Working", False)


def test_requests_before_the_check_disprove_nothing(key: ProviderKey) -> None:
    record_call(key, timezone.now() - 4 * DAY)

    check(key, Outcome.UNREACHABLE, at=timezone.now() - 3 * DAY)

    assert state_of(key).status.is_failing


def test_requests_that_fail_disprove_nothing(key: ProviderKey) -> None:
    check(key, Outcome.UNREACHABLE, at=timezone.now() - 3 * DAY)

    record_call(key, timezone.now() - DAY, status=500)

    assert state_of(key).status.is_failing


def test_requests_of_another_version_or_key_disprove_nothing(key: ProviderKey) -> None:
    other = make_provider_key(key.workspace, name="Other", plaintext=PLAINTEXT + "2")
    for each in (key, other):
        check(each, Outcome.UNREACHABLE, at=timezone.now() - 3 * DAY)

    record_call(key, timezone.now() - DAY, version=2)
    record_call(other, timezone.now() - DAY)

    assert state_of(key).status.is_failing
    assert [state.status.is_failing for state in key_states([key, other])] == [True, False]


# Rotation


def test_switching_back_makes_a_secret_no_younger(key: ProviderKey) -> None:
    edit_provider_key(key, changes={"rotate_every_days": 30}, actor=None)
    KeyVersion.objects.update(created_at=timezone.now() - 100 * DAY)
    second = add_version(key, secret=Secret(PLAINTEXT + "2"), actor=None)

    promote_version(second, grace=timedelta(hours=1), actor=None)
    assert (state_of(key).age_days, state_of(key).is_rotation_due) == (0, False)

    promote_version(key.versions.get(number=1), grace=timedelta(hours=1), actor=None)
    assert (state_of(key).age_days, state_of(key).is_rotation_due) == (100, True)


def test_as_many_queries_for_many_keys(key: ProviderKey) -> None:
    check(key, Outcome.UNREACHABLE)
    with CaptureQueriesContext(connection) as for_one:
        key_states([key])
    others = [make_provider_key(key.workspace, name=f"{n}", plaintext=f"{PLAINTEXT}{n}") for n in range(5)]
    for other in others:
        check(other, Outcome.UNREACHABLE)

    with CaptureQueriesContext(connection) as for_six:
        key_states([key, *others])

    assert len(for_six) == len(for_one) == 4
