"""Changes to the ledger and its sums. The gateway's shipper and the test calls both come through here."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from catalog.prices import PriceTable
from catalog.queries import price_table
from providers.base import TokenCounts
from usage.ledger import RECORD_SQL
from usage.models import DIMENSIONS, LATENCY_BUCKETS, SUMS, Attempt, DayState, Refusal, Shipment
from usage.partitions import ensure_partitions
from usage.pricing import Cost, price_counts
from usage.ranges import day_bounds
from usage.records import (
    AttemptOpened,
    AttemptRecord,
    AttemptSettled,
    Certainty,
    RefusalRecord,
    first_id_at,
    microseconds_of,
    moment_of,
    time_of,
)

# No test message takes longer than its time-outs; one still open after this lost its worker.
TEST_ABANDONED_AFTER = timedelta(hours=1)
REFUSALS_KEPT = timedelta(days=30)


def record_attempts(records: Sequence[AttemptRecord], *, prices: PriceTable | None = None) -> int:
    """Write ``records`` to the ledger and add those newly settled to the rollup; return how many those were.

    Safe to repeat, in whole or in part, and to run in several processes at once. An id may stand in
    ``records`` once. Costs come from the price in force when the attempt started.
    """
    if not records:
        return 0
    ensure_partitions(moment_of(record.opened.id) for record in records)
    prices = prices or price_table()
    with transaction.atomic(), connection.cursor() as cursor:
        zones = _hold_zones(cursor, {record.opened.workspace for record in records})
        rows = [_ledger_row(record, prices, zones) for record in records]
        cursor.execute(RECORD_SQL, [json.dumps(rows)])
        return int(cursor.fetchone()[0])


def record_refusals(records: Sequence[RefusalRecord]) -> None:
    """Write requests that were refused before any upstream call. Safe to repeat."""
    Refusal.objects.bulk_create(
        [
            Refusal(
                id=record.id,
                request_id=record.request_id,
                workspace_id=record.workspace,
                gateway_key_id=record.gateway_key,
                dialect=record.dialect,
                model_asked=_clean(record.model_asked),
                status=record.status,
                error_code=record.error_code,
                message=_clean(record.message, 500),
                at=time_of(record.at_us),
            )
            for record in records
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def aggregate_day(state: DayState) -> None:
    """Sum one local day again from the 15-minute tier and mark it fresh; nothing if it is no longer asked for.

    The row is locked first: an attempt recorded meanwhile either is in the sums or makes the day stale again.
    """
    locked = DayState.objects.select_for_update().filter(pk=state.pk).first()
    if locked is None:
        return
    begin, end = day_bounds(locked.day, ZoneInfo(locked.time_zone))
    dimensions, sums = ", ".join(DIMENSIONS), ", ".join(f"sum({name})" for name in SUMS)
    histogram = ", ".join(f"sum(latency_histogram[{index}])" for index in range(1, LATENCY_BUCKETS + 1))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usage_day WHERE workspace_id = %s AND day = %s", [locked.workspace_id, locked.day])
        cursor.execute(
            f"INSERT INTO usage_day (workspace_id, day, {dimensions}, {', '.join(SUMS)}, latency_histogram) "  # noqa: S608
            f"SELECT workspace_id, %s, {dimensions}, {sums}, ARRAY[{histogram}] FROM usage_rollup "
            f"WHERE workspace_id = %s AND bucket >= %s AND bucket < %s GROUP BY workspace_id, {dimensions}",
            [locked.day, locked.workspace_id, begin, end],
        )
    locked.stale_since = None
    locked.save(update_fields=["stale_since"])


def settle_abandoned_tests() -> int:
    """Settle as unknown the test messages whose worker died in the middle; return how many those were."""
    abandoned = Attempt.objects.filter(
        state=Attempt.State.OPEN, kind="test", started_at__lt=timezone.now() - TEST_ABANDONED_AFTER
    )
    return record_attempts([AttemptRecord(_opened(attempt), _abandoned(attempt)) for attempt in abandoned])


def forget_refusals() -> int:
    """Delete the refusals that have explained themselves long enough; return how many those were."""
    deleted, _ = Refusal.objects.filter(id__lt=first_id_at(timezone.now() - REFUSALS_KEPT)).delete()
    return deleted


def note_shipment(host: str, *, counted_until: datetime, waiting: int) -> None:
    """Record that everything ``host`` settled before ``counted_until`` is counted, but for ``waiting`` rows."""
    Shipment.objects.update_or_create(
        host=host,
        defaults={"counted_until": counted_until, "waiting": waiting, "seen_at": timezone.now()},
    )


def _hold_zones(cursor: CursorWrapper, workspaces: Collection[UUID]) -> dict[UUID, str]:
    """Return the workspaces' time zones, and keep them from changing until the transaction ends.

    Else an attempt could make a day of the old zone stale while the new zone's, summed already, lacks it.
    """
    cursor.execute(
        "SELECT id, time_zone FROM teams_workspace WHERE id = ANY(%s) ORDER BY id FOR SHARE", [list(workspaces)]
    )
    return dict(cursor.fetchall())


def _opened(attempt: Attempt) -> AttemptOpened:
    return AttemptOpened(
        id=attempt.id,
        request_id=attempt.request_id,
        kind=attempt.kind,
        dialect=attempt.dialect,
        workspace=attempt.workspace_id,
        gateway_key=attempt.gateway_key_id,
        provider_key=attempt.provider_key_id,
        provider_key_version=attempt.provider_key_version,
        provider=attempt.provider,
        region=attempt.region,
        model_asked=attempt.model_asked,
        model=attempt.model,
        stream=attempt.stream,
        started_at_us=microseconds_of(attempt.started_at),
        project=attempt.project_id,
        identity=attempt.identity,
        session=attempt.session,
        tags=attempt.tags,
        attempt=attempt.attempt,
        queue_ms=attempt.queue_ms,
        route=attempt.route,
    )


def _abandoned(attempt: Attempt) -> AttemptSettled:
    return AttemptSettled(
        certainty=Certainty.UNKNOWN,
        status=None,
        error_code="worker_stopped",
        final=True,
        ended_at_us=microseconds_of(attempt.started_at),
        latency_ms=None,
        ttft_ms=None,
        counts=TokenCounts(),
    )


def _ledger_row(record: AttemptRecord, prices: PriceTable, zones: dict[UUID, str]) -> dict[str, Any]:
    row = _opened_columns(record.opened, zones)
    return row | (_OPEN_COLUMNS if record.settled is None else _settled_columns(record.opened, record.settled, prices))


def _opened_columns(opened: AttemptOpened, zones: dict[UUID, str]) -> dict[str, Any]:
    started_at = time_of(opened.started_at_us)
    # Without one the workspace is gone: its attempts count all the same, but no page asks for its days.
    zone = zones.get(opened.workspace)
    return {
        "id": str(opened.id),
        "request_id": opened.request_id,
        "attempt": opened.attempt,
        "kind": opened.kind,
        "dialect": opened.dialect,
        "workspace_id": str(opened.workspace),
        "project_id": _text(opened.project),
        "gateway_key_id": _text(opened.gateway_key),
        "provider_key_id": str(opened.provider_key),
        "provider_key_version": opened.provider_key_version,
        "provider": opened.provider,
        "region": opened.region,
        "model_asked": _clean(opened.model_asked),
        "model": _clean(opened.model),
        "identity": _clean(opened.identity),
        "session": _clean(opened.session),
        "tags": [_clean(tag) for tag in opened.tags],
        "stream": opened.stream,
        "queue_ms": opened.queue_ms,
        "route": _clean(opened.route),
        "started_at": started_at.isoformat(),
        "local_day": zone and started_at.astimezone(ZoneInfo(zone)).date().isoformat(),
        "time_zone": zone,
    }


# Of an attempt that is still open there is nothing to tell yet, and not every column can be null.
_OPEN_COLUMNS: dict[str, Any] = {
    "state": "open",
    "final": False,
    "error_code": "",
    "model_served": "",
    "upstream_request_id": "",
    "is_unpriced": False,
}


def _settled_columns(opened: AttemptOpened, settled: AttemptSettled, prices: PriceTable) -> dict[str, Any]:
    counts = settled.counts
    price = prices.at(opened.provider, opened.model, time_of(opened.started_at_us), region=opened.region)
    columns = {
        "state": "settled",
        "certainty": settled.certainty,
        "status": settled.status,
        "error_code": settled.error_code,
        "final": settled.final,
        "ended_at": time_of(settled.ended_at_us).isoformat(),
        "latency_ms": settled.latency_ms,
        "ttft_ms": settled.ttft_ms,
        "connect_ms": settled.connect_ms,
        "first_byte_ms": settled.first_byte_ms,
        "model_served": _clean(settled.model_served),
        "upstream_request_id": _clean(settled.upstream_request_id),
        "uncached_input_tokens": counts.uncached_input,
        "cache_read_input_tokens": counts.cache_read_input,
        "cache_write_5m_input_tokens": counts.cache_write_5m_input,
        "cache_write_1h_input_tokens": counts.cache_write_1h_input,
        "output_tokens": counts.output,
        "reasoning_output_tokens": counts.reasoning_output,
        "web_searches": counts.web_searches,
        "price_id": price.id,
    }
    return columns | _cost_columns(price_counts(counts, price.rates(input_tokens=counts.input_total)))


def _cost_columns(cost: Cost) -> dict[str, Any]:
    return {
        "uncached_input_cost_nano": cost.uncached_input,
        "cache_read_input_cost_nano": cost.cache_read_input,
        "cache_write_5m_input_cost_nano": cost.cache_write_5m_input,
        "cache_write_1h_input_cost_nano": cost.cache_write_1h_input,
        "output_cost_nano": cost.output,
        "cache_savings_nano": cost.cache_savings,
        "is_unpriced": cost.is_unpriced,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _clean(text: str, length: int = 200) -> str:
    # PostgreSQL's text holds neither NUL nor half a surrogate pair, and our columns end at some length; a client
    # may send all three.
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:length]
