"""Attempts as the gateway reports them, with defaults; a test spells out only what it is about."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from catalog.prices import Price, PriceTable, Rates
from providers.base import TokenCounts
from teams.models import Workspace
from usage.records import AttemptOpened, AttemptRecord, AttemptSettled, Certainty, microseconds_of, uuid7
from usage.services import record_attempts

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROVIDER_KEY = UUID(int=1)
GATEWAY_KEY = UUID(int=2)
COUNTS = TokenCounts(
    uncached_input=100,
    cache_read_input=1000,
    cache_write_5m_input=200,
    cache_write_1h_input=30,
    output=50,
    reasoning_output=20,
)
RATES = Rates(
    uncached_input=Decimal(3),
    cache_read_input=Decimal("0.3"),
    cache_write_5m_input=Decimal("3.75"),
    cache_write_1h_input=Decimal(6),
    output=Decimal(15),
)
PRICES = PriceTable(
    {("anthropic", model): [Price(id=1, base=RATES)] for model in ("claude-sonnet-4-6", "claude-haiku-4-5")}
)


def make_opened(workspace: Workspace | UUID, *, at: datetime = NOON, **fields: Any) -> AttemptOpened:
    at_us = microseconds_of(at)
    defaults: dict[str, Any] = {
        "id": uuid7(at_us),
        "request_id": uuid7(at_us).hex,
        "kind": "live",
        "dialect": "messages",
        "workspace": workspace.pk if isinstance(workspace, Workspace) else workspace,
        "gateway_key": GATEWAY_KEY,
        "provider_key": PROVIDER_KEY,
        "provider_key_version": 1,
        "provider": "anthropic",
        "region": "",
        "model_asked": "anthropic/claude-sonnet-4-6",
        "model": "claude-sonnet-4-6",
        "stream": False,
        "started_at_us": at_us,
    }
    return AttemptOpened(**defaults | fields)


def make_settled(opened: AttemptOpened, **fields: Any) -> AttemptSettled:
    defaults: dict[str, Any] = {
        "certainty": Certainty.EXACT,
        "status": 200,
        "error_code": "",
        "final": True,
        "ended_at_us": opened.started_at_us + 412_000,
        "latency_ms": 412,
        "ttft_ms": 120,
        "counts": COUNTS,
        "upstream_request_id": "req_01",
        "model_served": opened.model,
    }
    return AttemptSettled(**defaults | fields)


def make_record(
    workspace: Workspace | UUID, *, at: datetime = NOON, settled: Any = None, **opened: Any
) -> AttemptRecord:
    """Return a settled attempt; ``settled`` holds what differs in how it ended."""
    begun = make_opened(workspace, at=at, **opened)
    return AttemptRecord(begun, make_settled(begun, **(settled or {})))


def record(*records: AttemptRecord) -> int:
    """Write ``records`` to the ledger at the samples' prices."""
    return record_attempts(records, prices=PRICES)
