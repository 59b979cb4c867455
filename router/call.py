"""One request carried to its providers until one answers, metered from before the first byte to after the last.

The task a ``Call`` runs in outlives the client: whatever happens to the connection, each attempt is settled.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from keys.crypto import CryptoError
from providers.base import Answer, AnswerStream, Outbound, Outcome, TokenCounts, UnreadableAnswer
from providers.secret import Secret
from providers.tokens import TokenFailure
from router.asgi_types import Send
from router.attempt import Attempt
from router.course import Course, Failed
from router.dialects.base import RequestRefused
from router.failures import Failure, failure_of, timed_out, unreachable, unsendable
from router.fetching import UrlFetcher
from router.headers import reply_headers
from router.health import KEY_REFUSED, Health
from router.masking import mask
from router.outbox import OutboxUnavailable, OutboxWriter
from router.plan import Candidate
from router.relay import StreamRelay
from router.reply import Headers, Reply, as_event_stream
from router.request import Request, limits_of
from router.retry_after import retry_after_s
from router.tokens import AccessTokens
from router.translation import Translation, translate
from router.upstream import Timeouts, UpstreamAnswer, UpstreamClient, UpstreamFailed
from usage.records import AttemptSettled

logger = logging.getLogger(__name__)

# What pages show of a provider's message about a key.
LONGEST_DETAIL: Final = 300
# Which account a key belongs to, as Anthropic's replies say.
_ACCOUNT_HEADER: Final = "anthropic-organization-id"


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

    __slots__ = ("_ends_at", "_first", "_is_abandoned", "_means", "_request", "_timeouts", "attempt_id", "reply")

    def __init__(self, means: Means, request: Request, first: Translation, send: Send) -> None:
        self._means, self._request, self._first = means, request, first
        self._timeouts = limits_of(request.parsed, means.timeouts)
        self._ends_at = time.monotonic() + self._timeouts.whole
        self._is_abandoned = False
        self.attempt_id = request.id
        self.reply = Reply(request, send)

    def abandon(self, task: "asyncio.Task[Any]") -> None:
        """Close the upstream: nobody should pay for text that nobody reads. What came so far is settled."""
        self._is_abandoned = True
        task.cancel()

    async def run(self) -> None:
        """Make the attempts of the plan until one answers, and answer the client."""
        course = Course(self._request.plan, account_of=self._means.health.account_of)
        translation = self._first
        attempt = self._new_attempt(course.current, 1)
        try:
            self._open(attempt)
            while (refused := await self._try(attempt, translation)) is not None:
                following = await self._follow(course, refused, translation)
                if following is None:
                    attempt.settle_failed(final=True)
                    await self._answer_refused(attempt, translation, refused)
                    return
                # The next one is opened first: whatever happens in between, one of the two is the final one.
                begun = self._new_attempt(course.current, self.reply.attempts + 1)
                self._open(begun)
                attempt.settle_failed(final=False)
                self.reply.attempts += 1
                attempt, translation = begun, following
        except asyncio.CancelledError:
            attempt.settle_interrupted("client_closed_request" if self._is_abandoned else "gateway_stopped")
        except OutboxUnavailable as error:
            logger.error("The outbox cannot be written, so the gateway refuses: %s", error)
            if attempt.error_code:
                attempt.settle_failed(final=True)
            await self.reply.fail(Failure(503, "metering_unavailable", "Usage cannot be recorded."))
        except Exception:
            logger.exception("Request %s failed inside the gateway", self._request.request_id)
            attempt.settle_interrupted("internal_error")
            # An answer under way cannot become another: it stays incomplete, and the server closes the connection.
            if not self.reply.has_begun:
                await self.reply.fail(Failure(500, "internal_error", "The gateway failed; see its log."))

    # Attempts

    def _new_attempt(self, candidate: Candidate, number: int) -> Attempt:
        opened = self._request.opened(candidate, number)
        return Attempt(candidate, opened, self._record_settled, is_count=self._request.is_count)

    def _open(self, attempt: Attempt) -> None:
        """Record that ``attempt`` is about to be sent. Raises OutboxUnavailable."""
        self._means.outbox.open(attempt.opened)
        self.attempt_id = attempt.opened.id
        if not self._request.is_count:
            self._means.health.note_start(attempt.candidate, time.time())

    async def _follow(self, course: Course, refused: _Refused, translation: Translation) -> Translation | None:
        """Return the call that ``course`` makes next, once it is time for it; None if the failure is the answer.

        ``translation`` is the call that failed, which serves again where the same is tried again.
        """
        failed = course.current
        following = course.after(refused.failed)
        while following is not None:
            if following.wait_s >= self._left_s():
                return None
            if following.wait_s:
                await asyncio.sleep(following.wait_s)
            if following.candidate is failed:
                return translation
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
        request = self._request
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
        try:
            await self._means.outbox.flushed()
        except OutboxUnavailable:
            attempt.fail("metering_unavailable")
            raise
        candidate = attempt.candidate
        try:
            secret = attempt.credential = await self._credential(candidate)
            outbound = translation.outbound
            headers = _authorized(candidate, outbound, secret)
            timeouts = self._timeouts
            if self.reply.attempts > 1:
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
            if 300 <= answer.status < 400:
                # No API does: whoever followed it would take the credential along.
                return self._failed(attempt, Outcome.MISCONFIGURED, failure_of(Outcome.MISCONFIGURED, ""))
            if answer.status >= 400:
                return await self._read_refusal(attempt, answer)
            if _is_compressed(answer):
                return self._broke_off(attempt, Outcome.PROVIDER_ERROR, "", "The answer came compressed.")
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
            self._note_failure(attempt, outcome)
        return _Refused(failure, Failed(outcome, failure.status))

    def _note_failure(
        self, attempt: Attempt, outcome: Outcome, *, wait_s: float | None = None, detail: str = ""
    ) -> None:
        # Providers allow and limit the counting of tokens apart from answers: it says nothing of those.
        if not self._request.is_count or outcome in KEY_REFUSED:
            self._means.health.note_failure(
                attempt.candidate, outcome, time.time(), retry_after_s=wait_s, detail=detail[:LONGEST_DETAIL]
            )

    async def _read_refusal(self, attempt: Attempt, answer: UpstreamAnswer) -> _Refused:
        body = b"" if _is_compressed(answer) else await answer.read_error()
        names, values = [name for name, _ in answer.headers], [value for _, value in answer.headers]
        masked, *values = mask([body, *values], attempt)
        headers = list(zip(names, values, strict=True))
        by_name = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        outcome, message = attempt.candidate.offered.api.classify_error(answer.status, masked, by_name)
        failure = failure_of(outcome, message)
        attempt.fail(failure.code)
        wait_s = retry_after_s(by_name, now=time.time())
        self._means.health.note_account(attempt.candidate, by_name.get(_ACCOUNT_HEADER, ""))
        self._note_failure(attempt, outcome, wait_s=wait_s, detail=message)
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
                body = self._request.dialect.render_answer(body, self._request.reply_context(attempt.candidate))
            error_code = ""
        except UnreadableAnswer:
            error_code = "provider_error"
        finally:
            attempt.settle_answer(answer.counts, answer.model, error_code)
        if error_code:
            await self.reply.fail(failure_of(Outcome.PROVIDER_ERROR, "The answer could not be read."))
        else:
            await self.reply.answer(upstream.status, body, reply_headers(upstream.headers))
        return None

    def _broke_off(
        self, attempt: Attempt, outcome: Outcome, phase: str, message: str = "The answer broke off."
    ) -> _Refused:
        """Return the failure of an answer that ended before any of it went on; ``phase`` is the limit passed."""
        failure = timed_out(phase) if phase else failure_of(outcome, message)
        return self._failed(attempt, outcome, failure, is_certain=False, phase=phase)

    # Streams

    async def _relay_stream(
        self, attempt: Attempt, translation: Translation, upstream: UpstreamAnswer
    ) -> _Refused | None:
        reply, relay = self.reply, StreamRelay(self._request, attempt, translation)
        error_code = phase = ""
        try:
            is_over = False
            while not is_over:
                received = await upstream.next_chunk()
                is_over = not received
                out = relay.take(received)
                if not reply.has_begun and relay.has_failed_at_once:
                    # Whatever may follow is not waited for: another model can answer now.
                    return self._failed_in_stream(attempt, relay.meter, out or relay.end(), upstream)
                if not out:
                    continue
                if not reply.has_begun:
                    self._note_success(attempt, upstream)
                    await reply.start_stream(upstream.status, reply_headers(upstream.headers))
                await reply.chunk(out)
        except (UpstreamFailed, UnreadableAnswer) as error:
            phase = error.phase if isinstance(error, UpstreamFailed) else ""
            error_code = "provider_timeout" if phase else "provider_error"
        reply.stop_pings()
        meter = relay.meter
        if meter.error is not None:
            error_code = self._classified(attempt, meter)[0].code
        elif meter.is_complete:
            # The answer is whole, however the connection ended after it.
            error_code = ""
        else:
            error_code = error_code or "provider_error"
        broke_off = bool(error_code) and meter.error is None
        if broke_off and not (reply.has_begun or meter.first_token_seen):
            return self._broke_off(attempt, Outcome.TIMEOUT if phase else Outcome.PROVIDER_ERROR, phase)
        attempt.settle_stream(error_code)
        if not reply.has_begun:
            await reply.start_stream(upstream.status, reply_headers(upstream.headers))
        await reply.end_stream(relay.break_off(is_at_boundary=reply.is_at_boundary) if broke_off else relay.end())
        return None

    def _failed_in_stream(
        self, attempt: Attempt, meter: AnswerStream, body: bytes, upstream: UpstreamAnswer
    ) -> _Refused:
        """Return the failure that came as the stream's first event: nothing has gone to the client yet."""
        failure, outcome = self._classified(attempt, meter)
        attempt.fail(failure.code, is_certain=not meter.first_token_seen)
        self._note_failure(attempt, outcome)
        [masked] = mask([body], attempt)
        headers = as_event_stream(reply_headers(upstream.headers))
        return _Refused(failure, Failed(outcome, failure.status), masked, headers)

    def _classified(self, attempt: Attempt, meter: AnswerStream) -> tuple[Failure, Outcome]:
        if meter.error is None:
            raise AssertionError("only a failed stream is classified")
        body = msgspec.json.encode({"error": {"type": meter.error.type, "message": meter.error.message}})
        [masked] = mask([body], attempt)
        outcome, message = attempt.candidate.offered.api.classify_error(200, masked, {})
        return failure_of(outcome, message), outcome

    def _note_success(self, attempt: Attempt, upstream: UpstreamAnswer) -> None:
        if self._request.is_count:
            return
        health = self._means.health
        health.note_success(attempt.candidate)
        if len(self._request.plan.candidates) > 1:
            health.note_account(attempt.candidate, upstream.header(_ACCOUNT_HEADER))

    async def _answer_refused(self, attempt: Attempt, translation: Translation, refused: _Refused) -> None:
        if translation.is_native and refused.headers is not None and attempt.status is not None:
            await self.reply.answer(attempt.status, refused.body, refused.headers)
        else:
            await self.reply.fail(refused.failure, refused.headers or ())

    def _record_settled(self, attempt_id: UUID, how: AttemptSettled) -> None:
        """Write how an attempt ended; if that fails it will count as not known, and the log says why."""
        try:
            self._means.outbox.settle(attempt_id, how)
        except OutboxUnavailable as error:
            logger.error("An attempt's end could not be recorded: %s", error)


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


def _is_compressed(answer: UpstreamAnswer) -> bool:
    """Whether the provider compressed its answer though it was asked not to, so that nobody here can read it."""
    return answer.header("content-encoding") not in ("", "identity")


def _request_id_of(answer: UpstreamAnswer, candidate: Candidate) -> str:
    return next(filter(None, map(answer.header, candidate.offered.api.request_id_headers)), "")
