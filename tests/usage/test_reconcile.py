"""verify_ledger finds what differs, rebuild_rollups mends it."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command

from teams.models import Workspace
from tests.usage.samples import NOON, make_record, record
from usage.models import Attempt, Day, DayState, Rollup
from usage.queries import usage_report
from usage.ranges import DAY
from usage.tasks import aggregate_days


@pytest.fixture
def counted(workspace: Workspace) -> Workspace:
    record(
        make_record(workspace),
        make_record(workspace, gateway_key=None, kind="test"),
        make_record(workspace, at=NOON - 40 * DAY, settled={"status": 503, "error_code": "overloaded"}),
    )
    aggregate_days()
    return workspace


def verify() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_ledger", stdout=out)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue()
    return 0, out.getvalue()


def test_what_was_counted_is_equal(counted: Workspace) -> None:
    code, told = verify()

    assert code == 0
    assert "2026-03: 2 sums, all equal." in told
    assert "days: 3 sums, all equal." in told


@pytest.mark.parametrize("field", ["attempts", "cache_read_input_tokens", "output_cost_nano", "unpriced"])
def test_changed_rollup_is_found(counted: Workspace, field: str) -> None:
    Rollup.objects.filter(kind="test").update(**{field: 123_456})

    code, told = verify()

    assert code == 1
    assert "2026-03: 1 of 2 sums differ" in told


def test_changed_histogram_is_found(counted: Workspace) -> None:
    rollup = Rollup.objects.filter(kind="test").get()
    rollup.latency_histogram[0] += 1
    rollup.save()

    assert verify()[0] == 1


def test_lost_rollup_is_found(counted: Workspace) -> None:
    Rollup.objects.filter(kind="test").delete()

    assert verify()[0] == 1


def test_rollup_of_nothing_is_found(counted: Workspace) -> None:
    Attempt.objects.filter(kind="test").delete()

    assert verify()[0] == 1


def test_changed_day_is_found(counted: Workspace) -> None:
    Day.objects.filter(kind="test").update(output_tokens=1)

    code, told = verify()

    assert code == 1
    assert "days: 1 of 3 sums differ" in told


def test_stale_day_is_not_compared(counted: Workspace) -> None:
    Day.objects.all().delete()
    DayState.objects.update(stale_since=datetime.now(UTC))

    assert verify()[0] == 0


def test_rebuilding_restores_every_sum(counted: Workspace) -> None:
    before = usage_report(counted, begin=NOON - 50 * DAY, end=NOON + DAY, with_latency=True)
    Rollup.objects.filter(kind="live").delete()
    Rollup.objects.update(attempts=77)

    call_command("rebuild_rollups", stdout=StringIO())

    after = usage_report(counted, begin=NOON - 50 * DAY, end=NOON + DAY, with_latency=True)
    aggregate_days()
    assert verify()[0] == 0
    assert (before.rows, before.totals, before.latency) == (after.rows, after.totals, after.latency)


def test_rebuilding_twice_is_rebuilding_once(counted: Workspace) -> None:
    call_command("rebuild_rollups", stdout=StringIO())
    call_command("rebuild_rollups", stdout=StringIO())

    assert verify()[0] == 0
