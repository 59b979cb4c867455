"""What the gateway wrote is found again, each once, whatever happened to the process."""

import asyncio
import errno
import mmap
import multiprocessing
import os
import resource
import signal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from providers.base import TokenCounts
from router import shipping
from router.outbox import OutboxUnavailable, OutboxWriter, read_entries
from router.shipping import OutboxReader, Sweep
from usage.records import AttemptOpened, AttemptSettled, Certainty, RefusalRecord, uuid7

COUNTS = TokenCounts(1, 2, 3, 4, 5)


def opened(**fields: object) -> AttemptOpened:
    defaults = {
        "id": uuid7(),
        "request_id": "r",
        "kind": "live",
        "dialect": "messages",
        "workspace": uuid4(),
        "gateway_key": uuid4(),
        "provider_key": uuid4(),
        "provider_key_version": 1,
        "provider": "anthropic",
        "region": "",
        "model_asked": "claude-sonnet-4-6",
        "model": "claude-sonnet-4-6",
        "stream": False,
        "started_at_us": 1_000_000,
    }
    return AttemptOpened(**{**defaults, **fields})


def settled() -> AttemptSettled:
    return AttemptSettled(Certainty.EXACT, 200, "", True, 2_000_000, 1000, None, COUNTS)


def take(reader: OutboxReader) -> list[tuple[UUID, str | None]]:
    """Sweep, confirm and tidy; return the ids and certainties that were to be counted."""
    sweep = reader.sweep(now=0)
    reader.confirm(sweep)
    reader.tidy()
    return [(record.opened.id, record.settled.certainty if record.settled else None) for record in sweep.attempts]


async def test_settled_attempt_is_taken_once(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path), OutboxReader(tmp_path), opened()
    writer.open(attempt)
    writer.settle(attempt.id, settled())

    assert take(reader) == [(attempt.id, "exact")]
    assert take(reader) == []


async def test_unconfirmed_attempt_is_offered_again(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path), OutboxReader(tmp_path), opened()
    writer.open(attempt)
    writer.settle(attempt.id, settled())

    reader.sweep(now=0)

    assert take(reader) == [(attempt.id, "exact")]


async def test_open_attempt_of_a_living_process_waits(tmp_path: Path) -> None:
    writer, reader = OutboxWriter(tmp_path), OutboxReader(tmp_path)
    writer.open(opened())

    assert take(reader) == []


async def test_long_open_attempt_is_shown_as_open_once(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path), OutboxReader(tmp_path), opened(started_at_us=0)
    writer.open(attempt)

    first, second = reader.sweep(now=10), None
    reader.confirm(first)
    second = reader.sweep(now=11)

    assert [record.settled for record in first.attempts] == [None]
    assert second == Sweep([], [])


async def test_open_attempt_of_a_closed_writer_is_not_known(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path), OutboxReader(tmp_path), opened()
    writer.open(attempt)
    writer.close()

    assert take(reader) == [(attempt.id, "unknown")]
    assert list(tmp_path.iterdir()) == []


def _write_and_hang(directory: Path, attempt: AttemptOpened, ready: "multiprocessing.synchronize.Event") -> None:
    writer = OutboxWriter(directory)
    writer.open(attempt)
    ready.set()
    signal.pause()


def test_killed_process_leaves_its_open_attempt_to_be_settled(tmp_path: Path) -> None:
    context, attempt = multiprocessing.get_context("fork"), opened()
    ready = context.Event()
    process = context.Process(target=_write_and_hang, args=(tmp_path, attempt, ready))
    process.start()
    assert ready.wait(10)
    assert process.pid is not None

    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert take(OutboxReader(tmp_path)) == [(attempt.id, "unknown")]


async def test_torn_last_frame_is_ignored(tmp_path: Path) -> None:
    writer, whole, torn = OutboxWriter(tmp_path), opened(), opened()
    writer.open(whole)
    writer.open(torn)
    [log] = tmp_path.glob("*.log")

    data = log.read_bytes()
    end = [end for _, end in read_entries(data)][-1]
    for cut in range(1, 40):
        entries = list(read_entries(data[: end - cut] + bytes(len(data) - end + cut)))

        assert [entry.attempt.id for entry, _ in entries] == [whole.id]


async def test_attempt_settled_in_a_later_segment_is_taken(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path, segment_bytes=500), OutboxReader(tmp_path), opened()
    writer.open(attempt)
    assert take(reader) == []
    for _ in range(3):
        other = opened()
        writer.open(other)
        writer.settle(other.id, settled())
    take(reader)
    writer.settle(attempt.id, settled())

    assert take(reader) == [(attempt.id, "exact")]
    assert len(list(tmp_path.glob("*.log"))) == 1


async def test_restarted_reader_counts_what_is_left_again_and_nothing_else(tmp_path: Path) -> None:
    writer, attempt = OutboxWriter(tmp_path), opened()
    writer.open(attempt)
    take(OutboxReader(tmp_path))
    writer.settle(attempt.id, settled())

    assert take(OutboxReader(tmp_path)) == [(attempt.id, "exact")]


async def test_refusals_are_taken_once(tmp_path: Path) -> None:
    writer, reader = OutboxWriter(tmp_path), OutboxReader(tmp_path)
    refusal = RefusalRecord(uuid7(), "r", uuid4(), uuid4(), "chat", "x", 404, "model_not_found", "No.", 1)
    writer.refuse(refusal)

    sweep = reader.sweep(now=0)
    reader.confirm(sweep)

    assert sweep.refusals == [refusal]
    assert reader.sweep(now=0) == Sweep([], [])


async def test_full_disk_refuses_the_attempt_and_recovers(tmp_path: Path) -> None:
    writer, reader, attempt = OutboxWriter(tmp_path), OutboxReader(tmp_path), opened()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutboxUnavailable):
            writer.open(attempt)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    writer.open(attempt)
    writer.settle(attempt.id, settled())

    assert take(reader) == [(attempt.id, "exact")]


async def _open_for_good(writer: OutboxWriter, attempt: AttemptOpened) -> None:
    writer.open(attempt)
    await writer.flushed()


async def test_flushed_outbox_takes_concurrent_attempts(tmp_path: Path) -> None:
    writer, reader = OutboxWriter(tmp_path, flush_to_disk=True), OutboxReader(tmp_path)
    attempts = [opened() for _ in range(20)]

    await asyncio.gather(*(_open_for_good(writer, attempt) for attempt in attempts))
    for attempt in attempts:
        writer.settle(attempt.id, settled())

    assert sorted(take(reader)) == sorted((attempt.id, "exact") for attempt in attempts)


async def test_attempts_that_arrive_together_share_a_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = []

    class CountedLog(mmap.mmap):
        def flush(self, *args: int) -> None:
            flushes.append(args)

    monkeypatch.setattr(mmap, "mmap", CountedLog)
    writer = OutboxWriter(tmp_path, flush_to_disk=True)

    await asyncio.gather(*(_open_for_good(writer, opened()) for _ in range(20)))

    assert len(flushes) == 1


async def test_disk_that_fails_a_flush_refuses_all_who_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrokenLog(mmap.mmap):
        def flush(self, *args: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(mmap, "mmap", BrokenLog)
    writer = OutboxWriter(tmp_path, flush_to_disk=True)

    opening = (_open_for_good(writer, opened()) for _ in range(3))
    outcomes = await asyncio.gather(*opening, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [OutboxUnavailable] * 3


async def test_long_outage_of_the_ledger_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MOST_WAITING", 2)
    writer, reader = OutboxWriter(tmp_path, segment_bytes=500), OutboxReader(tmp_path)
    left_open = opened()
    writer.open(left_open)
    for _ in range(9):
        attempt = opened()
        writer.open(attempt)
        writer.settle(attempt.id, settled())
    writer.close()

    first, again = reader.sweep(now=0), reader.sweep(now=0)

    assert len(first.attempts) < 9
    assert (again, reader.has_more) == (first, True)
    counted = take(reader)
    while reader.has_more:
        counted += take(reader)
    assert [certainty for _, certainty in counted].count("exact") == 9
    assert counted[-1] == (left_open.id, "unknown")
    assert list(tmp_path.iterdir()) == []
