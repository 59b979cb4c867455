"""What Celery does for the ledger beside summing days."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from teams.models import Workspace
from tests.usage.samples import NOON, make_opened, make_record, record
from usage import tasks
from usage.models import Attempt, DayState, Refusal, Rollup
from usage.partitions import existing_months
from usage.ranges import DAY
from usage.records import AttemptRecord, RefusalRecord, microseconds_of, uuid7
from usage.services import record_refusals


def test_test_message_whose_worker_died_becomes_unknown(workspace: Workspace) -> None:
    opened = make_opened(workspace, at=timezone.now() - timedelta(hours=2), kind="test", tags=["a"], attempt=2)
    record(AttemptRecord(opened))

    tasks.settle_tests()
    tasks.settle_tests()

    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.certainty, attempt.error_code) == ("settled", "unknown", "worker_stopped")
    assert (attempt.id, attempt.tags, attempt.attempt) == (opened.id, ["a"], 2)
    assert Rollup.objects.get().unknown == 1


@pytest.mark.parametrize(("kind", "age"), [("test", timedelta(minutes=5)), ("live", timedelta(hours=2))])
def test_other_open_attempts_are_left_alone(workspace: Workspace, kind: str, age: timedelta) -> None:
    record(AttemptRecord(make_opened(workspace, at=timezone.now() - age, kind=kind)))

    tasks.settle_tests()

    assert Attempt.objects.get().state == "open"


def test_refusals_are_kept_30_days(workspace: Workspace) -> None:
    now = timezone.now()
    refusals = [make_refusal(workspace, now - days * DAY) for days in (1, 29, 31)]
    record_refusals(refusals)

    tasks.forget_old_refusals()

    assert set(Refusal.objects.values_list("id", flat=True)) == {refusal.id for refusal in refusals[:2]}


def test_refusal_sent_again_is_written_once(workspace: Workspace) -> None:
    refusal = make_refusal(workspace, NOON, message="a\x00b" + "x" * 600)

    record_refusals([refusal])
    record_refusals([refusal])

    assert Refusal.objects.get().message.startswith("abx")


def make_refusal(workspace: Workspace, at: datetime, message: str = "No.") -> RefusalRecord:
    at_us = microseconds_of(at)
    return RefusalRecord(
        id=uuid7(at_us),
        request_id="trace",
        workspace=workspace.pk,
        gateway_key=workspace.pk,
        dialect="chat",
        model_asked="claude",
        status=404,
        error_code="model_not_found",
        message=message,
        at_us=at_us,
    )


@pytest.mark.parametrize("today", [datetime(2031, 1, 31, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)])
def test_partitions_of_the_coming_months_are_made(db: None, monkeypatch: pytest.MonkeyPatch, today: datetime) -> None:
    monkeypatch.setattr(tasks.timezone, "now", lambda: today)

    tasks.make_partitions()

    made = {month.month for month in existing_months() if month.year == 2031}
    assert {1, 2, 3} <= made


def test_days_are_summed_and_fresh(workspace: Workspace) -> None:
    record(make_record(workspace), make_record(workspace, at=NOON + DAY))

    tasks.aggregate_days()

    assert list(DayState.objects.values_list("stale_since", flat=True)) == [None, None]
