"""Prove that the sums on the dashboards are those of the ledger."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from usage.partitions import existing_months
from usage.reconcile import Comparison, compare_days, compare_month


class Command(BaseCommand):
    help = "Compare every sum with the ledger's attempts, month by month; exit with 1 where they differ."

    def handle(self, *args: Any, **options: Any) -> None:
        compared = {f"{month:%Y-%m}": compare_month(month) for month in existing_months()} | {"days": compare_days()}
        for name, comparison in compared.items():
            self.stdout.write(_told(name, comparison))
        if any(comparison.different for comparison in compared.values()):
            sys.exit(1)


def _told(name: str, comparison: Comparison) -> str:
    if not comparison.different:
        return f"{name}: {comparison.compared:,} sums, all equal."
    examples = "\n  ".join(comparison.examples)
    return f"{name}: {comparison.different:,} of {comparison.compared:,} sums differ, among them\n  {examples}"
