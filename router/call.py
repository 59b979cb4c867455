"""One request carried to its provider and back, metered from before the first byte to after the last.

The task a ``Call`` runs in outlives the client: whatever happens to the connection, the attempt is settled. It writes
to the client directly; waiting for a slow client to take a chunk is what slows the upstream down.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import aiohttp
import attrs
import msgspec
from aiohttp.payload import BytesPayload
from yarl import URL

from keys.crypto import CryptoError
from providers import anthropic
from providers.base import ModelCall, Outcome, Shape, Target, TokenCounts, UnreadableAnswer
from providers.sse import SSEDecoder, StreamMeter
from providers.usage import read_message
from router.asgi_types import Send
from router.dialects.base import CostSplit, Dialect, ParsedRequest, ReplyContext, StreamRenderer
from router.failures import Failure, failure_of, unreachable
from router.headers import RequestHeaders, reply_headers
from router.outbox import OutboxUnavailable, OutboxWriter
from router.plan import Candidate, Plan
from router.snapshot import GatewayKeyEntry
from usage.pricing import price_counts
from usage.records import AttemptOpened, AttemptSettled, Certainty, uuid7

logger = logging.getLogger(__name__)

# English text and code have between three and four characters a token; used only when the count never came.
CHARACTERS_PER_TOKEN = 3.5
# More of a model's name than the ledger keeps is not recorded.
LONGEST_NAME = 200

Headers = Sequence[tuple[bytes, bytes]]
_STREAM_HEADERS: Headers = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
# What makes the next key worth trying: this one is refused, whatever the request.
_KEY_IS_AT_FAULT = frozenset([Outcome.INVALID_CREDENTIAL, Outcome.NO_CREDIT])
# After these the provider has seen nothing of the request; after any other failure it may have worked on it.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_COUNT_TOKENS = "count_tokens"
_NO_TOKENS = TokenCounts(0, 0, 0, 0, 0)


class Inbound(msgspec.Struct, frozen=True):
    """What the client sent, beside the body."""

    id: UUID
    request_id: str
    path: str
    headers: RequestHeaders


class Metadata(msgspec.Struct, frozen=True):
    """What the client says the request is for; stored on the ledger row."""

    identity: str
    session: str
    tags: list[str]


class Timeouts:
    """How long a provider may take, in seconds: ``between_bytes`` of a stream, ``first_byte`` of a whole answer."""

    def __init__(self, *, connect: float, first_byte: float, between_bytes: float) -> None:
        self._stream = aiohttp.ClientTimeout(sock_connect=connect, sock_read=between_bytes)
        self._answer = aiohttp.ClientTimeout(sock_connect=connect, sock_read=first_byte)

    def of(self, parsed: ParsedRequest) -> aiohttp.ClientTimeout:
        """Return the limits for a request, whose client may have set one for the whole call."""
        timeout = self._stream if parsed.stream else self._answer
        whole_ms = parsed.options.timeout_ms
        return attrs.evolve(timeout, total=whole_ms / 1000) if whole_ms else timeout


class Call:
    """A request on its way. ``run`` never raises; ``abandon`` is called when the client has left."""

    __slots__ = (
        "_body",
        "_dialect",
        "_has_begun_answer",
        "_headers",
        "_inbound",
        "_is_abandoned",
        "_is_count",
        "_is_native",
        "_key",
        "_metadata",
        "_outbox",
        "_parsed",
        "_plan",
        "_session",
        "_timeouts",
        "is_answered",
    )

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        outbox: OutboxWriter,
        timeouts: Timeouts,
        inbound: Inbound,
        key: GatewayKeyEntry,
        dialect: Dialect,
        parsed: ParsedRequest,
        plan: Plan,
        metadata: Metadata,
        outbound_body: bytes,
        outbound_headers: Mapping[str, str],
        is_count: bool = False,
    ) -> None:
        self._session, self._outbox, self._timeouts = session, outbox, timeouts
        self._inbound, self._key, self._dialect, self._parsed, self._plan = inbound, key, dialect, parsed, plan
        self._metadata, self._body, self._headers = metadata, outbound_body, outbound_headers
        self._is_count = is_count
        self._is_native = dialect.name == "messages"
        self._is_abandoned = self._has_begun_answer = False
        self.is_answered = False

    def abandon(self, task: "asyncio.Task[Any]") -> None:
        """Close the upstream: nobody should pay for text that nobody reads. What came so far is settled."""
        self._is_abandoned = True
        task.cancel()

    async def run(self, send: Send) -> None:
        """Make the attempts of the plan, in order, until one answers, and answer the client."""
        last = len(self._plan.candidates)
        for number, candidate in enumerate(self._plan.candidates, 1):
            attempt = Attempt(self, candidate, number)
            try:
                if await self._try(attempt, send, is_last=number == last):
                    return
            except asyncio.CancelledError:
                attempt.settle_interrupted("client_closed_request" if self._is_abandoned else "gateway_stopped")
                return
            except OutboxUnavailable as error:
                logger.error("The outbox cannot be written, so the gateway refuses: %s", error)
                await self._answer_failure(send, Failure(503, "metering_unavailable", "Usage cannot be recorded."))
                return
            except Exception:
                logger.exception("Request %s failed inside the gateway", self._inbound.request_id)
                attempt.settle_interrupted("internal_error")
                # An answer under way cannot become another: it stays incomplete, and the server closes the connection.
                if not self._has_begun_answer:
                    await self._answer_failure(send, Failure(500, "internal_error", "The gateway failed; see its log."))
                return

    async def _try(self, attempt: "Attempt", send: Send, *, is_last: bool) -> bool:
        """Make one attempt; True if it answered the client, False if the next key should be tried."""
        await self._outbox.open(attempt.opened)
        try:
            response = await self._send(attempt)
        except CryptoError:
            failure = Failure(422, "provider_credential_invalid", "The stored key cannot be opened. Paste it again.")
            return await self._fail(attempt, send, failure, goes_on=not is_last)
        except (TimeoutError, aiohttp.ClientError) as error:
            failure = failure_of(Outcome.TIMEOUT, "") if isinstance(error, TimeoutError) else unreachable()
            certainty = Certainty.EXACT if isinstance(error, _NEVER_SENT) else Certainty.UNKNOWN
            return await self._fail(attempt, send, failure, certainty=certainty)
        async with response:
            attempt.status = response.status
            attempt.upstream_request_id = response.headers.get("request-id", "")
            if response.status >= 300:
                return await self._relay_error(attempt, response, send, is_last=is_last)
            # What was asked for decides: a proxy on the way may have lost the content type.
            if self._parsed.stream:
                await self._relay_stream(attempt, response, send)
            else:
                await self._relay_answer(attempt, response, send)
            return True

    async def _send(self, attempt: "Attempt") -> aiohttp.ClientResponse:
        candidate = attempt.candidate
        shape = Shape.COUNT_TOKENS if self._is_count else Shape.MESSAGES
        model_call = ModelCall(candidate.upstream_model, self._body, self._parsed.stream, shape, self._headers)
        outbound = anthropic.build_request(model_call, Target(candidate.key.url))
        return await self._session.request(
            outbound.method,
            _url(outbound.url),
            data=BytesPayload(outbound.body),
            headers=anthropic.authorize(outbound, candidate.version.open()),
            allow_redirects=False,
            timeout=self._timeouts.of(self._parsed),
        )

    # Whole answers

    async def _relay_answer(self, attempt: "Attempt", response: aiohttp.ClientResponse, send: Send) -> None:
        try:
            body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            attempt.settle(Certainty.UNKNOWN, error_code="provider_error")
            await self._answer_failure(send, failure_of(Outcome.PROVIDER_ERROR, "The answer broke off."))
            return
        attempt.settle_answer(body)
        if self._is_native:
            await self._answer(send, response.status, body, reply_headers(response.raw_headers))
            return
        try:
            rendered = self._dialect.render_answer(body, self._reply_context())
        except UnreadableAnswer:
            await self._answer_failure(send, failure_of(Outcome.PROVIDER_ERROR, "The answer could not be read."))
            return
        await self._answer(send, 200, rendered, reply_headers(response.raw_headers))

    async def _relay_error(
        self, attempt: "Attempt", response: aiohttp.ClientResponse, send: Send, *, is_last: bool
    ) -> bool:
        try:
            body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            body = b""
        outcome, message = anthropic.classify_error(response.status, body)
        failure = failure_of(outcome, message)
        if outcome in _KEY_IS_AT_FAULT and not is_last:
            attempt.settle(Certainty.EXACT, error_code=failure.code, final=False)
            return False
        attempt.settle(Certainty.EXACT, error_code=failure.code)
        names, values = [name for name, _ in response.raw_headers], [value for _, value in response.raw_headers]
        masked, masked_message, *values = _mask([body, message.encode(), *values], attempt.candidate)
        headers = reply_headers(zip(names, values, strict=True))
        if self._is_native:
            await self._answer(send, response.status, masked, headers)
        else:
            await self._answer_failure(send, failure_of(outcome, masked_message.decode(errors="replace")), headers)
        return True

    # Streams

    async def _relay_stream(self, attempt: "Attempt", response: aiohttp.ClientResponse, send: Send) -> None:
        meter = attempt.meter = StreamMeter()
        renderer = None if self._is_native else self._dialect.stream_renderer(self._reply_context())
        decoder = SSEDecoder()
        await self._start(send, response.status, b"text/event-stream", reply_headers(response.raw_headers))
        broke_off = False
        try:
            async for received in response.content.iter_any():
                [chunk] = _mask([received], attempt.candidate) if b"error" in received else [received]
                meter.feed(chunk)
                if attempt.ttft_ms is None and meter.first_token_seen:
                    attempt.ttft_ms = attempt.elapsed_ms()
                out = chunk if renderer is None else b"".join(map(renderer.feed, decoder.events(chunk)))
                if out:
                    await send({"type": "http.response.body", "body": out, "more_body": True})
        except (aiohttp.ClientError, TimeoutError, UnreadableAnswer):
            broke_off = True
        attempt.settle_stream(broke_off=broke_off)
        end = b"" if renderer is None else _end_of(renderer, meter, broke_off=broke_off)
        await send({"type": "http.response.body", "body": end, "more_body": False})
        self.is_answered = True

    # To the client

    async def _fail(
        self,
        attempt: "Attempt",
        send: Send,
        failure: Failure,
        *,
        certainty: Certainty = Certainty.EXACT,
        goes_on: bool = False,
    ) -> bool:
        attempt.settle(certainty, error_code=failure.code, final=not goes_on)
        if goes_on:
            return False
        await self._answer_failure(send, failure)
        return True

    async def _answer_failure(self, send: Send, failure: Failure, upstream_headers: Headers | None = None) -> None:
        body = self._dialect.render_error(
            failure.status, failure.code, failure.message, request_id=self._inbound.request_id
        )
        with suppress(OSError):
            await self._answer(send, failure.status, body, upstream_headers)

    async def _answer(self, send: Send, status: int, body: bytes, upstream_headers: Headers | None) -> None:
        await self._start(send, status, b"application/json", upstream_headers, length=len(body))
        await send({"type": "http.response.body", "body": body})
        self.is_answered = True

    async def _start(
        self,
        send: Send,
        status: int,
        content_type: bytes,
        upstream_headers: Headers | None,
        *,
        length: int | None = None,
    ) -> None:
        headers = [*(upstream_headers or ()), (b"x-orq-trace-id", self._inbound.request_id.encode())]
        if not self._is_native or upstream_headers is None:
            headers = [header for header in headers if header[0] != b"content-type"]
            headers.append((b"content-type", content_type))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        else:
            headers += _STREAM_HEADERS
        self._has_begun_answer = True
        await send({"type": "http.response.start", "status": status, "headers": headers})

    def _reply_context(self) -> ReplyContext:
        return ReplyContext(
            request_id=self._inbound.request_id,
            model=self._parsed.model,
            created=int(time.time()),
            cost_usd=self._cost,
            request=self._parsed,
            now=lambda: int(time.time()),
        )

    def _cost(self, counts: TokenCounts) -> CostSplit | None:
        entry = self._plan.entry
        if entry is None:
            return None
        price = entry.price_at(datetime.now(UTC))
        cost = price_counts(counts, price.rates(input_tokens=counts.input_total))
        return None if cost.is_unpriced else CostSplit(cost.input_total, cost.output or 0)

    def opened(self, candidate: Candidate, number: int) -> AttemptOpened:
        """Return what is recorded before an attempt is sent."""
        now_us = time.time_ns() // 1000
        return AttemptOpened(
            # A request goes by the id of its first attempt.
            id=self._inbound.id if number == 1 else uuid7(now_us),
            request_id=self._inbound.request_id,
            kind="live",
            dialect=_COUNT_TOKENS if self._is_count else self._dialect.name,
            workspace=self._key.workspace,
            gateway_key=self._key.id,
            provider_key=candidate.key.id,
            provider_key_version=candidate.version.number,
            provider=self._plan.provider,
            region="",
            model_asked=self._parsed.model[:LONGEST_NAME],
            model=self._plan.model[:LONGEST_NAME],
            stream=self._parsed.stream,
            started_at_us=now_us,
            identity=self._metadata.identity,
            session=self._metadata.session,
            tags=self._metadata.tags,
            attempt=number,
        )

    def record_settled(self, attempt_id: UUID, how: AttemptSettled) -> None:
        """Write how an attempt ended; if that fails it will count as not known, and the log says why."""
        try:
            self._outbox.settle(attempt_id, how)
        except OutboxUnavailable as error:
            logger.error("An attempt's end could not be recorded: %s", error)


class Attempt:
    """What is known of one attempt while it runs; settles once."""

    __slots__ = (
        "_begun",
        "_call",
        "_is_settled",
        "candidate",
        "meter",
        "opened",
        "status",
        "ttft_ms",
        "upstream_request_id",
    )

    def __init__(self, call: Call, candidate: Candidate, number: int) -> None:
        self.candidate = candidate
        self.opened = call.opened(candidate, number)
        self.status: int | None = None
        self.ttft_ms: int | None = None
        self.upstream_request_id = ""
        self.meter: StreamMeter | None = None
        self._call, self._begun, self._is_settled = call, time.perf_counter(), False

    def elapsed_ms(self) -> int:
        """Milliseconds since the attempt began."""
        return round((time.perf_counter() - self._begun) * 1000)

    def settle_answer(self, body: bytes) -> None:
        """Settle by the usage in a whole answer."""
        counts = read_message(body).counts
        self.settle(Certainty.EXACT if counts.is_known else Certainty.UNKNOWN, counts=counts)

    def settle_stream(self, *, broke_off: bool) -> None:
        """Settle by what the stream reported."""
        meter = self.meter
        if meter is None:
            raise AssertionError("only streams have a meter")
        self.ttft_ms = self.ttft_ms if self.ttft_ms is not None or not meter.first_token_seen else self.elapsed_ms()
        if meter.is_complete and not meter.error:
            certainty = Certainty.EXACT if meter.counts.is_known else Certainty.UNKNOWN
            self.settle(certainty, counts=meter.counts)
        elif meter.error and not meter.counts.is_known:
            # It failed before it began: an error that came as an event, not as a status.
            self.settle(Certainty.EXACT, error_code=_code_of(meter))
        else:
            self.settle(
                Certainty.PARTIAL if meter.counts.is_known else Certainty.UNKNOWN,
                counts=_with_estimate(meter),
                error_code=_code_of(meter) if meter.error or broke_off or not meter.is_complete else "",
            )

    def settle_interrupted(self, error_code: str) -> None:
        """Settle a call that was cut short from our side: the client left, the gateway is stopping or failed."""
        meter = self.meter
        if meter is not None and meter.is_complete:
            self.settle_stream(broke_off=False)
        elif meter is not None and meter.counts.is_known:
            self.settle(Certainty.ESTIMATED, counts=_with_estimate(meter), error_code=error_code)
        else:
            # The provider may have worked on it, and said nothing of it yet.
            self.settle(Certainty.UNKNOWN, error_code=error_code)

    def settle(
        self,
        certainty: Certainty,
        *,
        counts: TokenCounts = TokenCounts(),  # noqa: B008  # frozen
        error_code: str = "",
        final: bool = True,
    ) -> None:
        """Record how it ended; only the first call counts."""
        if self._is_settled:
            return
        self._is_settled = True
        if self.opened.dialect == _COUNT_TOKENS:
            # Counting uses no tokens, and no answer says so.
            certainty, counts = Certainty.EXACT, _NO_TOKENS
        latency_ms = self.elapsed_ms()
        how = AttemptSettled(
            certainty=certainty,
            status=self.status,
            error_code=error_code,
            final=final,
            ended_at_us=self.opened.started_at_us + latency_ms * 1000,
            latency_ms=latency_ms,
            ttft_ms=self.ttft_ms,
            counts=counts,
            upstream_request_id=self.upstream_request_id,
            model_served=(self.meter.model or "") if self.meter else "",
        )
        self._call.record_settled(self.opened.id, how)


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    """Return a parsed address; there are only a few, one for each provider key and endpoint."""
    return URL(text)


def _with_estimate(meter: StreamMeter) -> TokenCounts:
    """Return the counts reported, with the output estimated from the text where that is more than the placeholder."""
    counts = meter.counts
    estimate = math.ceil(meter.text_chars / CHARACTERS_PER_TOKEN)
    return msgspec.structs.replace(counts, output=max(counts.output or 0, estimate)) if counts.is_known else counts


def _code_of(meter: StreamMeter) -> str:
    if meter.error is None:
        return "provider_error"
    body = msgspec.json.encode({"error": {"type": meter.error.type, "message": meter.error.message}})
    return failure_of(*anthropic.classify_error(200, body)).code


def _end_of(renderer: StreamRenderer, meter: StreamMeter, *, broke_off: bool) -> bytes:
    if broke_off:
        return renderer.fail("provider_error", "The provider broke the answer off.")
    return renderer.finish()


def _mask(texts: Iterable[bytes], candidate: Candidate) -> list[bytes]:
    """Return what a provider sent with our key in it masked: some repeat what they were sent."""
    try:
        plaintext = candidate.version.open().reveal()
    except CryptoError:
        return list(texts)
    # In JSON some characters are escaped.
    in_json, plain = msgspec.json.encode(plaintext)[1:-1], plaintext.encode()
    return [text.replace(in_json, b"***").replace(plain, b"***") for text in texts]
