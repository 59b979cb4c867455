"""The ledger's monthly partitions, cut where the months begin in the ids' time (UTC)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import connection, transaction

from usage.records import first_id_at


def ensure_partitions(moments: Iterable[datetime]) -> None:
    """Make the partitions that hold ids made at ``moments``, where they are missing."""
    for year, month in sorted({(moment.year, moment.month) for moment in (m.astimezone(UTC) for m in moments)}):
        name = f"usage_attempt_{year}_{month:02}"
        if not _is_there(name):
            _make_partition(name, year, month)


def month_bound(year: int, month: int) -> UUID:
    """Return the smallest version-7 id of a month; month 13 is next year's January."""
    return first_id_at(datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC))


def existing_months() -> list[date]:
    """Return the first days of the months whose partition is there, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_attempt'::regclass")
        names = [name for (name,) in cursor.fetchall()]
    return sorted(date(int(year), int(month), 1) for *_, year, month in (name.split("_") for name in names))


def _is_there(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


def _make_partition(name: str, year: int, month: int) -> None:
    begin, end = month_bound(year, month), month_bound(year, month + 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('orqadmin.partitions'))")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF usage_attempt FOR VALUES FROM ('{begin}') TO ('{end}')"
        )
