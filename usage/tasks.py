"""Aggregation of usage for the dashboards. Each task looks at the database and may run twice."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from usage.exchanges import forget_expired_exchanges
from usage.models import DayState
from usage.partitions import ensure_partitions
from usage.services import aggregate_day, forget_refusals, settle_abandoned_tests

DAYS_PER_RUN = 200


@shared_task(name="usage.aggregate_days")
def aggregate_days() -> None:
    """Sum the local days again to which something was added, oldest first."""
    stale = DayState.objects.exclude(stale_since=None).order_by("stale_since")[:DAYS_PER_RUN]
    for state in stale:
        aggregate_day(state)


@shared_task(name="usage.make_partitions")
def make_partitions() -> None:
    """Make the ledger's partitions of this month and the next two, before anybody needs them."""
    now = timezone.now()
    # Steps no longer than the shortest month, so that none is stepped over.
    ensure_partitions(now + timedelta(days=28 * step) for step in range(4))


@shared_task(name="usage.settle_abandoned_tests")
def settle_tests() -> None:
    """Settle the test messages whose worker died."""
    settle_abandoned_tests()


@shared_task(name="usage.forget_refusals")
def forget_old_refusals() -> None:
    """Delete the refusals that are older than 30 days."""
    forget_refusals()


@shared_task(name="usage.forget_exchanges")
def forget_exchanges() -> None:
    """Delete the stored prompts and answers whose time is up."""
    forget_expired_exchanges()
