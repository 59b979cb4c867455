"""Make the sums again from the ledger."""

from typing import Any

from django.core.management.base import BaseCommand

from usage.partitions import existing_months
from usage.reconcile import rebuild_month


class Command(BaseCommand):
    help = "Sum the ledger again for the months whose partition exists; shipping waits meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        months = existing_months()
        rows = sum(rebuild_month(month) for month in months)
        self.stdout.write(f"{rows:,} sums of {len(months)} months made again; Celery sums their days next.")
