"""Local hours, days and months are right in every zone, whatever its clocks do."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.ranges import STEP, Grain, Span, bucket_starts, day_bounds, month_bounds, slots, widen

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
zones = st.sampled_from(ZONES).map(ZoneInfo)
FIRST = datetime(2015, 1, 1, tzinfo=UTC)
moments = st.integers(0, 20 * 366 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
spans = st.builds(
    lambda begin, steps: widen(begin, begin + steps * STEP), moments, st.integers(min_value=1, max_value=40 * 96)
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_span_is_widened_to_15_minutes() -> None:
    assert widen(utc(2026, 3, 1, 10, 7), utc(2026, 3, 1, 10, 31, 0, 1)) == Span(
        utc(2026, 3, 1, 10), utc(2026, 3, 1, 10, 45)
    )


def test_end_on_a_mark_is_not_widened() -> None:
    assert widen(utc(2026, 3, 1, 10), utc(2026, 3, 1, 10, 15)) == Span(utc(2026, 3, 1, 10), utc(2026, 3, 1, 10, 15))


def test_empty_span_stays_empty() -> None:
    assert widen(utc(2026, 3, 1, 10, 7), utc(2026, 3, 1, 10, 7)).length == timedelta(0)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        # These clocks jump at midnight: the day begins at 01:00, or its first hour comes twice.
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("America/Havana", date(2025, 3, 9), 23),
        ("America/Havana", date(2025, 11, 2), 25),
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        # Samoa moved across the date line and left this day out.
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_length_of_local_days(zone: str, day: date, hours: float) -> None:
    begin, end = day_bounds(day, ZoneInfo(zone))

    assert (end - begin) == timedelta(hours=hours)


def test_days_begin_at_offsets_of_quarter_hours() -> None:
    assert day_bounds(date(2026, 3, 10), ZoneInfo("Asia/Kathmandu"))[0] == utc(2026, 3, 9, 18, 15)


@given(moments, zones)
def test_every_moment_lies_in_its_local_day(moment: datetime, zone: ZoneInfo) -> None:
    begin, end = day_bounds(moment.astimezone(zone).date(), zone)

    assert begin <= moment < end


@given(spans, zones, st.sampled_from([Grain.HOUR, Grain.DAY, Grain.MONTH, Grain.TOTAL, Grain.QUARTER_HOUR]))
def test_buckets_are_in_order_and_cover_the_span(span: Span, zone: ZoneInfo, grain: Grain) -> None:
    starts = [start.astimezone(UTC) for start in bucket_starts(span, grain, zone)]

    assert starts[0] <= span.begin
    assert all(one < next_one for one, next_one in pairwise(starts))
    assert all(span.begin < start < span.end for start in starts[1:])
    assert all(start.minute % 15 == 0 for start in starts)


@given(spans, zones)
def test_days_are_named_by_their_first_moment(span: Span, zone: ZoneInfo) -> None:
    starts = bucket_starts(span, Grain.DAY, zone)

    assert all((start.astimezone(UTC) - STEP).astimezone(zone).date() < start.date() for start in starts)
    assert len({start.date() for start in starts}) == len(starts)


@given(spans, zones)
def test_months_are_named_by_their_first_day(span: Span, zone: ZoneInfo) -> None:
    assert all(start.day == 1 for start in bucket_starts(span, Grain.MONTH, zone))


@given(spans, zones)
def test_no_hour_is_longer_than_an_hour(span: Span, zone: ZoneInfo) -> None:
    # In UTC, for within one zone Python subtracts what the clock shows.
    starts = [start.astimezone(UTC) for start in bucket_starts(span, Grain.HOUR, zone)]

    assert all(later - earlier <= timedelta(hours=1) for earlier, later in pairwise(starts))


def test_repeated_hour_is_two_buckets_with_their_offsets() -> None:
    night = Span(utc(2026, 10, 25, 0), utc(2026, 10, 25, 2))

    starts = bucket_starts(night, Grain.HOUR, ZoneInfo("Europe/Berlin"))

    assert [start.isoformat() for start in starts] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


@given(spans, zones, zones, st.sampled_from(list(Grain)))
def test_slots_cover_the_span_once_and_each_day_slot_lies_in_one_bucket(
    span: Span, zone: ZoneInfo, day_zone: ZoneInfo, grain: Grain
) -> None:
    starts = bucket_starts(span, grain, zone)

    parts = slots(span, starts, day_zone)

    assert parts[0].begin == span.begin
    assert parts[-1].end == span.end
    assert all(one.end == next_one.begin for one, next_one in pairwise(parts))
    ends = [*starts[1:], span.end]
    for part in parts:
        if part.day:
            assert (part.begin, part.end) == day_bounds(part.day, day_zone)
            assert starts[part.bucket] <= part.begin
            assert part.end <= ends[part.bucket]


def test_whole_days_of_the_same_zone_may_come_from_the_daily_tier() -> None:
    zone = ZoneInfo("Europe/Berlin")
    span = Span(utc(2026, 3, 27, 12), utc(2026, 3, 31, 12))

    days = [part.day for part in slots(span, bucket_starts(span, Grain.DAY, zone), zone)]

    assert days == [None, date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30), None]


def test_month_ends_where_the_next_begins() -> None:
    zone = ZoneInfo("Asia/Kolkata")

    december = month_bounds(date(2026, 12, 31), zone)

    assert december == Span(utc(2026, 11, 30, 18, 30), utc(2026, 12, 31, 18, 30))
    assert month_bounds(date(2027, 1, 1), zone).begin == december.end


def test_zones_are_those_of_the_pinned_package() -> None:
    assert zoneinfo.TZPATH == ()
