"""The ledger's monthly partitions, cut where the months begin in the ids' time (UTC)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction


def ensure_partitions(moments: Iterable[datetime]) -> None:
    """Make the partitions that hold ids made at ``moments``, where they are missing."""
    for year, month in sorted({(moment.year, moment.month) for moment in (m.astimezone(UTC) for m in moments)}):
        name = f"usage_attempt_{year}_{month:02}"
        if not _is_there(name):
            _make_partition(name, year, month)


def month_bound(year: int, month: int) -> UUID:
    """Return the smallest version-7 id of a month; month 13 is next year's January."""
    begin = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    return UUID(int=int(begin.timestamp() * 1000) << 80)


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
