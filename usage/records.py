"""What is recorded of an attempt: written by the gateway to its outbox, and by test calls, read by the ledger.

New fields go at the end and have defaults, so that an outbox written by an older gateway stays readable.
"""

import random
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from providers.base import TokenCounts

EPOCH = datetime.fromtimestamp(0, UTC)
_RANDOM_BITS = 74


class Certainty(StrEnum):
    """How sure the token counts of a settled attempt are."""

    EXACT = "exact"
    PARTIAL = "partial"  # the upstream broke off
    ESTIMATED = "estimated"  # the client left; output is estimated from the text received
    UNKNOWN = "unknown"  # the process died, no answer came, or a success came without usage


class AttemptOpened(msgspec.Struct, array_like=True, frozen=True):
    """What is known before the upstream is called."""

    id: UUID
    request_id: str
    kind: str  # live | test
    dialect: str
    workspace: UUID
    gateway_key: UUID | None
    provider_key: UUID
    provider_key_version: int
    provider: str
    region: str
    model_asked: str
    model: str
    stream: bool
    started_at_us: int
    project: UUID | None = None
    identity: str = ""
    session: str = ""
    tags: list[str] = []
    attempt: int = 1
    queue_ms: int | None = None  # from the request's arrival to this attempt's start
    route: str = ""  # the name it was asked for by, if that was a route's


class AttemptSettled(msgspec.Struct, array_like=True, frozen=True):
    """How it ended. ``status`` is the upstream's HTTP status, None if there was none."""

    certainty: Certainty
    status: int | None
    error_code: str
    final: bool
    ended_at_us: int
    latency_ms: int | None
    ttft_ms: int | None
    counts: TokenCounts
    upstream_request_id: str = ""
    model_served: str = ""
    # Both since the attempt's start: until the connection stood (0: an open one was taken), and the answer's headers.
    connect_ms: int | None = None
    first_byte_ms: int | None = None


class RefusalRecord(msgspec.Struct, tag="r", array_like=True, frozen=True):
    """A request refused before anything was sent."""

    id: UUID
    request_id: str
    workspace: UUID
    gateway_key: UUID
    dialect: str
    model_asked: str
    status: int
    error_code: str
    message: str
    at_us: int


class SetAsideRecord(msgspec.Struct, tag="k", array_like=True, frozen=True):
    """A key's version left alone for a while, for the upstream's ``model`` or ('') all; ``until_us`` 0: it is back."""

    provider_key: UUID
    version: int
    model: str
    outcome: str
    detail: str
    until_us: int


class ExchangeRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a client sent and was answered, both sealed with its workspace's prompt key ``prompt_key``.

    ``attempt`` answered the request. Each side is sealed up to a limit: ``…_bytes`` is how long it was, and
    ``is_…_cut`` tells whether its end is missing.
    """

    attempt: UUID
    request_id: str
    workspace: UUID
    gateway_key: UUID | None
    prompt_key: UUID
    at_us: int
    expires_at_us: int
    sealed_request: bytes
    sealed_answer: bytes
    request_bytes: int
    answer_bytes: int
    is_request_cut: bool = False
    is_answer_cut: bool = False


class AttemptRecord(msgspec.Struct, frozen=True):
    """An attempt as the ledger takes it: settled, or still open."""

    opened: AttemptOpened
    settled: AttemptSettled | None = None


def uuid7(now_us: int | None = None) -> UUID:
    """Return a new UUID of version 7: 48 bits of milliseconds, then random. Source: RFC 9562, section 5.7."""
    milliseconds = (now_us or time.time_ns() // 1000) // 1000
    # Unique is enough, and the system's random source would cost more than the rest of this function.
    bits = random.getrandbits(_RANDOM_BITS)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


def moment_of(attempt_id: UUID) -> datetime:
    """Return when a UUID of version 7 was made, to the millisecond."""
    return EPOCH + timedelta(milliseconds=attempt_id.int >> 80)


def first_id_at(moment: datetime) -> UUID:
    """Return a bound that no UUID of version 7 made at ``moment`` or later is below, and all earlier ones are."""
    return UUID(int=(moment - EPOCH) // timedelta(milliseconds=1) << 80)


def microseconds_of(moment: datetime) -> int:
    """Return ``moment`` as the ``…_us`` fields hold it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    """Return the moment that a ``…_us`` field holds."""
    return EPOCH + timedelta(microseconds=microseconds)
