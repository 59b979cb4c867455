"""What the migrations of teams do to rows that are there."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection

from teams.models import GatewayKey, Workspace
from tests.factories import make_gateway_key


def write_far_end() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE teams_gatewaykey SET expires_at = '10000-01-01 12:00+00'")


def test_a_key_whose_end_no_clock_reaches_has_none(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE teams_gatewaykey DROP CONSTRAINT teams_gatewaykey_expires_in_our_age")
    make_gateway_key(workspace)
    write_far_end()

    import_module("teams.migrations.0004_bring_expiries_near").forget_far_ends(apps, None)

    assert GatewayKey.objects.get().expires_at is None


def test_the_database_takes_no_such_end(workspace: Workspace) -> None:
    make_gateway_key(workspace)

    with pytest.raises(IntegrityError, match="expires_in_our_age"):
        write_far_end()
