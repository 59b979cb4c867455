"""Changes to the ledger and its sums. The gateway's shipper and the test calls both come through here."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from catalog.prices import PriceTable
from catalog.queries import price_table
from teams.models import Workspace
from usage.ledger import RECORD_SQL
from usage.models import DIMENSIONS, LATENCY_BUCKETS, SUMS, DayState, Refusal, Shipment
from usage.partitions import ensure_partitions
from usage.pricing import Cost, price_counts
from usage.records import AttemptRecord, RefusalRecord


def record_attempts(records: Sequence[AttemptRecord], *, prices: PriceTable | None = None) -> int:
    """Write ``records`` to the ledger and add those newly settled to the rollup; return how many those were.

    Safe to repeat, in whole or in part, and to run in several processes at once. An id may stand in
    ``records`` once. Costs come from the price in force when the attempt started.
    """
    if not records:
        return 0
    ensure_partitions(_time(record.opened.started_at_us) for record in records)
    prices = prices or price_table()
    zones = dict(Workspace.objects.values_list("pk", "time_zone"))
    rows = [_ledger_row(record, prices, zones) for record in records]
    with transaction.atomic(), connection.cursor() as cursor:
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
                message=record.message.replace("\x00", "")[:500],
                at=_time(record.at_us),
            )
            for record in records
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def aggregate_day(state: DayState) -> None:
    """Sum one local day again from the 15-minute tier and mark it fresh.

    The row is locked first: an attempt recorded meanwhile either is in the sums or makes the day stale again.
    """
    state = DayState.objects.select_for_update().get(pk=state.pk)
    begin, end = day_bounds(state.day, ZoneInfo(state.time_zone))
    dimensions, sums = ", ".join(DIMENSIONS), ", ".join(f"sum({name})" for name in SUMS)
    histogram = ", ".join(f"sum(latency_histogram[{index}])" for index in range(1, LATENCY_BUCKETS + 1))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usage_day WHERE workspace_id = %s AND day = %s", [state.workspace_id, state.day])
        cursor.execute(
            f"INSERT INTO usage_day (workspace_id, day, {dimensions}, {', '.join(SUMS)}, latency_histogram) "  # noqa: S608
            f"SELECT workspace_id, %s, {dimensions}, {sums}, ARRAY[{histogram}] FROM usage_rollup "
            f"WHERE workspace_id = %s AND bucket >= %s AND bucket < %s GROUP BY workspace_id, {dimensions}",
            [state.day, state.workspace_id, begin, end],
        )
    state.stale_since = None
    state.save(update_fields=["stale_since"])


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when ``day`` begins and ends in ``zone``, in UTC; 23 to 25 hours apart."""
    begin = datetime.combine(day, datetime.min.time(), zone)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def note_shipment(host: str, *, counted_until: datetime, waiting: int) -> None:
    """Record that everything ``host`` settled before ``counted_until`` is counted, but for ``waiting`` rows."""
    Shipment.objects.update_or_create(
        host=host,
        defaults={"counted_until": counted_until, "waiting": waiting, "seen_at": timezone.now()},
    )


def _ledger_row(record: AttemptRecord, prices: PriceTable, zones: dict[UUID, str]) -> dict[str, Any]:
    opened, settled = record.opened, record.settled
    started_at = _time(opened.started_at_us)
    zone = zones.get(opened.workspace, "UTC")
    row: dict[str, Any] = {
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
        "started_at": started_at.isoformat(),
        "local_day": started_at.astimezone(ZoneInfo(zone)).date().isoformat(),
        "time_zone": zone,
    }
    if settled is None:
        return row | {
            "state": "open",
            "final": False,
            "error_code": "",
            "model_served": "",
            "upstream_request_id": "",
            "is_unpriced": False,
        }
    counts = settled.counts
    price = prices.at(opened.provider, opened.model, started_at)
    cost = price_counts(counts, price.rates(input_tokens=counts.input_total))
    return (
        row
        | {
            "state": "settled",
            "certainty": settled.certainty,
            "status": settled.status,
            "error_code": settled.error_code,
            "final": settled.final,
            "ended_at": _time(settled.ended_at_us).isoformat(),
            "latency_ms": settled.latency_ms,
            "ttft_ms": settled.ttft_ms,
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
        | _cost_columns(cost)
    )


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


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _clean(text: str) -> str:
    # PostgreSQL's text holds no NUL, and our columns end at 200 characters; a client may send either.
    return text.replace("\x00", "")[:200]
