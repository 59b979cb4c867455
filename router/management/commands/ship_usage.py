"""Carry what the gateway processes of this host recorded to the ledger, for as long as it runs."""

import fcntl
import logging
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, DataError, IntegrityError, connection

from keys.services import clear_set_aside, note_set_aside
from providers.base import Outcome
from router.exchanges import ExchangeFolder, read_exchange
from router.shipping import OutboxReader, Sweep, ended_with_process
from usage.exchanges import store_exchanges
from usage.records import AttemptRecord, ExchangeRecord, SetAsideRecord, time_of
from usage.services import note_shipment, record_attempts, record_refusals

logger = logging.getLogger(__name__)

INTERVAL_S = 0.3
LONGEST_WAIT_S = 5.0
BATCH = 1000


class Command(BaseCommand):
    help = "Carry recorded attempts from the outbox folder to the ledger; one process per gateway host."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        settings.OUTBOX_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        with only_shipper(settings.OUTBOX_DIR):
            self._ship_until(stopping, OutboxReader(settings.OUTBOX_DIR))

    def _ship_until(self, stopping: threading.Event, reader: OutboxReader) -> None:
        wait_s, is_last = INTERVAL_S, False
        while not is_last:
            # After the signal one more look: the gateways of this host have just stopped.
            is_last = stopping.wait(wait_s)
            try:
                ship(reader)
                wait_s = INTERVAL_S
            except DatabaseError as error:
                logger.warning("The ledger is away, %d attempts wait: %s", reader.waiting, type(error).__name__)
                connection.close()
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)


@contextmanager
def only_shipper(directory: Path) -> Iterator[None]:
    """Hold the folder for this process; raises CommandError while another ships from it."""
    with (directory / "ship_usage.held").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Another ship_usage works on {directory}.") from None
        yield


def ship(reader: OutboxReader) -> int:
    """Count all that is in the outbox now; return how many attempts were settled."""
    looked_at = datetime.now(UTC)
    settled = _ship_sweep(reader)
    while reader.has_more:
        settled += _ship_sweep(reader)
    note_shipment(socket.gethostname(), counted_until=looked_at, waiting=reader.waiting)
    _ship_exchanges(reader.exchanges)
    return settled


def _ship_sweep(reader: OutboxReader) -> int:
    sweep, settled = reader.sweep(), 0
    for begin in range(0, len(sweep.attempts), BATCH):
        batch = sweep.attempts[begin : begin + BATCH]
        settled += record(batch)
        reader.confirm(Sweep(batch))
    record_refusals(sweep.refusals)
    reader.confirm(Sweep(refusals=sweep.refusals))
    for change in sweep.set_asides:
        _show(change)
        reader.confirm(Sweep(set_asides=[change]))
    reader.tidy()
    return settled


def record(batch: Sequence[AttemptRecord]) -> int:
    """Write ``batch``; a record that the ledger refuses must not hold up those behind it."""
    try:
        return record_attempts(batch)
    except (DataError, IntegrityError):
        return sum(_record_alone(attempt) for attempt in batch)


def _record_alone(attempt: AttemptRecord) -> int:
    try:
        return record_attempts([attempt])
    except (DataError, IntegrityError) as error:
        logger.error("The ledger refuses an attempt, it counts as not known: %s: %r", type(error).__name__, attempt)
    return record_attempts([AttemptRecord(attempt.opened, ended_with_process(attempt.opened))])


def _show(change: SetAsideRecord) -> None:
    """Let pages and the other gateways know of a key that was set aside, or is back."""
    if not change.until_us:
        clear_set_aside(change.provider_key, change.version, change.model)
        return
    outcome, until = Outcome(change.outcome), time_of(change.until_us)
    # What a provider writes may hold a character that PostgreSQL does not.
    detail = change.detail.replace("\0", "")
    note_set_aside(change.provider_key, change.version, change.model, outcome, detail, until)


def _ship_exchanges(folder: ExchangeFolder) -> None:
    """Store the prompts and answers that wait; each file goes once its row is there."""
    for paths in folder.batches():
        _store(list(filter(None, map(read_exchange, paths))))
        for path in paths:
            path.unlink(missing_ok=True)


def _store(batch: Sequence[ExchangeRecord]) -> None:
    try:
        store_exchanges(batch)
    except (DataError, IntegrityError) as error:
        if len(batch) == 1:
            logger.error("A prompt and its answer cannot be stored: %s", type(error).__name__)
            return
        for record_alone in batch:
            _store([record_alone])
