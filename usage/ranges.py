"""Spans of time as reports cut them: buckets on a zone's own clock. Pure.

Usage is summed per 15 minutes of UTC, and every offset in use today is a multiple of 15 minutes, so local hours,
days and months are whole numbers of those. Boundaries come from ``zoneinfo``, never from the database's tables.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

STEP = timedelta(minutes=15)
DAY = timedelta(days=1)
MIDNIGHT = time()


class Grain(StrEnum):
    """How long a bucket of a report is."""

    QUARTER_HOUR = "15m"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"

    @property
    def shortest(self) -> timedelta | None:
        """How long a bucket lasts at least, but for the hour in which a clock jumps; None for the whole span."""
        return _SHORTEST.get(self)


_SHORTEST = {
    Grain.QUARTER_HOUR: STEP,
    Grain.HOUR: timedelta(hours=1),
    Grain.DAY: timedelta(hours=23),
    Grain.MONTH: timedelta(days=28),
}


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` up to ``end``, without it; both in UTC on a 15-minute mark, as ``widen`` makes them."""

    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.begin

    @property
    def before(self) -> "Span":
        """The span of the same length that ends where this one begins."""
        return Span(self.begin - self.length, self.begin)


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a span that belongs to one local day.

    ``day`` is set where the part is that whole day and lies in one bucket, whose position is ``bucket``: such a
    part may be read from the daily tier.
    """

    begin: datetime
    end: datetime
    day: date | None
    bucket: int


@cache
def zone_names() -> frozenset[str]:
    """Return every name that a zone may be asked for by."""
    return frozenset(available_timezones())


def widen(begin: datetime, end: datetime) -> Span:
    """Return the smallest span on 15-minute marks that holds all from ``begin`` to ``end``."""
    return Span(_floor(begin), _floor(end - timedelta(microseconds=1)) + STEP if end > begin else _floor(end))


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when ``day`` begins and ends in ``zone``, in UTC; 23 to 25 hours apart.

    Where the clock jumps over midnight the day begins with the jump; where it shows midnight twice, with the
    first. A day that a zone left out (Apia, 30 December 2011) ends where it begins.
    """
    begin = datetime.combine(day, MIDNIGHT, zone)
    end = datetime.combine(day + DAY, MIDNIGHT, zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def month_bounds(month: date, zone: ZoneInfo) -> Span:
    """Return the local month that ``month``, any day of it, lies in."""
    first = month.replace(day=1)
    begin = datetime.combine(first, MIDNIGHT, zone)
    end = datetime.combine(_next_month(first), MIDNIGHT, zone)
    return Span(begin.astimezone(UTC), end.astimezone(UTC))


def bucket_starts(span: Span, grain: Grain, zone: ZoneInfo) -> list[datetime]:
    """Return where the buckets of ``span`` begin, in ``zone`` and in order.

    The first one may begin before the span: a day is named by its midnight even if only its evening is asked for.
    """
    if span.begin >= span.end:
        return []
    starts = {
        Grain.TOTAL: _one,
        Grain.MONTH: _months,
        Grain.DAY: _days,
        Grain.HOUR: _hours,
        Grain.QUARTER_HOUR: _quarter_hours,
    }[grain]
    return [start.astimezone(zone) for start in starts(span, zone)]


def slots(span: Span, starts: Sequence[datetime], day_zone: ZoneInfo) -> list[Slot]:
    """Cut ``span`` at the midnights of ``day_zone``; ``starts`` are the beginnings of the report's buckets."""
    begins = [start.astimezone(UTC) for start in starts]
    return list(_slots(span, begins, day_zone))


def _slots(span: Span, starts: list[datetime], day_zone: ZoneInfo) -> Iterator[Slot]:
    day = span.begin.astimezone(day_zone).date()
    while True:
        day_begin, day_end = day_bounds(day, day_zone)
        if day_begin >= span.end:
            return
        begin, end = max(day_begin, span.begin), min(day_end, span.end)
        if begin < end:
            bucket = bisect_right(starts, begin) - 1
            is_whole = (begin, end) == (day_begin, day_end)
            is_in_one = bisect_right(starts, end - STEP) - 1 == bucket
            yield Slot(begin, end, day if is_whole and is_in_one else None, bucket)
        day += DAY


def _one(span: Span, zone: ZoneInfo) -> Iterator[datetime]:
    yield span.begin


def _months(span: Span, zone: ZoneInfo) -> Iterator[datetime]:
    first = span.begin.astimezone(zone).date().replace(day=1)
    while (begin := datetime.combine(first, MIDNIGHT, zone).astimezone(UTC)) < span.end:
        yield begin
        first = _next_month(first)


def _days(span: Span, zone: ZoneInfo) -> Iterator[datetime]:
    day = span.begin.astimezone(zone).date()
    while (bounds := day_bounds(day, zone))[0] < span.end:
        if bounds[0] < bounds[1]:
            yield bounds[0]
        day += DAY


def _hours(span: Span, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the full hours on the local clock, and where the clock jumps to a time that is none."""
    moment = span.begin
    while not _begins_hour(moment, zone):
        moment -= STEP
    while moment < span.end:
        yield moment
        moment += STEP
        while not _begins_hour(moment, zone):
            moment += STEP


def _begins_hour(moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    return local.minute == 0 or local.utcoffset() != (moment - STEP).astimezone(zone).utcoffset()


def _quarter_hours(span: Span, zone: ZoneInfo) -> Iterator[datetime]:
    for step in range(span.length // STEP):
        yield span.begin + step * STEP


def _next_month(first: date) -> date:
    return (first + 31 * DAY).replace(day=1)


def _floor(moment: datetime) -> datetime:
    """Return the 15-minute mark at or before ``moment``, in UTC."""
    utc = moment.astimezone(UTC)
    return utc - timedelta(minutes=utc.minute % 15, seconds=utc.second, microseconds=utc.microsecond)
