"""Figures stay exact while attempts are recorded, days are summed and the zone changes, all at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Event
from typing import TypeVar

import pytest
from django.db import connection

from teams.models import Workspace
from tests.usage.samples import NOON, PRICES, make_record
from usage.models import Attempt
from usage.queries import usage_report
from usage.ranges import DAY
from usage.reconcile import compare_days, compare_month
from usage.records import AttemptRecord
from usage.services import record_attempts
from usage.tasks import aggregate_days

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
WRITERS, BATCHES, BATCH = 3, 8, 10


@pytest.fixture
def busy() -> Workspace:
    return Workspace.objects.create(slug="acme", name="Acme")


def test_reports_only_ever_grow_while_days_are_summed(busy: Workspace) -> None:
    seen = _while_recording(busy, [aggregate_days], _total)

    assert all(earlier <= later for earlier, later in pairwise(seen))
    assert _total() == Attempt.objects.count() == WRITERS * BATCHES * BATCH
    _assert_all_equal()


def test_zone_may_change_while_attempts_are_recorded(busy: Workspace) -> None:
    zones = ["Asia/Kathmandu", "America/New_York", "UTC"] * 3

    def change_zone() -> None:
        if zones:
            Workspace.objects.filter(pk=busy.pk).update(time_zone=zones.pop())

    seen = _while_recording(busy, [aggregate_days, change_zone], _total)

    assert all(earlier <= later for earlier, later in pairwise(seen))
    aggregate_days()
    assert _total() == WRITERS * BATCHES * BATCH
    _assert_all_equal()


def _total() -> int:
    return usage_report(Workspace.objects.get(), begin=NOON - 3 * DAY, end=NOON + 3 * DAY).totals.attempts


def _assert_all_equal() -> None:
    aggregate_days()
    assert compare_month(NOON.date()).different == 0
    assert compare_days().different == 0


def _while_recording(workspace: Workspace, meanwhile: list[Callable[[], None]], look: Callable[[], int]) -> list[int]:
    """Record attempts with several writers, run ``meanwhile`` again and again, and return what ``look`` saw."""
    done = Event()
    with ThreadPoolExecutor(WRITERS + len(meanwhile) + 1) as pool:
        others = [pool.submit(_repeat, work, done) for work in meanwhile]
        looks = pool.submit(_repeat, look, done)
        writers = [pool.submit(_record, workspace, number) for number in range(WRITERS)]
        try:
            for writer in writers:
                writer.result()
        finally:
            done.set()
        for other in others:
            other.result()
        return [*looks.result(), look()]


def _record(workspace: Workspace, writer: int) -> None:
    try:
        for batch in range(BATCHES):
            records: list[AttemptRecord] = [
                make_record(workspace, at=NOON + timedelta(hours=7 * (batch - 4), seconds=writer + index))
                for index in range(BATCH)
            ]
            record_attempts(records, prices=PRICES)
            record_attempts(records, prices=PRICES)
    finally:
        connection.close()


def _repeat(work: Callable[[], T], done: Event) -> list[T]:
    results = []
    try:
        while not done.is_set():
            results.append(work())
    finally:
        connection.close()
    return results
