"""From the outbox to the ledger, when a record is not as it should be."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management.base import CommandError

from providers.base import TokenCounts
from router import shipping
from router.management.commands.ship_usage import only_shipper, ship
from router.outbox import OutboxWriter
from router.shipping import OutboxReader
from tests.router.test_outbox import opened, settled
from usage.models import Attempt, Rollup


async def _write(directory: Path, *ends: Any) -> list[Any]:
    writer, attempts = OutboxWriter(directory), [opened() for _ in ends]
    for attempt, end in zip(attempts, ends, strict=True):
        writer.open(attempt)
        writer.settle(attempt.id, end)
    return [attempt.id for attempt in attempts]


def test_record_the_ledger_refuses_counts_as_not_known_and_holds_nobody_up(db: None, tmp_path: Path) -> None:
    impossible = msgspec.structs.replace(settled(), counts=TokenCounts(2**63, 0, 0, 0, 0))
    first, second = asyncio.run(_write(tmp_path, impossible, settled()))

    assert ship(OutboxReader(tmp_path)) == 2

    assert Attempt.objects.get(pk=first).certainty == "unknown"
    assert Attempt.objects.get(pk=second).certainty == "exact"
    assert sum(Rollup.objects.values_list("attempts", flat=True)) == 2


def test_backlog_is_shipped_to_its_end_at_once(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MOST_WAITING", 1)
    for _ in range(3):
        asyncio.run(_write(tmp_path, settled(), settled()))

    assert ship(OutboxReader(tmp_path)) == 6


def test_record_of_an_unknown_form_is_passed_over(db: None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def write() -> None:
        writer = OutboxWriter(tmp_path)
        writer._append(("z", "from another version"))
        attempt = opened()
        writer.open(attempt)
        writer.settle(attempt.id, settled())

    asyncio.run(write())

    assert ship(OutboxReader(tmp_path)) == 1
    assert "cannot be read" in caplog.text


def test_second_shipper_of_a_folder_is_refused(tmp_path: Path) -> None:
    with only_shipper(tmp_path), pytest.raises(CommandError, match="Another ship_usage"), only_shipper(tmp_path):
        pass
