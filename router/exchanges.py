"""Prompts and answers of workspaces that store them: collected, sealed, and left for the shipper to carry.

They are sealed here, in memory, so that no file ever holds a prompt in plain text. Each exchange is a file of its own
in a folder beside the outbox: complete when it has its name, and gone when it is stored. Metering never depends on it:
what cannot be kept is let go, and the log says so.
"""

import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import UUID

import msgspec

from keys.prompts import PromptSealer, Side
from router.asgi_types import Message, Send
from usage.records import ExchangeRecord

logger = logging.getLogger(__name__)

# Of each side this much is kept.
LONGEST_SIDE: Final = 1024 * 1024
FOLDER: Final = "exchanges"
# The outbox needs what is left of the disk more: without it the gateway refuses all traffic.
RESERVED_DISK_BYTES: Final = 256 * 1024 * 1024
_DAY_US: Final = 24 * 3600 * 1_000_000
_SEALED, _UNFINISHED = ".sealed", ".new"
# With a slow disk exchanges wait in memory, up to this much.
MOST_WAITING_BYTES: Final = 64 * 1024 * 1024
# A file that got no name within this time was being written by a process that died.
_ABANDONED_AFTER_S: Final = 60.0
_GAP_BETWEEN_WARNINGS_S: Final = 60.0

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ExchangeRecord)


class ExchangeRecorder:
    """Collects one exchange. ``request`` is what the client sent, unchanged."""

    __slots__ = ("_answer", "_answer_bytes", "_gateway_key", "_request", "_request_id", "_sealer")

    def __init__(self, sealer: PromptSealer, *, request_id: str, gateway_key: UUID, request: bytes) -> None:
        self._sealer, self._request_id, self._gateway_key, self._request = sealer, request_id, gateway_key, request
        self._answer = bytearray()
        self._answer_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Take the next part of the answer's body, as the client gets it."""
        self._answer_bytes += len(chunk)
        room = LONGEST_SIDE - len(self._answer)
        if room > 0:
            self._answer += chunk[:room]

    def collecting(self, send: Send) -> Send:
        """Return ``send``, with all that goes through it to the client added here."""

        async def send_and_add(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.add(message.get("body", b""))
            await send(message)

        return send_and_add

    def record(self, attempt: UUID) -> ExchangeRecord:
        """Return the exchange so far, sealed; ``attempt`` is the one that answered."""
        at_us = time.time_ns() // 1000
        return ExchangeRecord(
            attempt=attempt,
            request_id=self._request_id,
            workspace=self._sealer.workspace,
            gateway_key=self._gateway_key,
            prompt_key=self._sealer.key_id,
            at_us=at_us,
            expires_at_us=at_us + self._sealer.retention_days * _DAY_US,
            sealed_request=self._seal(Side.REQUEST, self._request[:LONGEST_SIDE], attempt),
            sealed_answer=self._seal(Side.ANSWER, bytes(self._answer), attempt),
            request_bytes=len(self._request),
            answer_bytes=self._answer_bytes,
            is_request_cut=len(self._request) > LONGEST_SIDE,
            is_answer_cut=self._answer_bytes > LONGEST_SIDE,
        )

    def _seal(self, side: Side, plaintext: bytes, attempt: UUID) -> bytes:
        return self._sealer.seal(side, plaintext, request_id=self._request_id, attempt=attempt)


class ExchangeWriter:
    """Leaves exchanges in ``folder`` from a thread of its own: the event loop does not wait for the disk."""

    def __init__(self, folder: "ExchangeFolder") -> None:
        self._folder = folder
        # Its thread starts with the first exchange: most gateways never keep one.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="exchanges")
        self._lock, self._waiting_bytes = Lock(), 0

    def keep(self, record: ExchangeRecord) -> None:
        """Have ``record`` left for the shipper. Never raises: what cannot be kept is let go."""
        size = len(record.sealed_request) + len(record.sealed_answer)
        with self._lock:
            if self._waiting_bytes + size > MOST_WAITING_BYTES:
                self._folder.warn("the disk is too slow")
                return
            self._waiting_bytes += size
        try:
            self._thread.submit(self._write, record, size)
        except RuntimeError:
            # A call that outlasts the gateway itself.
            self._folder.warn("the gateway has stopped")

    def close(self) -> None:
        """Wait until all is written."""
        self._thread.shutdown()

    def _write(self, record: ExchangeRecord, size: int) -> None:
        self._folder.keep(record)
        with self._lock:
            self._waiting_bytes -= size


class ExchangeFolder:
    """Where sealed exchanges wait for the shipper. Any number of processes may keep, one takes."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self._directory = outbox / FOLDER
        self._warned_at = -_GAP_BETWEEN_WARNINGS_S

    def keep(self, record: ExchangeRecord) -> None:
        """Leave ``record`` for the shipper. Never raises: what cannot be kept is let go."""
        unfinished = self._directory / f"{record.attempt}{_UNFINISHED}"
        try:
            self._directory.mkdir(exist_ok=True, mode=0o700)
            if _free_bytes(self._directory) < RESERVED_DISK_BYTES:
                self.warn("the disk is nearly full")
                return
            file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(file, "wb") as handle:
                handle.write(_encoder.encode(record))
            unfinished.rename(unfinished.with_suffix(_SEALED))
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            self.warn(error.strerror or type(error).__name__)

    def batches(self, *, most_records: int = 100, most_bytes: int = 16 * LONGEST_SIDE) -> Iterator[list[Path]]:
        """Yield the files that wait now, the oldest first, in batches small enough to hold in memory."""
        batch: list[Path] = []
        total = 0
        for path in self._waiting():
            size = path.stat().st_size
            if batch and (len(batch) == most_records or total + size > most_bytes):
                yield batch
                batch, total = [], 0
            batch.append(path)
            total += size
        if batch:
            yield batch

    def _waiting(self) -> list[Path]:
        if not self._directory.is_dir():
            return []
        for path in self._directory.glob(f"*{_UNFINISHED}"):
            # It may get its name meanwhile.
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink()
        # Named by version-7 UUIDs, so in the order of their time.
        return sorted(self._directory.glob(f"*{_SEALED}"))

    def warn(self, reason: str) -> None:
        """Say in the log, now and then, why exchanges are let go."""
        now = time.monotonic()
        if now - self._warned_at >= _GAP_BETWEEN_WARNINGS_S:
            self._warned_at = now
            logger.warning("A prompt and its answer are not stored: %s", reason)


def read_exchange(path: Path) -> ExchangeRecord | None:
    """Return what a file of the folder holds; None if it cannot be read, of which the log tells."""
    try:
        return _decoder.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        logger.error("A stored exchange cannot be read and is passed over: %s", error)
        return None


def _free_bytes(directory: Path) -> int:
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize
