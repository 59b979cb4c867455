"""Each attempt is counted once, whatever is sent again, in which order, and by how many."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from django.db import connection

from catalog.prices import Price, PriceTable, Rates
from providers.base import TokenCounts
from teams.models import Workspace
from tests.usage.samples import (
    COUNTS,
    GATEWAY_KEY,
    NOON,
    PRICES,
    PROVIDER_KEY,
    make_opened,
    make_record,
    make_settled,
    record,
)
from usage.models import Attempt, DayState, LastUse, Rollup
from usage.records import AttemptOpened, AttemptRecord, AttemptSettled, Certainty, uuid7
from usage.services import record_attempts


def test_settled_attempt_is_in_ledger_and_rollup(workspace: Workspace) -> None:
    assert record(make_record(workspace)) == 1

    attempt, rollup = Attempt.objects.get(), Rollup.objects.get()
    assert attempt.cost_nano == 100 * 3_000 + 1000 * 300 + 200 * 3_750 + 30 * 6_000 + 50 * 15_000
    for column in ("uncached_input_tokens", "cache_write_1h_input_tokens", "output_cost_nano", "cache_savings_nano"):
        assert getattr(rollup, column) == getattr(attempt, column)
    assert (rollup.requests, rollup.attempts, rollup.errors) == (1, 1, 0)
    assert sum(rollup.latency_histogram) == 1


def test_redelivery_changes_nothing(workspace: Workspace) -> None:
    one, two = make_record(workspace), make_record(workspace)
    record(one)

    assert record(one, two) == 1
    assert record(one, two) == 0

    assert Rollup.objects.get().attempts == 2


def test_open_attempt_is_in_the_ledger_but_not_in_the_rollup(workspace: Workspace) -> None:
    assert record(AttemptRecord(make_opened(workspace))) == 0

    assert Attempt.objects.get().state == Attempt.State.OPEN
    assert not Rollup.objects.exists()


def test_open_attempt_settles(workspace: Workspace) -> None:
    whole = make_record(workspace)
    record(AttemptRecord(whole.opened))

    assert record(whole) == 1

    assert Attempt.objects.get().output_tokens == COUNTS.output
    assert Rollup.objects.get().attempts == 1


def test_late_open_does_not_reopen(workspace: Workspace) -> None:
    whole = make_record(workspace)
    record(whole)

    record(AttemptRecord(whole.opened))

    assert Attempt.objects.get().state == Attempt.State.SETTLED


def test_second_settlement_is_ignored(workspace: Workspace) -> None:
    whole = make_record(workspace)
    record(whole)

    record(AttemptRecord(whole.opened, make_settled(whole.opened, counts=TokenCounts(uncached_input=7, output=7))))

    assert Attempt.objects.get().output_tokens == Rollup.objects.get().output_tokens == COUNTS.output


def test_unknown_usage_is_null_in_the_ledger_and_counted_as_unknown(workspace: Workspace) -> None:
    record(make_record(workspace, settled={"certainty": Certainty.UNKNOWN, "status": None, "counts": TokenCounts()}))

    attempt, rollup = Attempt.objects.get(), Rollup.objects.get()
    assert attempt.output_tokens is None
    assert (rollup.unknown, rollup.output_tokens, rollup.status_class) == (1, 0, "none")


def test_explicit_zero_stays_zero(workspace: Workspace) -> None:
    record(make_record(workspace, settled={"counts": TokenCounts(uncached_input=0, output=0)}))

    assert Attempt.objects.get().uncached_input_tokens == 0


def test_tokens_in_a_class_without_rate_are_unpriced(workspace: Workspace) -> None:
    only_output = PriceTable({("anthropic", "claude-sonnet-4-6"): [Price(id=1, base=Rates(output=Decimal(15)))]})

    record_attempts([make_record(workspace)], prices=only_output)

    attempt, rollup = Attempt.objects.get(), Rollup.objects.get()
    assert (attempt.is_unpriced, attempt.cost_nano, attempt.uncached_input_cost_nano) == (True, 50 * 15_000, None)
    assert (rollup.unpriced, rollup.output_cost_nano) == (1, 50 * 15_000)


@pytest.mark.parametrize("text", ["a\x00b", "half a pair \ud800", "x" * 1000])
def test_text_the_database_cannot_hold_is_cleaned(workspace: Workspace, text: str) -> None:
    whole = make_record(
        workspace,
        identity=text,
        session=text,
        tags=[text],
        model_asked=text,
        settled={"upstream_request_id": text, "model_served": text},
    )

    assert record(whole) == 1

    assert len(Attempt.objects.get().session) <= 200


def test_attempt_of_a_deleted_workspace_does_not_stop_the_others(workspace: Workspace) -> None:
    assert record(make_record(UUID(int=99)), make_record(workspace)) == 2


def test_months_get_their_partitions(workspace: Workspace) -> None:
    record(*(make_record(workspace, at=datetime(2025, month, 1, tzinfo=UTC)) for month in range(1, 13)))

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM usage_attempt_2025_12")
        assert cursor.fetchone() == (1,)


def test_partition_is_that_of_the_id_at_the_end_of_a_month(workspace: Workspace) -> None:
    # The id was made a moment before the clock was read for the start.
    last_ms = datetime(2024, 5, 31, 23, 59, 59, 999000, tzinfo=UTC)

    assert record(
        make_record(workspace, at=last_ms + timedelta(milliseconds=1), id=uuid7(int(last_ms.timestamp() * 1e6)))
    )


def test_last_use_is_the_latest_start(workspace: Workspace) -> None:
    record(make_record(workspace, at=NOON), make_record(workspace, at=NOON - timedelta(hours=1)))

    assert LastUse.objects.get(key_id=GATEWAY_KEY).at == NOON
    assert LastUse.objects.get(key_id=PROVIDER_KEY, version=1).at == NOON


def test_settling_makes_the_local_day_stale(workspace: Workspace) -> None:
    Workspace.objects.update(time_zone="Asia/Kathmandu")

    record(make_record(workspace, at=datetime(2026, 3, 10, 18, 15, tzinfo=UTC)))

    state = DayState.objects.get()
    assert (str(state.day), state.time_zone) == ("2026-03-11", "Asia/Kathmandu")
    assert state.stale_since is not None


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_with_overlaps_count_each_attempt_once() -> None:
    workspace = Workspace.objects.create(slug="acme", name="Acme")
    records = [make_record(workspace, at=NOON + timedelta(seconds=10 * index)) for index in range(200)]
    # Each writer has half of what the next one has too, in an order of its own.
    shares = [records[begin : begin + 100][:: 1 if begin % 100 else -1] for begin in (0, 50, 100, 50, 0, 100)]

    with ThreadPoolExecutor(len(shares)) as pool:
        settled = list(pool.map(_in_own_connection, shares))

    assert sum(settled) == 200
    assert sum(Rollup.objects.values_list("attempts", flat=True)) == Attempt.objects.count() == 200
    assert sum(Rollup.objects.values_list("output_tokens", flat=True)) == 200 * 50


def _in_own_connection(records: list[AttemptRecord]) -> int:
    try:
        return sum(record_attempts(records[begin : begin + 20], prices=PRICES) for begin in range(0, len(records), 20))
    finally:
        connection.close()


def test_histogram_has_a_place_for_every_latency(workspace: Workspace) -> None:
    latencies = [0, 1, 2, 3, 999, 10**6, 2_000_000_000]

    record(*(make_record(workspace, settled={"latency_ms": latency}) for latency in latencies))

    assert sum(Rollup.objects.get().latency_histogram) == len(latencies)


def test_phases_and_route_are_kept(workspace: Workspace) -> None:
    record(
        make_record(
            workspace, queue_ms=3, route="fast", region="eu-west-1", settled={"connect_ms": 21, "first_byte_ms": 180}
        )
    )

    attempt = Attempt.objects.get()
    assert (attempt.queue_ms, attempt.connect_ms, attempt.first_byte_ms) == (3, 21, 180)
    assert (attempt.route, attempt.region) == ("fast", "eu-west-1")


def test_records_of_an_older_gateway_are_still_read() -> None:
    opened = msgspec.msgpack.decode(msgspec.msgpack.encode(make_opened(UUID(int=9))))
    settled = msgspec.msgpack.decode(msgspec.msgpack.encode(make_settled(make_opened(UUID(int=9)))))

    read_opened = msgspec.convert(opened[:-2], AttemptOpened)
    read_settled = msgspec.convert(settled[:-2], AttemptSettled)

    assert (read_opened.queue_ms, read_opened.route) == (None, "")
    assert (read_settled.connect_ms, read_settled.first_byte_ms) == (None, None)
