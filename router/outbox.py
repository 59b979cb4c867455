"""The outbox: each gateway process notes what it calls, and how it ended, in log files of its own.

A record is written before the upstream is called and another once the call is settled. Logs are mapped into memory, so
writing is a copy and no system call, and what was written is the kernel's: it survives the death of the process, kill
-9 included. (``FULL`` adds a flush to the disk before a call goes out, for machines that lose power.) A process holds a
lock on ``<writer>.lock`` for as long as it lives; the logs of a writer whose lock is free are complete, and what is
still open in them ended with it. Logs are segments of fixed size, whose space is taken when they are made: a full disk
shows there, as an error, and the shipper can remove what it has counted.

A frame is: length of the payload (4 bytes), its CRC-32 (4 bytes), the payload. The log ends where none is whole.
"""

import asyncio
import fcntl
import logging
import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from router.exchanges import ExchangeFolder, ExchangeWriter
from usage.records import AttemptOpened, AttemptSettled, ExchangeRecord, RefusalRecord, SetAsideRecord

logger = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 1024 * 1024
_HEADER: Final = struct.Struct("<II")


class OutboxUnavailable(Exception):
    """The outbox cannot be written, so nothing may be sent: unmetered traffic is worse than none."""


class Opened(msgspec.Struct, tag="o", array_like=True, frozen=True):
    """An attempt is about to be sent."""

    attempt: AttemptOpened


class Settled(msgspec.Struct, tag="s", array_like=True, frozen=True):
    """An attempt ended."""

    id: UUID
    how: AttemptSettled


Entry = Opened | Settled | RefusalRecord | SetAsideRecord

_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


class OutboxWriter:
    """The one writer of this process. Not thread-safe: it belongs to the event loop."""

    def __init__(self, directory: Path, *, flush_to_disk: bool = False, segment_bytes: int = SEGMENT_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory, self._segment_bytes = directory, segment_bytes
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = self._hold_lock()
        self._exchanges = ExchangeWriter(ExchangeFolder(directory))
        self._log: mmap.mmap | None = None
        self._number, self._end = 0, 0
        self._flush_to_disk = flush_to_disk
        self._flushing: asyncio.Task[None] | None = None
        self._next_flush: asyncio.Task[None] | None = None

    def open(self, attempt: AttemptOpened) -> None:
        """Record that ``attempt`` is about to be sent. Raises OutboxUnavailable: then do not send it."""
        self._append(Opened(attempt))

    async def flushed(self) -> None:
        """Wait until what was recorded is on the disk, if it is to be. Raises OutboxUnavailable."""
        if self._flush_to_disk:
            await self._flushed()

    def settle(self, attempt_id: UUID, how: AttemptSettled) -> None:
        """Record how an attempt ended. Raises OutboxUnavailable; it then counts as not known."""
        self._append(Settled(attempt_id, how))

    def refuse(self, refusal: RefusalRecord) -> None:
        """Record a refusal. Raises OutboxUnavailable."""
        self._append(refusal)

    def note(self, change: SetAsideRecord) -> None:
        """Record that a key was set aside or is back. Raises OutboxUnavailable."""
        self._append(change)

    def keep(self, exchange: ExchangeRecord) -> None:
        """Leave a sealed prompt and answer to be stored. Never raises, for no request may fail of it."""
        self._exchanges.keep(exchange)

    def close(self) -> None:
        """Give up the lock: the shipper then takes all that is left and removes the files."""
        self._exchanges.close()
        if self._log is not None:
            self._log.close()
        os.close(self._lock)

    def _append(self, entry: Entry) -> None:
        payload = _encoder.encode(entry)
        begin, end = self._end, self._end + _HEADER.size + len(payload)
        log = self._log
        if log is None or end > self._segment_bytes:
            log = self._next_segment()
            begin, end = 0, _HEADER.size + len(payload)
        # The header comes last: without it the frame is not there yet.
        log[begin + _HEADER.size : end] = payload
        log[begin : begin + _HEADER.size] = _HEADER.pack(len(payload), zlib.crc32(payload))
        self._end = end

    def _hold_lock(self) -> int:
        # Locked before it gets its name: a lock file that can be seen free belongs to a dead process.
        unnamed = self._directory / f"{self._name}.new"
        lock = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        unnamed.rename(self._directory / f"{self._name}.lock")
        return lock

    def _next_segment(self) -> mmap.mmap:
        path = self._directory / f"{self._name}.{self._number + 1:06}.log"
        try:
            if self._log is not None and self._flush_to_disk:
                self._log.flush()
            log = _make_log(path, self._segment_bytes)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OutboxUnavailable(error.strerror or "The outbox cannot be written.") from None
        # The old one is not closed here: a thread may be flushing it, and it goes with its last reference.
        self._log, self._end, self._number = log, 0, self._number + 1
        return log

    async def _flushed(self) -> None:
        # A flush that runs already may have passed our record by: all who arrive meanwhile share the next one.
        if self._next_flush is None:
            self._next_flush = asyncio.create_task(self._flush_after(self._flushing))
        await asyncio.shield(self._next_flush)

    async def _flush_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        self._flushing, self._next_flush = self._next_flush, None
        if self._log is None:
            return
        try:
            await asyncio.to_thread(self._log.flush)
        except OSError as error:
            raise OutboxUnavailable(error.strerror or "The outbox cannot be flushed.") from None


def _make_log(path: Path, size: int) -> mmap.mmap:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # Without its space taken beforehand, writing to a full disk would kill the process.
        os.posix_fallocate(file, 0, size)
        return mmap.mmap(file, size)
    finally:
        os.close(file)


def read_entries(data: bytes) -> Iterator[tuple[Entry | None, int]]:
    """Yield each whole entry in ``data`` with the offset behind it, up to the first that is not whole.

    An entry of a form that this version does not know is None.
    """
    offset = 0
    while len(data) - offset >= _HEADER.size:
        length, checksum = _HEADER.unpack_from(data, offset)
        if not length:
            return
        end = offset + _HEADER.size + length
        payload = data[offset + _HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return
        yield _decoded(payload), end
        offset = end


def _decoded(payload: bytes) -> Entry | None:
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError as error:
        # Written by a version that knows more than this one; what was opened in it will end as not known.
        logger.error("A record of the outbox cannot be read and is passed over: %s", error)
        return None


def is_writer_alive(lock: Path) -> bool:
    """Whether the process that made ``lock`` still holds it."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
