"""Reports give the ledger's sums, whichever tier they are read from and in whatever zone."""

from collections import defaultdict
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import TokenCounts
from teams.models import Project, Workspace
from teams.services import revoke_gateway_key
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.samples import GATEWAY_KEY, NOON, PROVIDER_KEY, make_opened, make_record, record
from usage.measures import Measures
from usage.models import SUMS, Attempt, Day, DayState, Shipment
from usage.queries import usage_report, usage_reports
from usage.ranges import DAY, Grain
from usage.records import AttemptRecord, Certainty
from usage.report_sql import BadFilter, BadRange, Cut, ReportTooLarge, UnknownDimension
from usage.services import aggregate_day
from usage.tasks import aggregate_days

BEGIN, END = NOON - 3 * DAY, NOON + 3 * DAY


def report(workspace: Workspace, **asked: Any) -> Any:
    return usage_report(workspace, **{"begin": BEGIN, "end": END} | asked)


def test_totals_are_the_sums_of_the_ledger(workspace: Workspace) -> None:
    record(make_record(workspace), make_record(workspace, at=NOON + DAY))

    totals = report(workspace).totals

    assert (totals.requests, totals.attempts, totals.unsettled) == (2, 2, 0)
    assert (totals.uncached_input_tokens, totals.input_tokens, totals.output_tokens) == (200, 2660, 100)
    assert totals.cost_nano == sum(attempt.cost_nano for attempt in Attempt.objects.all())
    assert totals.cache_hit_rate == pytest.approx(2000 / 2660)


def test_nothing_is_zero_and_has_no_hit_rate(workspace: Workspace) -> None:
    empty = report(workspace)

    assert (empty.rows, empty.totals) == ([], Measures())
    assert empty.totals.cache_hit_rate is None


def test_end_is_not_part_of_the_range(workspace: Workspace) -> None:
    record(make_record(workspace, at=NOON), make_record(workspace, at=NOON + timedelta(minutes=15)))

    assert report(workspace, begin=NOON, end=NOON + timedelta(minutes=15)).totals.attempts == 1


def test_default_range_includes_now(workspace: Workspace) -> None:
    record(make_record(workspace, at=timezone.now()), make_record(workspace, at=timezone.now() - 29 * DAY))

    assert usage_report(workspace).totals.attempts == 2


def test_test_calls_count_only_where_asked_for(workspace: Workspace) -> None:
    record(make_record(workspace), make_record(workspace, kind="test", gateway_key=None))

    assert report(workspace).totals.attempts == 1
    assert report(workspace, filters={"kind": "test"}).totals.attempts == 1
    assert report(workspace, filters={"kind": ["live", "test"]}).totals.attempts == 2


def test_open_attempts_are_unsettled_and_move_when_they_settle(workspace: Workspace) -> None:
    whole = make_record(workspace)
    record(AttemptRecord(whole.opened))
    before = report(workspace).totals

    record(whole)

    after = report(workspace).totals
    assert (before.attempts, before.unsettled, before.requests, before.output_tokens) == (1, 1, 0, 0)
    assert (after.attempts, after.unsettled, after.requests, after.output_tokens) == (1, 0, 1, 50)


def test_unknown_attempts_are_unsettled(workspace: Workspace) -> None:
    record(make_record(workspace, settled={"certainty": Certainty.UNKNOWN, "counts": TokenCounts()}))

    assert report(workspace).totals.unsettled == 1


def test_groups_carry_provider_and_model_and_names(workspace: Workspace) -> None:
    provider_key, gateway_key = make_provider_key(workspace), make_gateway_key(workspace).key
    record(make_record(workspace, provider_key=provider_key.pk, gateway_key=gateway_key.pk))

    [row] = report(workspace, grain=Grain.TOTAL, group_by=["model", "provider_key", "gateway_key"]).rows

    assert row.dimensions == {
        "model": "anthropic/claude-sonnet-4-6",
        "provider_key": str(provider_key.pk),
        "provider_key_name": "Production",
        "gateway_key": str(gateway_key.pk),
        "gateway_key_name": "app",
    }


def test_deleted_and_revoked_keys_keep_their_names(workspace: Workspace) -> None:
    provider_key, gateway_key = make_provider_key(workspace), make_gateway_key(workspace).key
    provider_key.deleted_at = gateway_key.revoked_at = timezone.now()
    provider_key.save()
    gateway_key.save()
    record(make_record(workspace, provider_key=provider_key.pk, gateway_key=gateway_key.pk))

    [row] = report(workspace, grain=Grain.TOTAL, group_by=["provider_key", "gateway_key"]).rows

    assert (row.dimensions["provider_key_name"], row.dimensions["gateway_key_name"]) == ("Production", "app")


def test_provider_keys_of_one_name_are_told_apart_by_their_providers(workspace: Workspace) -> None:
    keys = [make_provider_key(workspace, provider=provider).pk for provider in ("anthropic", "simulated")]
    record(*(make_record(workspace, provider_key=key) for key in keys))

    rows = report(workspace, grain=Grain.TOTAL, group_by=["provider_key"]).rows

    assert {row.label("provider_key") for row in rows} == {"Production (anthropic)", "Production (simulated)"}
    assert {row.as_dict()["provider_key_name"] for row in rows} == {"Production"}


def test_gateway_keys_of_one_name_are_told_apart_by_the_ids_in_their_text(workspace: Workspace) -> None:
    old = make_gateway_key(workspace).key
    revoke_gateway_key(old, actor=None)
    new = make_gateway_key(workspace).key
    record(*(make_record(workspace, gateway_key=key.pk) for key in (old, new)))

    rows = report(workspace, grain=Grain.TOTAL, group_by=["gateway_key"]).rows

    assert {row.label("gateway_key") for row in rows} == {f"app ({key.public_id})" for key in (old, new)}


def test_projects_of_one_name_are_told_apart_by_their_ids(workspace: Workspace) -> None:
    projects = [Project.objects.create(workspace=workspace, name="Help", archived_at=at) for at in (NOON, None)]
    record(*(make_record(workspace, project=project.pk) for project in projects))

    rows = report(workspace, grain=Grain.TOTAL, group_by=["project"]).rows

    assert {row.label("project") for row in rows} == {f"Help ({str(project.pk)[:8]})" for project in projects}


def test_names_of_another_workspace_are_not_told(workspace: Workspace, other_workspace: Workspace) -> None:
    record(make_record(workspace, gateway_key=make_gateway_key(other_workspace).key.pk))

    [row] = report(workspace, grain=Grain.TOTAL, group_by=["gateway_key"]).rows

    assert row.dimensions["gateway_key_name"] is None


def test_usage_of_another_workspace_is_not_counted(workspace: Workspace, other_workspace: Workspace) -> None:
    record(make_record(other_workspace), AttemptRecord(make_opened(other_workspace)))
    aggregate_days()

    assert report(workspace).totals.attempts == 0


@pytest.mark.parametrize(
    ("filters", "attempts"),
    [
        ({"model": "anthropic/claude-haiku-4-5"}, 1),
        ({"model": ["anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-6"]}, 4),
        ({"model": "aws/claude-haiku-4-5"}, 0),
        ({"provider": "anthropic"}, 4),
        ({"provider_key": str(PROVIDER_KEY)}, 3),
        ({"gateway_key": str(GATEWAY_KEY)}, 3),
        ({"gateway_key": ""}, 1),
        ({"status_class": "5xx"}, 1),
        ({"status_class": "none"}, 1),
        ({"provider_key_version": "2"}, 1),
        ({"region": "eu-west-1"}, 1),
        ({"dialect": []}, 0),
        ({"model": "anthropic/claude-sonnet-4-6", "status_class": "2xx"}, 1),
    ],
)
def test_filters(workspace: Workspace, filters: dict[str, Any], attempts: int) -> None:
    record(
        make_record(workspace, model="claude-haiku-4-5", provider_key_version=2),
        make_record(workspace, settled={"status": 503, "error_code": "overloaded"}, region="eu-west-1"),
        make_record(workspace, provider_key=UUID(int=9), gateway_key=None),
        AttemptRecord(make_opened(workspace)),
    )

    assert report(workspace, filters=filters).totals.attempts == attempts


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"group_by": ["colour"]}, UnknownDimension),
        ({"filters": {"colour": "red"}}, UnknownDimension),
        ({"filters": {"gateway_key": "mine"}}, BadFilter),
        ({"filters": {"model": "sonnet"}}, BadFilter),
        ({"filters": {"region": "a\x00"}}, BadFilter),
        ({"filters": {"provider_key_version": "-1"}}, BadFilter),
        ({"filters": {"provider_key_version": "²"}}, BadFilter),
        ({"begin": END, "end": BEGIN}, BadRange),
        ({"begin": datetime(1990, 1, 1, tzinfo=UTC)}, BadRange),
    ],
)
def test_bad_questions_are_refused(workspace: Workspace, asked: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        report(workspace, **asked)


def test_too_many_buckets_are_refused_before_they_are_listed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Any] = []
    monkeypatch.setattr("usage.queries.bucket_starts", lambda *asked: listed.append(asked))

    with pytest.raises(ReportTooLarge, match="100,000 buckets"):
        report(workspace, begin=END - 3650 * DAY, grain=Grain.QUARTER_HOUR)

    assert listed == []


@pytest.mark.parametrize("grain", [Grain.HOUR, Grain.DAY, Grain.MONTH, Grain.TOTAL])
def test_ten_years_may_be_asked_for_by_the_hour(workspace: Workspace, grain: Grain) -> None:
    record(make_record(workspace))

    assert report(workspace, begin=END - 3650 * DAY, grain=grain).totals.attempts == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
def test_days_are_those_of_the_asked_zone(workspace: Workspace, zone: str) -> None:
    moments = [NOON + timedelta(hours=hours, minutes=7) for hours in range(-40, 40)]
    record(*(make_record(workspace, at=moment) for moment in moments))
    expected: dict[str, int] = defaultdict(int)
    for moment in moments:
        expected[moment.astimezone(ZoneInfo(zone)).date().isoformat()] += 1

    rows = report(workspace, time_zone=ZoneInfo(zone)).rows

    assert {row.bucket.date().isoformat(): row.measures.attempts for row in rows} == expected


def test_report_has_each_sum_of_both_tiers() -> None:
    measured = {field.name for field in fields(Measures)} - {"open", "cost_nano"}
    costs = {name for name in SUMS if name.endswith("_cost_nano")}

    assert set(SUMS) - costs - measured == {"web_searches"}
    assert measured <= set(SUMS)


def test_cuts_of_one_question_agree(workspace: Workspace) -> None:
    record(*(make_record(workspace, at=NOON + index * DAY / 2, provider_key=UUID(int=index)) for index in range(5)))

    cuts = [Cut(("model",)), Cut(("provider_key",), is_over_time=False), Cut(is_over_time=False), Cut()]
    reports = usage_reports(workspace, cuts, begin=BEGIN, end=END)

    assert [len(one.rows) for one in reports] == [3, 5, 1, 3]
    assert {Measures.total(row.measures for row in one.rows) for one in reports} == {reports[0].totals}


def test_daily_tier_is_read_once_it_is_fresh(workspace: Workspace) -> None:
    record(make_record(workspace))
    aggregate_days()
    # Nobody else writes here: it shows where the figure comes from.
    Day.objects.update(attempts=1000)

    assert report(workspace).totals.attempts == 1000
    assert report(workspace, grain=Grain.HOUR).totals.attempts == 1


def test_stale_day_is_read_from_15_minutes(workspace: Workspace) -> None:
    record(make_record(workspace))
    aggregate_days()
    record(make_record(workspace))

    assert report(workspace).totals.attempts == 2


def test_late_attempt_reaches_a_day_summed_long_ago(workspace: Workspace) -> None:
    record(make_record(workspace))
    aggregate_days()
    record(make_record(workspace))

    aggregate_days()

    assert Day.objects.get().attempts == 2
    assert DayState.objects.get().stale_since is None


def test_changing_the_zone_and_back_forgets_no_late_attempt(workspace: Workspace) -> None:
    record(make_record(workspace))
    aggregate_days()
    for zone in ("Asia/Kathmandu", "UTC"):
        Workspace.objects.update(time_zone=zone)
        record(make_record(workspace, at=NOON + timedelta(hours=7)))

    before = report(Workspace.objects.get()).rows
    aggregate_days()
    after = report(Workspace.objects.get()).rows

    assert [row.measures.attempts for row in before] == [3]
    assert before == after
    assert not DayState.objects.exclude(time_zone="UTC").exists()


def test_day_forgotten_meanwhile_is_not_summed(workspace: Workspace) -> None:
    record(make_record(workspace))
    state = DayState.objects.get()
    DayState.objects.all().delete()

    aggregate_day(state)

    assert not Day.objects.exists()


attempts = st.lists(
    st.fixed_dictionaries(
        {
            "minutes": st.integers(0, 12 * 24 * 60),
            "model": st.sampled_from(["claude-sonnet-4-6", "claude-haiku-4-5"]),
            "provider_key": st.sampled_from([UUID(int=1), UUID(int=2)]),
            "counts": st.builds(
                TokenCounts,
                uncached_input=st.integers(0, 10_000),
                cache_read_input=st.none() | st.integers(0, 100_000),
                output=st.integers(0, 5_000),
            ),
            "is_final": st.booleans(),
            "is_open": st.sampled_from([False, False, False, True]),
        }
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=attempts,
    workspace_zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana", "Australia/Lord_Howe"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana"]),
    grain=st.sampled_from(list(Grain)),
    begin_steps=st.integers(0, 200),
)
def test_ledger_is_rollup_is_days(  # one figure, many circumstances
    db: None,
    drawn: list[dict[str, Any]],
    workspace_zone: str,
    zone: str,
    grain: Grain,
    begin_steps: int,
) -> None:
    workspace = _fresh_workspace(workspace_zone)
    # Over both nights on which Berlin and Havana change their clocks, late in 2025.
    first = datetime(2025, 10, 23, tzinfo=UTC)
    begin = first + begin_steps * timedelta(minutes=15)
    records = [_drawn(workspace, first, one) for one in drawn]
    half = len(records) // 2
    record(*records[:half])
    aggregate_days()
    record(*records[half:])
    asked: dict[str, Any] = {"begin": begin, "end": first + 12 * DAY, "grain": grain, "time_zone": ZoneInfo(zone)}

    mixed = usage_report(workspace, group_by=["model", "provider_key"], **asked)
    aggregate_days()
    daily = usage_report(workspace, group_by=["model", "provider_key"], **asked)

    assert mixed.rows == daily.rows
    assert mixed.totals == daily.totals == Measures.total(row.measures for row in daily.rows)
    ledger = Attempt.objects.filter(workspace_id=workspace.pk, started_at__gte=begin, started_at__lt=first + 12 * DAY)
    assert _of_ledger(list(ledger)) == _shown(daily.totals)


def _fresh_workspace(zone: str) -> Workspace:
    Workspace.objects.filter(slug="drawn").delete()
    return Workspace.objects.create(slug="drawn", name="Drawn", time_zone=zone)


def _drawn(workspace: Workspace, first: datetime, one: dict[str, Any]) -> AttemptRecord:
    whole = make_record(
        workspace,
        at=first + timedelta(minutes=one["minutes"]),
        model=one["model"],
        provider_key=one["provider_key"],
        settled={"counts": one["counts"], "final": one["is_final"]},
    )
    return AttemptRecord(whole.opened) if one["is_open"] else whole


def _of_ledger(ledger: list[Attempt]) -> tuple[int, ...]:
    return (
        len(ledger),
        sum(attempt.final for attempt in ledger),
        sum(attempt.state == Attempt.State.OPEN for attempt in ledger),
        sum(attempt.input_tokens or 0 for attempt in ledger),
        sum(attempt.output_tokens or 0 for attempt in ledger),
        sum(attempt.cost_nano for attempt in ledger),
    )


def _shown(totals: Measures) -> tuple[int, ...]:
    return (
        totals.attempts,
        totals.requests,
        totals.unsettled,
        totals.input_tokens,
        totals.output_tokens,
        totals.cost_nano,
    )


def test_latency_is_told_where_asked_for(workspace: Workspace) -> None:
    record(*(make_record(workspace, settled={"latency_ms": latency}) for latency in (100, 110, 120, 5000)))
    aggregate_days()

    latency = report(workspace, with_latency=True).latency

    assert 90 <= latency.percentile_ms(0.5) <= 128
    assert 4096 <= latency.percentile_ms(0.95) <= 5793


def test_figures_are_counted_until_the_slowest_host(workspace: Workspace) -> None:
    now = timezone.now()
    for host, seconds, seen in (("a", 1, 0), ("b", 90, 1), ("gone", 9000, 2 * 86_400)):
        Shipment.objects.create(
            host=host,
            counted_until=now - timedelta(seconds=seconds),
            waiting=2,
            seen_at=now - timedelta(seconds=seen),
        )

    fresh = report(workspace).freshness

    assert (fresh.counted_until, fresh.waiting, fresh.is_behind) == (now - timedelta(seconds=90), 4, True)


def test_nothing_shipped_yet_is_not_behind(workspace: Workspace) -> None:
    fresh = report(workspace).freshness

    assert (fresh.counted_until, fresh.is_behind) == (None, False)


def test_shipping_that_stopped_days_ago_is_behind(workspace: Workspace) -> None:
    long_ago = timezone.now() - 3 * DAY
    Shipment.objects.create(host="a", counted_until=long_ago, seen_at=long_ago)

    assert report(workspace).freshness.is_behind


def test_range_may_be_the_hour_that_comes_twice(workspace: Workspace) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    record(make_record(workspace, at=first))

    assert report(workspace, begin=first, end=first.replace(fold=1)).totals.attempts == 1
