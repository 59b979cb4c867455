"""One request carried to its providers and back, metered from before the first byte to after the last.

The task a ``Call`` runs in outlives the client: whatever happens to the connection, each attempt is settled. It writes
to the client directly; waiting for a slow client to take a chunk is what slows the upstream down.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from keys.crypto import CryptoError
from providers.base import Answer, AnswerStream, Outbound, Outcome, TokenCounts, UnreadableAnswer
from providers.secret import Secret
from providers.sse import SSEDecoder
from providers.tokens import TokenFailure
from router.asgi_types import Send
from router.attempt import Attempt
from router.course import Course, Failed
from router.dialects.base import CostSplit, Dialect, ParsedRequest, ReplyContext, RequestRefused, StreamRenderer
from router.failures import Failure, failure_of, timed_out, unreachable, unsendable
from router.fetching import UrlFetcher
from router.headers import RequestHeaders, reply_headers
from router.health import Health
from router.outbox import OutboxUnavailable, OutboxWriter
from router.plan import Candidate, Plan
from router.retry_after import retry_after_s
from router.snapshot import GatewayKeyEntry
from router.tokens import AccessTokens
from router.translation import Translation, translate
from router.upstream import Timeouts, UpstreamAnswer, UpstreamClient, UpstreamFailed
from usage.pricing import price_counts
from usage.records import AttemptOpened, AttemptSettled, uuid7

logger = logging.getLogger(__name__)

# More of a model's name than the ledger keeps is not recorded.
LONGEST_NAME: Final = 200
# Clients of streams give up after 300 s in which they hear nothing.
LONGEST_SILENCE_S: Final = 240.0
# What pages show of a provider's message about a key.
LONGEST_DETAIL: Final = 300
# Which account a key belongs to, as Anthropic's replies say.
_ACCOUNT_HEADER: Final = "anthropic-organization-id"
_COUNT_TOKENS: Final = "count_tokens"
_NATIVE_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
# A comment, which clients of server-sent events pass over.
_COMMENT_PING: Final = b": ping\n\n"

Headers = Sequence[tuple[bytes, bytes]]
_STREAM_HEADERS: Final[Headers] = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


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


@dataclass(frozen=True, slots=True)
class Means:
    """What a process carries calls with."""

    upstream: UpstreamClient
    outbox: OutboxWriter
    health: Health
    tokens: AccessTokens
    fetcher: UrlFetcher
    timeouts: Timeouts


class _Refused(msgspec.Struct, frozen=True):
    """An attempt that failed before anything was sent to the client: what it would be told, and what may follow."""

    failure: Failure
    failed: Failed
    body: bytes = b""
    headers: Headers | None = None


class Call:
    """A request on its way. ``run`` never raises; ``abandon`` is called when the client has left.

    ``attempt_id`` is the last attempt's, which in the end is the one that answered.
    """

    __slots__ = (
        "_ends_at",
        "_first",
        "_has_begun_answer",
        "_is_abandoned",
        "_is_at_boundary",
        "_means",
        "_number",
        "_send",
        "_silent_since",
        "_timeouts",
        "attempt_id",
        "is_answered",
        "request",
    )

    def __init__(self, means: Means, request: Request, first: Translation) -> None:
        self._means, self.request, self._first = means, request, first
        self._timeouts = limits_of(request.parsed, means.timeouts)
        self._ends_at = time.monotonic() + self._timeouts.whole
        self._is_abandoned = self._has_begun_answer = self._is_at_boundary = False
        self._silent_since: float | None = None
        self._number = 1
        self.attempt_id = request.id
        self.is_answered = False

    def abandon(self, task: "asyncio.Task[Any]") -> None:
        """Close the upstream: nobody should pay for text that nobody reads. What came so far is settled."""
        self._is_abandoned = True
        task.cancel()

    async def run(self, send: Send) -> None:
        """Make the attempts of the plan until one answers, and answer the client."""
        self._send = send
        course = Course(self.request.plan, account_of=self._means.health.account_of)
        translation = self._first
        attempt = self._begin(course.current)
        try:
            while (refused := await self._try(attempt, translation)) is not None:
                following = await self._follow(course, refused)
                if following is None:
                    attempt.settle_failed(final=True)
                    await self._answer_refused(attempt, translation, refused)
                    return
                attempt.settle_failed(final=False)
                self._number, translation = self._number + 1, following
                attempt = self._begin(course.current)
        except asyncio.CancelledError:
            attempt.settle_interrupted("client_closed_request" if self._is_abandoned else "gateway_stopped")
        except OutboxUnavailable as error:
            logger.error("The outbox cannot be written, so the gateway refuses: %s", error)
            await self._answer_failure(Failure(503, "metering_unavailable", "Usage cannot be recorded."))
        except Exception:
            logger.exception("Request %s failed inside the gateway", self.request.request_id)
            attempt.settle_interrupted("internal_error")
            # An answer under way cannot become another: it stays incomplete, and the server closes the connection.
            if not self._has_begun_answer:
                await self._answer_failure(Failure(500, "internal_error", "The gateway failed; see its log."))

    async def ping(self, now: float, *, after_s: float) -> None:
        """Send something to a client whose stream has been silent for ``after_s``, where no event is half sent."""
        if self._silent_since is not None and self._silent_since + after_s < now and self._is_at_boundary:
            self._silent_since = now
            is_native = self.request.dialect.name == "messages"
            body = _NATIVE_PING if is_native else _COMMENT_PING
            # Who has not yet taken what was sent before needs no ping, and must not hold up the others.
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await self._send({"type": "http.response.body", "body": body, "more_body": True})

    # Attempts

    def _begin(self, candidate: Candidate) -> Attempt:
        self._means.health.note_start(candidate, time.time())
        opened = self._opened(candidate)
        self.attempt_id = opened.id
        return Attempt(candidate, opened, self._record_settled, is_count=self.request.is_count)

    async def _follow(self, course: Course, refused: _Refused) -> Translation | None:
        """Return the call that ``course`` makes next, once it is time for it; None if the failure is the answer."""
        following = course.after(refused.failed)
        while following is not None:
            if following.wait_s >= self._left_s():
                return None
            if following.wait_s:
                await asyncio.sleep(following.wait_s)
            try:
                return await self._translated(following.candidate)
            except RequestRefused as error:
                # A fallback that cannot do what was asked is passed over; the answer is the failure before it.
                logger.info("Fallback %s is passed over: %s", following.candidate.offered.model_string, error.message)
                following = course.skip()
        return None

    def _left_s(self) -> float:
        """Seconds that are left of the time for the whole call."""
        return self._ends_at - time.monotonic()

    async def _translated(self, candidate: Candidate) -> Translation:
        request = self.request
        return await translate(
            request.dialect,
            request.parsed,
            request.headers,
            candidate,
            is_count=request.is_count,
            fetcher=request.fetcher,
        )

    async def _try(self, attempt: Attempt, translation: Translation) -> _Refused | None:
        """Make one attempt; None if the client has its answer."""
        await self._means.outbox.open(attempt.opened)
        candidate = attempt.candidate
        try:
            secret = attempt.credential = await self._credential(candidate)
            outbound = translation.outbound
            headers = _authorized(candidate, outbound, secret)
            timeouts = self._timeouts
            if self._number > 1:
                timeouts = msgspec.structs.replace(timeouts, whole=self._left_s())
            answer = await self._means.upstream.send(outbound, headers, timeouts)
        except CryptoError:
            message = "The stored key cannot be opened. Paste it again."
            failure = Failure(422, "provider_credential_invalid", message)
            return self._failed(attempt, Outcome.MISCONFIGURED, failure)
        except TokenFailure as error:
            return self._failed(attempt, error.outcome, failure_of(error.outcome, error.message))
        except UpstreamFailed as error:
            failure = _without_answer(error)
            return self._failed(attempt, error.outcome, failure, is_certain=not error.was_sent, phase=error.phase)
        try:
            attempt.status, attempt.connect_ms = answer.status, answer.connect_ms
            attempt.first_byte_ms = attempt.elapsed_ms()
            attempt.upstream_request_id = _request_id_of(answer, candidate)
            if answer.status >= 300:
                return await self._read_refusal(attempt, answer)
            # What was asked for decides: a proxy on the way may have lost the content type.
            if translation.call.stream:
                return await self._relay_stream(attempt, translation, answer)
            return await self._relay_answer(attempt, translation, answer)
        finally:
            answer.close()

    async def _credential(self, candidate: Candidate) -> Secret:
        exchange = candidate.offered.api.token_exchange
        if exchange is None:
            return candidate.version.open()
        key, version = candidate.key.id, candidate.version
        return await self._means.tokens.get(key, version.number, version.open, exchange)

    def _failed(
        self, attempt: Attempt, outcome: Outcome, failure: Failure, *, is_certain: bool = True, phase: str = ""
    ) -> _Refused:
        attempt.fail(failure.code, is_certain=is_certain)
        # A client may give the whole call a millisecond; that says nothing of the upstream, which others use too.
        if phase != "whole call":
            self._means.health.note_failure(attempt.candidate, outcome, time.time())
        return _Refused(failure, Failed(outcome, failure.status))

    async def _read_refusal(self, attempt: Attempt, answer: UpstreamAnswer) -> _Refused:
        body = await answer.read_error()
        names, values = [name for name, _ in answer.headers], [value for _, value in answer.headers]
        masked, *values = _mask([body, *values], attempt)
        headers = list(zip(names, values, strict=True))
        by_name = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        outcome, message = attempt.candidate.offered.api.classify_error(answer.status, masked, by_name)
        failure = failure_of(outcome, message)
        attempt.fail(failure.code)
        wait_s = retry_after_s(by_name, now=time.time())
        health = self._means.health
        health.note_account(attempt.candidate, by_name.get(_ACCOUNT_HEADER, ""))
        # Some providers count tokens for fewer models than they answer with.
        if not (self.request.is_count and outcome == Outcome.MODEL_NOT_AVAILABLE):
            health.note_failure(
                attempt.candidate, outcome, time.time(), retry_after_s=wait_s, detail=message[:LONGEST_DETAIL]
            )
        return _Refused(failure, Failed(outcome, answer.status, wait_s), masked, reply_headers(headers))

    # Whole answers

    async def _relay_answer(
        self, attempt: Attempt, translation: Translation, upstream: UpstreamAnswer
    ) -> _Refused | None:
        try:
            body = await upstream.read()
        except UpstreamFailed as error:
            return self._broke_off(attempt, error.outcome, error.phase)
        self._note_success(attempt, upstream)
        answer, error_code = Answer(body, TokenCounts()), "internal_error"
        try:
            answer = attempt.candidate.offered.api.read_answer(translation.call, body)
            body = answer.body
            if translation.is_rendered:
                body = self.request.dialect.render_answer(body, self._reply_context(attempt.candidate))
            error_code = ""
        except UnreadableAnswer:
            error_code = "provider_error"
        finally:
            attempt.settle_answer(answer.counts, answer.model, error_code)
        if error_code:
            await self._answer_failure(failure_of(Outcome.PROVIDER_ERROR, "The answer could not be read."))
        else:
            await self._answer(upstream.status, body, reply_headers(upstream.headers))
        return None

    def _broke_off(self, attempt: Attempt, outcome: Outcome, phase: str) -> _Refused:
        """Return the failure of an answer that ended before any of it went on; ``phase`` is the limit passed."""
        failure = timed_out(phase) if phase else failure_of(outcome, "The answer broke off.")
        return self._failed(attempt, outcome, failure, is_certain=False, phase=phase)

    # Streams

    async def _relay_stream(
        self, attempt: Attempt, translation: Translation, upstream: UpstreamAnswer
    ) -> _Refused | None:
        meter = attempt.meter = attempt.candidate.offered.api.answer_stream(translation.call)
        renderer, decoder = None, SSEDecoder()
        if translation.is_rendered:
            renderer = self.request.dialect.stream_renderer(self._reply_context(attempt.candidate))
        error_code = phase = ""
        try:
            while received := await upstream.next_chunk():
                chunk = meter.feed(received)
                if b"error" in chunk:
                    [chunk] = _mask([chunk], attempt)
                if attempt.ttft_ms is None and meter.first_token_seen:
                    attempt.ttft_ms = attempt.elapsed_ms()
                out = chunk if renderer is None else b"".join(map(renderer.feed, decoder.events(chunk)))
                if not out:
                    continue
                if not self._has_begun_answer:
                    if meter.error is not None and not meter.counts.is_known:
                        # Whatever may follow is not waited for: another model can answer now.
                        return self._failed_in_stream(attempt, meter, chunk, upstream)
                    self._note_success(attempt, upstream)
                    await self._start(upstream.status, b"text/event-stream", reply_headers(upstream.headers))
                self._silent_since = None
                await self._send({"type": "http.response.body", "body": out, "more_body": True})
                self._silent_since, self._is_at_boundary = time.monotonic(), out.endswith(b"\n\n")
        except (UpstreamFailed, UnreadableAnswer) as error:
            phase = error.phase if isinstance(error, UpstreamFailed) else ""
            error_code = "provider_timeout" if phase else "provider_error"
        self._silent_since = None
        if meter.error is not None:
            error_code = self._classified(attempt, meter)[0].code
        elif not meter.is_complete:
            error_code = error_code or "provider_error"
        broke_off = bool(error_code) and meter.error is None
        if broke_off and not (self._has_begun_answer or meter.first_token_seen):
            return self._broke_off(attempt, Outcome.TIMEOUT if phase else Outcome.PROVIDER_ERROR, phase)
        attempt.settle_stream(error_code)
        if not self._has_begun_answer:
            await self._start(upstream.status, b"text/event-stream", reply_headers(upstream.headers))
        await self._end_stream(attempt, renderer, broke_off=broke_off)
        return None

    async def _end_stream(self, attempt: Attempt, renderer: StreamRenderer | None, *, broke_off: bool) -> None:
        end = renderer.finish() if renderer is not None and not broke_off else b""
        if broke_off:
            # A stream that passes as it is would end like a whole one; its client must hear that it is not.
            telling = renderer or self.request.dialect.stream_renderer(self._reply_context(attempt.candidate))
            end = telling.fail("provider_error", "The provider broke the answer off.")
            if renderer is None and not self._is_at_boundary:
                end = b"\n\n" + end
        await self._send({"type": "http.response.body", "body": end, "more_body": False})
        self.is_answered = True

    def _failed_in_stream(
        self, attempt: Attempt, meter: AnswerStream, body: bytes, upstream: UpstreamAnswer
    ) -> _Refused:
        """Return the failure that came as the stream's first event: nothing has gone to the client yet."""
        failure, outcome = self._classified(attempt, meter)
        attempt.fail(failure.code, is_certain=not meter.first_token_seen)
        self._means.health.note_failure(attempt.candidate, outcome, time.time())
        [masked] = _mask([body], attempt)
        # What came as a stream of another framing is one of server-sent events by now.
        headers = [header for header in reply_headers(upstream.headers) if header[0] != b"content-type"]
        headers.append((b"content-type", b"text/event-stream"))
        return _Refused(failure, Failed(outcome, failure.status), masked, headers)

    def _classified(self, attempt: Attempt, meter: AnswerStream) -> tuple[Failure, Outcome]:
        if meter.error is None:
            raise AssertionError("only a failed stream is classified")
        body = msgspec.json.encode({"error": {"type": meter.error.type, "message": meter.error.message}})
        [masked] = _mask([body], attempt)
        outcome, message = attempt.candidate.offered.api.classify_error(200, masked, {})
        return failure_of(outcome, message), outcome

    def _note_success(self, attempt: Attempt, upstream: UpstreamAnswer) -> None:
        health = self._means.health
        health.note_success(attempt.candidate)
        if len(self.request.plan.candidates) > 1:
            health.note_account(attempt.candidate, upstream.header(_ACCOUNT_HEADER))

    # To the client

    async def _answer_refused(self, attempt: Attempt, translation: Translation, refused: _Refused) -> None:
        if translation.is_native and refused.headers is not None and attempt.status is not None:
            await self._answer(attempt.status, refused.body, refused.headers)
        else:
            await self._answer_failure(refused.failure, refused.headers)

    async def _answer_failure(self, failure: Failure, upstream_headers: Headers | None = None) -> None:
        body = self.request.dialect.render_error(
            failure.status, failure.code, failure.message, request_id=self.request.request_id
        )
        headers = [header for header in upstream_headers or () if header[0] != b"content-type"]
        with suppress(OSError):
            await self._answer(failure.status, body, [*headers, (b"content-type", b"application/json")])

    async def _answer(self, status: int, body: bytes, headers: Headers) -> None:
        await self._start(status, b"application/json", headers, length=len(body))
        await self._send({"type": "http.response.body", "body": body})
        self.is_answered = True

    async def _start(self, status: int, content_type: bytes, upstream: Headers, *, length: int | None = None) -> None:
        headers = [
            *upstream,
            (b"x-orq-trace-id", self.request.request_id.encode()),
            (b"x-orq-attempts", b"%d" % self._number),
        ]
        # An event stream of another framing has become one of server-sent events.
        is_as_told = self.request.dialect.name == "messages" and length is not None
        if not is_as_told and not any(_is_of_type(header, content_type) for header in headers):
            headers = [header for header in headers if header[0] != b"content-type"]
            headers.append((b"content-type", content_type))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        else:
            headers += _STREAM_HEADERS
        self._has_begun_answer = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _reply_context(self, candidate: Candidate) -> ReplyContext:
        request = self.request
        is_first = not candidate.leg and not request.plan.route and not request.parsed.options.load_balancer
        return ReplyContext(
            request_id=request.request_id,
            model=request.parsed.model if is_first else candidate.offered.model_string,
            created=int(time.time()),
            cost_usd=lambda counts: _cost(candidate, counts),
            request=request.parsed,
            now=lambda: int(time.time()),
        )

    # To the ledger

    def _opened(self, candidate: Candidate) -> AttemptOpened:
        """Return what is recorded before an attempt is sent."""
        request, offered, number = self.request, candidate.offered, self._number
        now_us = time.time_ns() // 1000
        return AttemptOpened(
            # A request goes by the id of its first attempt.
            id=request.id if number == 1 else uuid7(now_us),
            request_id=request.request_id,
            kind="live",
            dialect=_COUNT_TOKENS if request.is_count else request.dialect.name,
            workspace=request.key.workspace,
            gateway_key=request.key.id,
            provider_key=candidate.key.id,
            provider_key_version=candidate.version.number,
            provider=offered.provider,
            region=candidate.region,
            model_asked=request.parsed.model[:LONGEST_NAME],
            model=offered.model[:LONGEST_NAME],
            stream=request.parsed.stream,
            started_at_us=now_us,
            project=request.key.project,
            identity=request.metadata.identity,
            session=request.metadata.session,
            tags=request.metadata.tags,
            attempt=number,
            queue_ms=round((time.perf_counter() - request.received_at) * 1000),
            route=request.plan.route,
        )

    def _record_settled(self, attempt_id: UUID, how: AttemptSettled) -> None:
        """Write how an attempt ended; if that fails it will count as not known, and the log says why."""
        try:
            self._means.outbox.settle(attempt_id, how)
        except OutboxUnavailable as error:
            logger.error("An attempt's end could not be recorded: %s", error)


def limits_of(parsed: ParsedRequest, timeouts: Timeouts) -> Timeouts:
    """Return the limits for a request, whose client may have set a shorter one for the whole call."""
    whole_ms = parsed.options.timeout_ms
    if whole_ms:
        timeouts = msgspec.structs.replace(timeouts, whole=min(whole_ms / 1000, timeouts.whole))
    if parsed.stream and timeouts.first_byte > LONGEST_SILENCE_S:
        # Until a stream has begun no ping can be sent, for another model may yet answer.
        timeouts = msgspec.structs.replace(timeouts, first_byte=LONGEST_SILENCE_S)
    return timeouts


def _without_answer(error: UpstreamFailed) -> Failure:
    if error.outcome == Outcome.TIMEOUT:
        return timed_out(error.phase)
    return unsendable() if error.outcome == Outcome.MISCONFIGURED else unreachable()


def _authorized(candidate: Candidate, outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    try:
        return candidate.offered.api.authorize(outbound, secret)
    except ValueError:
        # What was stored is no credential of that provider.
        raise UpstreamFailed(Outcome.MISCONFIGURED, was_sent=False) from None


def _is_of_type(header: tuple[bytes, bytes], content_type: bytes) -> bool:
    return header[0] == b"content-type" and header[1].startswith(content_type)


def _request_id_of(answer: UpstreamAnswer, candidate: Candidate) -> str:
    return next(filter(None, map(answer.header, candidate.offered.api.request_id_headers)), "")


def _cost(candidate: Candidate, counts: TokenCounts) -> CostSplit | None:
    if candidate.priced is None:
        return None
    price = candidate.priced.price_at(datetime.now(UTC))
    cost = price_counts(counts, price.rates(input_tokens=counts.input_total))
    return None if cost.is_unpriced else CostSplit(cost.input_total, cost.output or 0)


def _mask(texts: Iterable[bytes], attempt: Attempt) -> list[bytes]:
    """Return what a provider sent with our key in it masked: some repeat what they were sent."""
    candidate, masked = attempt.candidate, list(texts)
    parts = list(candidate.offered.api.sensitive_parts(candidate.version.open()))
    if candidate.offered.api.token_exchange is not None and attempt.credential is not None:
        parts.append(attempt.credential.reveal())
    for part in parts:
        # In JSON some characters are escaped.
        in_json, plain = msgspec.json.encode(part)[1:-1], part.encode()
        masked = [text.replace(in_json, b"***").replace(plain, b"***") for text in masked]
    return masked
