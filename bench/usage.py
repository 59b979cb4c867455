"""How fast the dashboards answer with a million requests in the ledger: ``make bench-usage``.

Whole pages are measured, through Django's test client: sign-in, queries, template. The PostgreSQL is an embedded one
of the benchmark's own, thrown away afterwards. Says what took longer than the aim and then exits with 1.
"""

# ruff: noqa: E402  # the services start before Django reads where they are

import argparse
import os
import sys
import time
from statistics import quantiles

from tests.services import start_services

start_services()
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.test import Client

from catalog.services import sync_catalog
from teams.models import Role, Workspace
from tests.factories import make_gateway_key, make_member, make_provider_key, make_workspace

AIM_MS = 100
# In a zone that is not the workspace's no day can be read from the daily tier: 90 of them are 90,000 sums.
NOT_AIMED_AT = ("overview, 90 d in another zone",)
ZONE = "Europe/Berlin"
PAGES = {
    "overview, 1 h": "overview/?range=1h",
    "overview, 24 h": "overview/?range=24h",
    "overview, 7 d": "overview/?range=7d",
    "overview, 30 d": "overview/",
    "overview, 90 d": "overview/?range=90d",
    "overview, 7 d in another zone": "overview/?range=7d&zone=Asia/Kathmandu",
    "overview, 90 d in another zone": "overview/?range=90d&zone=Asia/Kathmandu",
    "usage, 30 d by model": "usage/",
    "usage, 90 d by model": "usage/?range=90d",
    "usage, 7 d by hour and key": "usage/?range=7d&grain=hour&group_by=gateway_key",
    "CSV, 90 d by model and key": "usage/csv/?range=90d&grain=day&group_by=model&group_by=gateway_key",
    "requests": "requests/",
    "requests, failed": "requests/?shown=failed",
    "requests, unsettled": "requests/?shown=unsettled",
    "requests, by session": "requests/?q=session-0abc",
    "requests, by trace id": "requests/?q=0123456789abcdef0123456789abcdef",
    "reports": "reports/",
    "last month": "reports/{year}/{month}/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20, help="How often each page is asked for.")
    options = parser.parse_args()

    client = _seed(options.rows)
    medians = {name: _measure(client, name, page, options.times) for name, page in PAGES.items()}
    if slow := [name for name, median in medians.items() if median > AIM_MS and name not in NOT_AIMED_AT]:
        sys.exit(f"Over {AIM_MS} ms: {', '.join(slow)}.")


def _seed(rows: int) -> Client:
    call_command("migrate", verbosity=0)
    sync_catalog()
    workspace = make_workspace(time_zone=ZONE)
    for number in range(4):
        make_provider_key(workspace, name=f"Key {number}", plaintext=f"sk-ant-api03-only-for-benchmarks-{number:012}")
        make_gateway_key(workspace, name=f"App {number}")
    begun = time.perf_counter()
    call_command("seed_ledger", rows=rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for table in ("usage_attempt", "usage_rollup", "usage_day"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            print(f"{table}: {cursor.fetchone()[0]:,} rows")
    print(f"seeded in {time.perf_counter() - begun:.0f} s")
    return _signed_in(workspace)


def _signed_in(workspace: Workspace) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_member(workspace, "alice@example.com", Role.OWNER))
    return client


def _measure(client: Client, name: str, page: str, times: int) -> float:
    """Ask for ``page`` so often, print how long it took, and return the median in ms."""
    last_month = time.gmtime(time.time() - 31 * 86_400)
    path = f"/w/acme/{page.format(year=last_month.tm_year, month=last_month.tm_mon)}"
    took_ms = []
    # The first time fills caches and is not counted.
    for number in range(times + 1):
        begun = time.perf_counter()
        answer = client.get(path)
        if number:
            took_ms.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            sys.exit(f"{path} answered {answer.status_code}.")
    cuts = quantiles(took_ms, n=20)
    print(f"{name:32} p50 {cuts[9]:6.1f} ms   p95 {cuts[18]:6.1f} ms", flush=True)
    return cuts[9]


if __name__ == "__main__":
    main()
