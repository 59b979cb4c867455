"""What a client asked for, read and planned: what its attempts are recorded as, and what its reply is told with."""

import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from providers.base import TokenCounts
from router.dialects.base import CostSplit, Dialect, ParsedRequest, ReplyContext
from router.fetching import UrlFetcher
from router.headers import RequestHeaders
from router.plan import Candidate, Plan
from router.snapshot import GatewayKeyEntry
from router.upstream import Timeouts
from usage.pricing import price_counts
from usage.records import AttemptOpened, uuid7

# More of a model's name than the ledger keeps is not recorded.
LONGEST_NAME: Final = 200
# Clients of streams give up after 300 s in which they hear nothing.
LONGEST_SILENCE_S: Final = 240.0
_COUNT_TOKENS: Final = "count_tokens"


class Metadata(msgspec.Struct, frozen=True):
    """What the client says the request is for; stored on the ledger row."""

    identity: str
    session: str
    tags: list[str]


class Request(msgspec.Struct, frozen=True):
    """A client's request, read and planned. ``received_at`` is a time of ``time.perf_counter``."""

    id: UUID
    request_id: str
    headers: RequestHeaders
    key: GatewayKeyEntry
    dialect: Dialect
    parsed: ParsedRequest
    plan: Plan
    metadata: Metadata
    is_count: bool
    received_at: float
    fetcher: UrlFetcher | None

    def opened(self, candidate: Candidate, number: int) -> AttemptOpened:
        """Return what is recorded before attempt ``number``, counted from 1, is sent."""
        offered = candidate.offered
        now_us = time.time_ns() // 1000
        return AttemptOpened(
            # A request goes by the id of its first attempt.
            id=self.id if number == 1 else uuid7(now_us),
            request_id=self.request_id,
            kind="live",
            dialect=_COUNT_TOKENS if self.is_count else self.dialect.name,
            workspace=self.key.workspace,
            gateway_key=self.key.id,
            provider_key=candidate.key.id,
            provider_key_version=candidate.version.number,
            provider=offered.provider,
            region=candidate.region,
            model_asked=self.parsed.model[:LONGEST_NAME],
            model=offered.model[:LONGEST_NAME],
            stream=self.parsed.stream,
            started_at_us=now_us,
            project=self.key.project,
            identity=self.metadata.identity,
            session=self.metadata.session,
            tags=self.metadata.tags,
            attempt=number,
            queue_ms=round((time.perf_counter() - self.received_at) * 1000),
            route=self.plan.route,
        )

    def reply_context(self, candidate: Candidate) -> ReplyContext:
        """Return what an answer of ``candidate`` is told with: under its own name unless it is what was asked for."""
        is_first = not candidate.leg and not self.plan.route and not self.parsed.options.load_balancer
        return ReplyContext(
            request_id=self.request_id,
            model=self.parsed.model if is_first else candidate.offered.model_string,
            created=int(time.time()),
            cost_usd=lambda counts: _cost(candidate, counts),
            request=self.parsed,
            now=lambda: int(time.time()),
        )


def limits_of(parsed: ParsedRequest, timeouts: Timeouts) -> Timeouts:
    """Return the limits for a request, whose client may have set a shorter one for the whole call."""
    whole_ms = parsed.options.timeout_ms
    if whole_ms:
        timeouts = msgspec.structs.replace(timeouts, whole=min(whole_ms / 1000, timeouts.whole))
    if parsed.stream and timeouts.first_byte > LONGEST_SILENCE_S:
        # Until a stream has begun no ping can be sent, for another model may yet answer.
        timeouts = msgspec.structs.replace(timeouts, first_byte=LONGEST_SILENCE_S)
    return timeouts


def _cost(candidate: Candidate, counts: TokenCounts) -> CostSplit | None:
    if candidate.priced is None:
        return None
    price = candidate.priced.price_at(datetime.now(UTC))
    cost = price_counts(counts, price.rates(input_tokens=counts.input_total))
    return None if cost.is_unpriced else CostSplit(cost.input_total, cost.output or 0)
