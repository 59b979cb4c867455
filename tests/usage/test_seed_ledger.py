"""A seeded ledger looks like a real one and adds up."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.services import sync_catalog
from teams.models import Workspace
from usage.models import Attempt
from usage.queries import usage_report


def seed(**options: object) -> str:
    out = StringIO()
    call_command("seed_ledger", stdout=out, **options)
    return out.getvalue()


def test_seeded_rows_are_counted_and_add_up(workspace: Workspace) -> None:
    sync_catalog()

    assert "2,000 made-up attempts in Acme" in seed(rows=2000, days=20)

    totals = usage_report(workspace).totals
    assert totals.attempts == totals.requests == Attempt.objects.count() == 2000
    assert totals.cost_nano == sum(attempt.cost_nano for attempt in Attempt.objects.all())
    assert 0.2 < (totals.cache_hit_rate or 0) < 0.95
    assert totals.unpriced == 0
    call_command("verify_ledger", stdout=StringIO())


def test_seeding_needs_a_workspace(db: None) -> None:
    with pytest.raises(CommandError):
        seed(rows=1)
