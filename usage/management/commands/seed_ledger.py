"""Fill the ledger with made-up attempts, to try and measure the dashboards."""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.queries import price_table
from keys.models import ProviderKey
from teams.models import GatewayKey, Workspace
from usage.models import DayState
from usage.partitions import existing_months
from usage.reconcile import rebuild_month
from usage.seeding import Plan, seed_attempts
from usage.services import aggregate_day

KEYS_IF_NONE = 5


class Command(BaseCommand):
    help = "Write made-up attempts to a workspace's ledger and sum them. For trying things out: they cannot be removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, default=10_000)
        parser.add_argument("--days", type=int, default=90, help="Spread over so many days up to now.")
        parser.add_argument("--workspace", help="Slug; by default the first workspace.")

    def handle(self, *args: Any, **options: Any) -> None:
        workspaces = Workspace.objects.order_by("created_at")
        if options["workspace"]:
            workspaces = workspaces.filter(slug=options["workspace"])
        workspace = workspaces.first()
        if workspace is None:
            raise CommandError("There is no such workspace.")
        rows = seed_attempts(_plan(workspace, options["rows"], options["days"]), price_table())
        for month in existing_months():
            rebuild_month(month)
        for state in DayState.objects.filter(workspace=workspace).exclude(stale_since=None):
            aggregate_day(state)
        self.stdout.write(f"{rows:,} made-up attempts in {workspace}, over {options['days']} days.")


def _plan(workspace: Workspace, rows: int, days: int) -> Plan:
    provider_keys = list(ProviderKey.objects.in_workspace(workspace).values_list("pk", flat=True))
    gateway_keys = list(GatewayKey.objects.in_workspace(workspace).for_clients().values_list("pk", flat=True))
    return Plan(
        workspace=workspace.pk,
        provider_keys=provider_keys or _made_up(workspace, "provider key"),
        gateway_keys=gateway_keys or _made_up(workspace, "gateway key"),
        rows=rows,
        days=days,
        until=timezone.now(),
    )


def _made_up(workspace: Workspace, sort: str) -> list[UUID]:
    """Return ids of keys that do not exist; the same on each run."""
    return [uuid5(NAMESPACE_URL, f"{workspace.pk}/{sort}/{number}") for number in range(KEYS_IF_NONE)]
