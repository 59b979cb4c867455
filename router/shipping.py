"""From the outbox to the ledger: reads what the gateway processes of this host wrote and counts it, each once.

The shipper keeps in memory how far it has read and which attempts are open. Losing that costs nothing: after a restart
it reads the remaining segments again, and the ledger ignores what it has already.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from providers.base import TokenCounts
from router.exchanges import ExchangeFolder
from router.outbox import Opened, Settled, is_writer_alive, read_entries
from usage.records import AttemptOpened, AttemptRecord, AttemptSettled, Certainty, RefusalRecord, SetAsideRecord

logger = logging.getLogger(__name__)

# An attempt that is open for longer is written to the ledger as such, so that pages can show it.
SHOW_OPEN_AFTER_S = 2.0
# With the ledger away the outbox grows on the disk, not in this process: beyond this it reads no further log.
MOST_WAITING = 20_000


@dataclass
class _Segment:
    path: Path
    offset: int = 0
    # Attempts opened here and not yet counted as settled: the file stays until this is empty.
    open_ids: set[UUID] = field(default_factory=set)


@dataclass
class Sweep:
    """What one look at the outbox found, to be counted by ``usage.services`` and shown by ``keys.services``."""

    attempts: list[AttemptRecord] = field(default_factory=list)
    refusals: list[RefusalRecord] = field(default_factory=list)
    set_asides: list[SetAsideRecord] = field(default_factory=list)


class OutboxReader:
    """Follows all writers of one outbox folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.exchanges = ExchangeFolder(directory)
        self._segments: dict[Path, _Segment] = {}
        self._opened: dict[UUID, tuple[AttemptOpened, _Segment]] = {}
        self._shown: set[UUID] = set()
        self._settled: dict[UUID, AttemptRecord] = {}
        self._refusals: list[RefusalRecord] = []
        self._set_asides: list[SetAsideRecord] = []
        self._dead: list[Path] = []
        self.has_more = False

    def sweep(self, now: float | None = None) -> Sweep:
        """Return what is to be counted now; ``has_more`` then tells whether logs were left for the next time.

        It is returned again until ``confirm`` is called.
        """
        locks = sorted(self._directory.glob("*.lock"))
        # The locks are looked at before the logs: a writer that ends in between is dealt with next time.
        dead = [lock for lock in locks if not is_writer_alive(lock)]
        self._read_logs()
        if self.has_more:
            # What a dead writer left open is known once all of its logs are read.
            dead = []
        for lock in dead:
            self._settle_orphans(lock)
        self._dead = dead
        attempts = [*self._settled.values(), *self._long_open(time.time() if now is None else now)]
        return Sweep(attempts, list(self._refusals), list(self._set_asides))

    @property
    def waiting(self) -> int:
        """How many settled attempts have been read and not yet counted."""
        return len(self._settled)

    def confirm(self, sweep: Sweep) -> None:
        """Forget what ``sweep`` held: it is in the ledger."""
        for record in sweep.attempts:
            attempt_id = record.opened.id
            if record.settled is None:
                self._shown.add(attempt_id)
                continue
            self._settled.pop(attempt_id, None)
            self._shown.discard(attempt_id)
            _, segment = self._opened.pop(attempt_id)
            segment.open_ids.discard(attempt_id)
        self._refusals = self._refusals[len(sweep.refusals) :]
        self._set_asides = self._set_asides[len(sweep.set_asides) :]

    def tidy(self) -> None:
        """Remove the files that hold nothing uncounted; call it when all of a sweep is confirmed."""
        for lock in self._dead:
            for segment in self._of_writer(_writer_of(lock)):
                self._drop(segment)
            lock.unlink(missing_ok=True)
        self._dead = []
        for writer in {_writer_of(path) for path in self._segments}:
            # The last one is still being written to.
            *complete, _ = self._of_writer(writer)
            for segment in complete:
                if not segment.open_ids:
                    self._drop(segment)

    def _read_logs(self) -> None:
        self.has_more = False
        for path in sorted(self._directory.glob("*.log")):
            if len(self._settled) + len(self._refusals) >= MOST_WAITING:
                self.has_more = True
                return
            self._read(self._segments.setdefault(path, _Segment(path)))

    def _read(self, segment: _Segment) -> None:
        with segment.path.open("rb") as file:
            file.seek(segment.offset)
            data = file.read()
        begin = segment.offset
        for entry, end in read_entries(data):
            segment.offset = begin + end
            if isinstance(entry, Opened):
                self._opened[entry.attempt.id] = (entry.attempt, segment)
                segment.open_ids.add(entry.attempt.id)
            elif isinstance(entry, Settled):
                self._note_settled(entry.id, entry.how)
            elif isinstance(entry, SetAsideRecord):
                self._set_asides.append(entry)
            elif entry is not None:
                self._refusals.append(entry)

    def _note_settled(self, attempt_id: UUID, how: AttemptSettled) -> None:
        opened = self._opened.get(attempt_id)
        # A segment that was read again may settle what was opened in one removed before: that is counted.
        if opened is not None:
            self._settled[attempt_id] = AttemptRecord(opened[0], how)

    def _settle_orphans(self, lock: Path) -> None:
        for segment in self._of_writer(_writer_of(lock)):
            for attempt_id in segment.open_ids - self._settled.keys():
                opened, _ = self._opened[attempt_id]
                self._settled[attempt_id] = AttemptRecord(opened, ended_with_process(opened))

    def _long_open(self, now: float) -> Iterable[AttemptRecord]:
        before_us = (now - SHOW_OPEN_AFTER_S) * 1_000_000
        for attempt_id, (opened, _) in self._opened.items():
            is_new = attempt_id not in self._settled and attempt_id not in self._shown
            if is_new and opened.started_at_us < before_us:
                yield AttemptRecord(opened)

    def _drop(self, segment: _Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._segments.pop(segment.path, None)

    def _of_writer(self, writer: str) -> list[_Segment]:
        return [self._segments[path] for path in sorted(self._segments) if _writer_of(path) == writer]


def _writer_of(path: Path) -> str:
    return path.name.split(".", 1)[0]


def ended_with_process(opened: AttemptOpened) -> AttemptSettled:
    """Return the end of an attempt that nobody is left to tell of."""
    return AttemptSettled(
        certainty=Certainty.UNKNOWN,
        status=None,
        error_code="gateway_stopped",
        final=True,
        ended_at_us=opened.started_at_us,
        latency_ms=None,
        ttft_ms=None,
        counts=TokenCounts(),
    )
