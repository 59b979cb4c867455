"""How fast the dashboards answer with a million requests in the ledger: ``make bench-usage``.

Everything that a page asks of the database and draws is measured, through Django's test client, on an embedded
PostgreSQL of its own that is thrown away afterwards.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import quantiles

from tests.services import start_services

start_services()
os.environ["DJANGO_SETTINGS_MODULE"] = "orqadmin.settings"

import django

django.setup()

from zoneinfo import ZoneInfo

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from catalog.services import sync_catalog
from teams.models import Role
from tests.factories import make_gateway_key, make_member, make_provider_key, make_workspace
from usage.queries import usage_report, usage_reports
from usage.ranges import Grain
from usage.report_sql import Cut

ZONE = "Europe/Berlin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()

    call_command("migrate", verbosity=0)
    sync_catalog()
    workspace = make_workspace(time_zone=ZONE)
    make_member(workspace, "alice@example.com", Role.OWNER)
    for number in range(4):
        make_provider_key(workspace, name=f"Key {number}", plaintext=f"sk-ant-api03-only-for-benchmarks-{number:012}")
        make_gateway_key(workspace, name=f"app {number}")
    begun = time.perf_counter()
    call_command("seed_ledger", rows=options.rows)
    print(f"seeded in {time.perf_counter() - begun:.0f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for table in ("usage_attempt", "usage_rollup", "usage_day"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            print(f"{table}: {cursor.fetchone()[0]:,} rows")

    now = timezone.now()
    cuts = [Cut(("model",)), *(Cut((name,), is_over_time=False) for name in ("model", "provider_key", "gateway_key"))]
    questions: dict[str, Callable[[], object]] = {}
    for days in (1, 7, 30, 90):
        grain = Grain.HOUR if days == 1 else Grain.DAY
        questions[f"reports, {days} d by {grain}"] = lambda days=days, grain=grain: usage_reports(
            workspace, cuts, begin=now - timedelta(days=days), end=now, grain=grain
        )
    questions["total with latency, 90 d"] = lambda: usage_report(
        workspace, begin=now - timedelta(days=90), end=now, grain=Grain.TOTAL, with_latency=True
    )
    questions["reports, 90 d in another zone"] = lambda: usage_reports(
        workspace, cuts, begin=now - timedelta(days=90), end=now, time_zone=ZoneInfo("Asia/Kathmandu")
    )
    questions["reports, 30 d by hour"] = lambda: usage_reports(
        workspace, cuts, begin=now - timedelta(days=30), end=now, grain=Grain.HOUR
    )
    for name, ask in questions.items():
        _print_times(name, ask, options.times)


def _print_times(name: str, ask: Callable[[], object], times: int) -> None:
    ask()
    took_ms = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        took_ms.append((time.perf_counter() - begun) * 1000)
    cuts = quantiles(took_ms, n=20)
    print(f"{name:40} p50 {cuts[9]:6.1f} ms   p95 {cuts[18]:6.1f} ms")


if __name__ == "__main__":
    main()
