"""One attempt, from the row that opens it to the one that settles it."""

import math
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec

from providers.base import AnswerStream, TokenCounts
from providers.secret import Secret
from router.plan import Candidate
from usage.records import AttemptOpened, AttemptSettled, Certainty

# English text and code have between three and four characters a token; used only when the count never came.
CHARACTERS_PER_TOKEN: Final = 3.5
NO_TOKENS: Final = TokenCounts(0, 0, 0, 0, 0)
_UNKNOWN: Final = TokenCounts()


class Attempt:
    """What is known of one attempt while it runs; settles once. ``record`` gets the row that settles it."""

    __slots__ = (
        "_begun",
        "_ended_ms",
        "_is_certain",
        "_is_count",
        "_is_settled",
        "_record",
        "candidate",
        "connect_ms",
        "credential",
        "error_code",
        "first_byte_ms",
        "meter",
        "model_served",
        "opened",
        "status",
        "ttft_ms",
        "upstream_request_id",
    )

    def __init__(
        self,
        candidate: Candidate,
        opened: AttemptOpened,
        record: Callable[[UUID, AttemptSettled], None],
        *,
        is_count: bool,
    ) -> None:
        self.candidate, self.opened = candidate, opened
        self._record, self._is_count = record, is_count
        self.credential: Secret | None = None
        self.status: int | None = None
        self.connect_ms: int | None = None
        self.first_byte_ms: int | None = None
        self.ttft_ms: int | None = None
        self.upstream_request_id = ""
        self.model_served = ""
        self.meter: AnswerStream | None = None
        self.error_code = ""
        self._is_certain = True
        self._begun, self._is_settled = time.perf_counter(), False
        self._ended_ms: int | None = None

    def elapsed_ms(self) -> int:
        """Milliseconds since the attempt began."""
        return round((time.perf_counter() - self._begun) * 1000)

    def fail(self, error_code: str, *, is_certain: bool = True) -> None:
        """Note that it failed, and when; it is settled once it is known whether another follows."""
        self.error_code, self._is_certain = error_code, is_certain
        self._ended_ms = self.elapsed_ms()

    def settle_failed(self, *, final: bool) -> None:
        """Settle what ``fail`` noted."""
        # What the provider refused used no tokens; of what broke off on the way that is not known.
        self.settle(Certainty.EXACT if self._is_certain else Certainty.UNKNOWN, error_code=self.error_code, final=final)

    def settle_answer(self, counts: TokenCounts, model: str, error_code: str = "") -> None:
        """Settle by the usage in a whole answer; ``error_code`` is why the client does not get it, '' if it does."""
        self.model_served = model
        certainty = Certainty.EXACT if counts.is_known or self._is_count else Certainty.UNKNOWN
        self.settle(certainty, counts=counts, error_code=error_code)

    def settle_stream(self, error_code: str) -> None:
        """Settle by what the stream reported; ``error_code`` is why it ended early, '' if it did not."""
        meter = self._metered()
        counts = meter.counts
        if self.ttft_ms is None and meter.first_token_seen:
            self.ttft_ms = self.elapsed_ms()
        if not error_code:
            self.settle(Certainty.EXACT if counts.is_known else Certainty.UNKNOWN, counts=counts)
        elif counts.is_known:
            self.settle(Certainty.PARTIAL, counts=_with_estimate(meter), error_code=error_code)
        elif meter.error is not None and not meter.first_token_seen:
            # It failed before it began: an error that came as an event, not as a status.
            self.settle(Certainty.EXACT, error_code=error_code)
        else:
            self.settle(Certainty.UNKNOWN, counts=counts, error_code=error_code)

    def settle_interrupted(self, error_code: str) -> None:
        """Settle what was cut short from our side: the client left, the gateway is stopping or failed."""
        meter = self.meter
        if self._ended_ms is not None:
            self.settle_failed(final=True)
        elif meter is not None and meter.is_complete:
            self.settle_stream("")
        elif meter is not None and meter.counts.is_known:
            self.settle(Certainty.ESTIMATED, counts=_with_estimate(meter), error_code=error_code)
        else:
            # The provider may have worked on it, and said nothing of it yet.
            self.settle(Certainty.UNKNOWN, error_code=error_code)

    def settle(
        self, certainty: Certainty, *, counts: TokenCounts = _UNKNOWN, error_code: str = "", final: bool = True
    ) -> None:
        """Record how it ended; only the first call counts."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._is_count:
            # Counting uses no tokens, and no answer says so.
            certainty, counts = Certainty.EXACT, NO_TOKENS
        latency_ms = self.elapsed_ms() if self._ended_ms is None else self._ended_ms
        model_served = self.model_served or ((self.meter.model or "") if self.meter else "")
        how = AttemptSettled(
            certainty,
            self.status,
            error_code,
            final,
            self.opened.started_at_us + latency_ms * 1000,
            latency_ms,
            self.ttft_ms,
            counts,
            self.upstream_request_id,
            model_served,
            self.connect_ms,
            self.first_byte_ms,
        )
        self._record(self.opened.id, how)

    def _metered(self) -> AnswerStream:
        if self.meter is None:
            raise AssertionError("only streams have a meter")
        return self.meter


def _with_estimate(meter: AnswerStream) -> TokenCounts:
    """Return the counts reported, with the output estimated from the text where that is more than the placeholder."""
    counts = meter.counts
    if meter.stop_reason is not None:
        # With the reason comes the final count.
        return counts
    estimate = math.ceil(meter.text_chars / CHARACTERS_PER_TOKEN)
    return msgspec.structs.replace(counts, output=max(counts.output or 0, estimate))
