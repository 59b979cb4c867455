"""Prompts and answers are sealed before they are written, stored only where wanted, and never cost a request."""

import asyncio
import os
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from keys.crypto import CannotOpen
from keys.models import PromptKey
from keys.prompts import PromptSealer, Side, ensure_prompt_key, forget_prompt_key, load_sealers, open_prompt_key
from router import exchanges
from router.exchanges import LONGEST_SIDE, ExchangeFolder, ExchangeRecorder, ExchangeWriter
from router.management.commands.ship_usage import ship
from router.outbox import OutboxWriter
from router.shipping import OutboxReader
from teams.models import Workspace
from usage.models import StoredExchange
from usage.records import ExchangeRecord, uuid7

CANARY = b"canary-7f3a-what-the-client-said"
REPLY = b"canary-91c2-what-the-model-said"
GATEWAY_KEY = UUID(int=2)


@pytest.fixture
def storing(workspace: Workspace) -> Workspace:
    workspace.store_prompts = True
    workspace.save()
    ensure_prompt_key(workspace)
    return workspace


@pytest.fixture
def sealer(storing: Workspace) -> PromptSealer:
    return load_sealers()[storing.pk]


@pytest.fixture
def folder(tmp_path: Path) -> ExchangeFolder:
    return ExchangeFolder(tmp_path)


def recorded(sealer: PromptSealer, *chunks: bytes, request: bytes = CANARY, **fields: Any) -> ExchangeRecord:
    recorder = ExchangeRecorder(sealer, request_id="a-request", gateway_key=GATEWAY_KEY, request=request)
    for chunk in chunks:
        recorder.add(chunk)
    return msgspec.structs.replace(recorder.record(uuid7()), **fields)


def opened(sealer: PromptSealer, stored: StoredExchange) -> tuple[bytes, bytes]:
    place = {"request_id": stored.request_id, "attempt": stored.id}
    return (
        sealer.open(Side.REQUEST, bytes(stored.sealed_request), **place),
        sealer.open(Side.ANSWER, bytes(stored.sealed_answer), **place),
    )


def test_exchange_is_stored_and_opens_again(sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path) -> None:
    folder.keep(recorded(sealer, REPLY[:7], REPLY[7:]))

    ship(OutboxReader(tmp_path))

    stored = StoredExchange.objects.get()
    assert opened(sealer, stored) == (CANARY, REPLY)
    assert (stored.workspace_id, stored.gateway_key_id) == (sealer.workspace, GATEWAY_KEY)
    assert stored.expires_at - stored.at == timedelta(days=7)
    assert not list((tmp_path / exchanges.FOLDER).iterdir())


def test_what_goes_to_the_client_is_collected_unchanged(sealer: PromptSealer) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    recorder = ExchangeRecorder(sealer, request_id="a-request", gateway_key=GATEWAY_KEY, request=CANARY)
    messages = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": REPLY[:5], "more_body": True},
        {"type": "http.response.body", "body": REPLY[5:]},
    ]

    async def answer() -> None:
        collecting = recorder.collecting(send)
        for message in messages:
            await collecting(message)

    asyncio.run(answer())

    assert sent == messages
    record = recorder.record(uuid7())
    place = {"request_id": "a-request", "attempt": record.attempt}
    assert sealer.open(Side.ANSWER, record.sealed_answer, **place) == REPLY


def test_neither_files_nor_rows_hold_a_word_of_it(
    sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.keep(recorded(sealer, REPLY))

    [waiting] = [path for path in tmp_path.rglob("*") if path.suffix == ".sealed"]
    mode = waiting.stat().st_mode & 0o777
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    ship(OutboxReader(tmp_path))
    with (
        connection.connection.cursor() as cursor,
        cursor.copy("COPY usage_storedexchange TO STDOUT (FORMAT binary)") as copy,
    ):
        in_table = b"".join(bytes(part) for part in copy)

    assert mode == 0o600
    assert len(in_table) > len(CANARY) + len(REPLY)
    for canary in (CANARY, REPLY):
        assert canary not in on_disk
        assert canary not in in_table
        assert canary.decode() not in caplog.text


def test_long_side_is_cut_and_says_so(sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path) -> None:
    folder.keep(recorded(sealer, b"a" * LONGEST_SIDE, b"b", request=b"q" * (LONGEST_SIDE + 5)))

    ship(OutboxReader(tmp_path))

    stored = StoredExchange.objects.get()
    request, answer = opened(sealer, stored)
    assert (len(request), answer) == (LONGEST_SIDE, b"a" * LONGEST_SIDE)
    assert (stored.is_request_cut, stored.is_answer_cut) == (True, True)
    assert (stored.request_bytes, stored.answer_bytes) == (LONGEST_SIDE + 5, LONGEST_SIDE + 1)


def test_side_of_exactly_the_longest_is_whole(sealer: PromptSealer) -> None:
    record = recorded(sealer, b"a" * LONGEST_SIDE, request=b"q" * LONGEST_SIDE)

    assert (record.is_request_cut, record.is_answer_cut) == (False, False)


@pytest.mark.parametrize("changed", ["side", "request_id", "attempt", "bytes"])
def test_sealed_side_opens_in_its_own_place_only(sealer: PromptSealer, changed: str) -> None:
    record = recorded(sealer, REPLY)
    sealed = record.sealed_request
    if changed == "bytes":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])

    with pytest.raises(CannotOpen):
        sealer.open(
            Side.ANSWER if changed == "side" else Side.REQUEST,
            sealed,
            request_id="another" if changed == "request_id" else "a-request",
            attempt=uuid7() if changed == "attempt" else record.attempt,
        )


def test_key_of_one_workspace_opens_nothing_of_another(sealer: PromptSealer, other_workspace: Workspace) -> None:
    mine, theirs = PromptKey.objects.get(), ensure_prompt_key(other_workspace)
    theirs.wrapped_data_key, theirs.master_key_id = mine.wrapped_data_key, mine.master_key_id

    with pytest.raises(CannotOpen):
        open_prompt_key(theirs)


def test_workspace_that_stores_nothing_has_no_sealer(workspace: Workspace, storing: Workspace) -> None:
    storing.store_prompts = False
    storing.save()

    assert load_sealers() == {}


def test_key_is_made_once(storing: Workspace) -> None:
    assert ensure_prompt_key(storing).pk == PromptKey.objects.get().pk


def test_unknown_master_key_stores_nothing_and_stops_nobody(
    storing: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    PromptKey.objects.update(master_key_id="lost")

    assert load_sealers() == {}
    assert "UnknownMasterKey" in caplog.text


def test_repeat_changes_nothing(sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path) -> None:
    record = recorded(sealer, REPLY)
    for _ in range(2):
        folder.keep(record)
        ship(OutboxReader(tmp_path))

    assert StoredExchange.objects.count() == 1


def test_what_was_sealed_before_its_key_was_forgotten_is_dropped(
    storing: Workspace, sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path
) -> None:
    folder.keep(recorded(sealer, REPLY))
    forget_prompt_key(storing)
    ensure_prompt_key(storing)

    ship(OutboxReader(tmp_path))

    assert not StoredExchange.objects.exists()
    assert not list((tmp_path / exchanges.FOLDER).iterdir())


def test_what_waited_too_long_is_dropped(sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    folder.keep(recorded(sealer, REPLY, expires_at_us=int(yesterday.timestamp() * 1_000_000)))

    ship(OutboxReader(tmp_path))

    assert not StoredExchange.objects.exists()


def test_nearly_full_disk_lets_the_prompt_go(
    sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(exchanges, "RESERVED_DISK_BYTES", 2**62)

    folder.keep(recorded(sealer, REPLY))
    folder.keep(recorded(sealer, REPLY))

    assert not list((tmp_path / exchanges.FOLDER).iterdir())
    assert caplog.text.count("the disk is nearly full") == 1


def test_folder_that_cannot_be_written_fails_no_request(
    sealer: PromptSealer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / exchanges.FOLDER).write_text("in the way")

    ExchangeFolder(tmp_path).keep(recorded(sealer, REPLY))

    assert "not stored" in caplog.text


def test_unfinished_file_of_a_dead_process_goes_in_time(tmp_path: Path) -> None:
    folder = tmp_path / exchanges.FOLDER
    folder.mkdir()
    old, new = folder / "old.new", folder / "new.new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 3600,) * 2)

    assert list(ExchangeFolder(tmp_path).batches()) == []

    assert [path.name for path in folder.iterdir()] == ["new.new"]


def test_batches_are_small_enough_for_the_memory(sealer: PromptSealer, folder: ExchangeFolder) -> None:
    for _ in range(3):
        folder.keep(recorded(sealer, b"a" * 1000))

    assert [len(batch) for batch in folder.batches(most_records=2)] == [2, 1]
    assert [len(batch) for batch in folder.batches(most_bytes=1)] == [1, 1, 1]


def test_unreadable_file_holds_nobody_up(
    sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.keep(recorded(sealer, REPLY))
    (tmp_path / exchanges.FOLDER / "0.sealed").write_bytes(b"\xc1")

    ship(OutboxReader(tmp_path))

    assert StoredExchange.objects.count() == 1
    assert "cannot be read" in caplog.text


def test_record_the_table_refuses_holds_nobody_up(sealer: PromptSealer, folder: ExchangeFolder, tmp_path: Path) -> None:
    folder.keep(recorded(sealer, REPLY, request_id="x" * 41))
    folder.keep(recorded(sealer, REPLY))

    ship(OutboxReader(tmp_path))

    assert StoredExchange.objects.get().request_id == "a-request"


def test_writer_of_the_outbox_leaves_all_behind_when_it_closes(sealer: PromptSealer, tmp_path: Path) -> None:
    writer = OutboxWriter(tmp_path)
    for _ in range(20):
        writer.keep(recorded(sealer, REPLY))

    writer.close()

    assert sum(len(batch) for batch in ExchangeFolder(tmp_path).batches()) == 20


def test_slow_disk_lets_prompts_go_before_they_fill_the_memory(
    sealer: PromptSealer, folder: ExchangeFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exchanges, "MOST_WAITING_BYTES", 1000)
    is_free = threading.Event()
    monkeypatch.setattr(folder, "keep", lambda record: is_free.wait(10))
    writer = ExchangeWriter(folder)

    for _ in range(3):
        writer.keep(recorded(sealer, b"a" * 400))
    is_free.set()
    writer.close()

    assert "the disk is too slow" in caplog.text
    assert writer._waiting_bytes == 0


def test_exchange_that_comes_too_late_is_let_go(
    sealer: PromptSealer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = OutboxWriter(tmp_path)
    writer.close()

    writer.keep(recorded(sealer, REPLY))

    assert "the gateway has stopped" in caplog.text
