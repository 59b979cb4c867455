"""A request's attempts as bars over one axis of time: how long each waited, connected, thought and wrote. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from usage.models import Attempt

# A phase that took next to no time is still to be seen, in thousandths of the axis.
SLIVER = 4
AXIS = 1000


class Phase(StrEnum):
    """What an attempt was doing, in the order in which it happens; the value stands in the style sheet."""

    WAIT = "wait"
    CONNECT = "connect"
    ANSWER = "answer"
    FIRST_TOKEN = "first-token"  # noqa: S105  # a phase, not a password
    REST = "rest"
    CALL = "call"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Phase.WAIT: "Waiting to be sent",
    Phase.CONNECT: "Connecting",
    Phase.ANSWER: "Until the answer began",
    Phase.FIRST_TOKEN: "Until the first token",
    Phase.REST: "Until the last token",
    Phase.CALL: "The call as a whole",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One phase of an attempt, in milliseconds since the request arrived and in thousandths of the axis."""

    phase: Phase
    begin_ms: int
    end_ms: int
    x: int
    width: int

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.begin_ms


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt's phases, those that are known.

    ``wait_ms`` is how long it waited to be sent, since the request arrived or the attempt before ended.
    """

    attempt: Attempt
    segments: Sequence[Segment]
    wait_ms: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All attempts of a request. ``length_ms`` is what the axis spans."""

    bars: Sequence[Bar]
    length_ms: int

    @property
    def phases(self) -> list[Phase]:
        """The phases that occur, in order, for the legend."""
        seen = {segment.phase for bar in self.bars for segment in bar.segments}
        return [phase for phase in Phase if phase in seen]


def timeline_of(attempts: Sequence[Attempt], now: datetime) -> Timeline:
    """Return the timeline of a request's ``attempts``, in the order in which they were made.

    One that is still open reaches to ``now``.
    """
    spans: list[list[tuple[Phase, int, int]]] = []
    waits: list[int | None] = []
    free_at = 0
    for attempt, offset in zip(attempts, _offsets(attempts), strict=True):
        began_waiting = min(free_at, offset)
        is_wait_known = attempt.queue_ms is not None or bool(spans)
        waits.append(offset - began_waiting if is_wait_known else None)
        spans.append(_spans(attempt, began_waiting, offset, now))
        free_at = max([free_at, *(end for _, _, end in spans[-1])])
    length_ms = max(free_at, 1)
    return Timeline(
        [
            Bar(attempt, [_segment(*span, length_ms) for span in of_attempt], wait_ms)
            for attempt, of_attempt, wait_ms in zip(attempts, spans, waits, strict=True)
        ],
        length_ms,
    )


def _offsets(attempts: Sequence[Attempt]) -> list[int]:
    """Return how long after the request's arrival each attempt started, in milliseconds."""
    if not attempts:
        return []
    first = attempts[0]
    return [
        _ms_between(first.started_at, attempt.started_at) + (first.queue_ms or 0)
        if attempt.queue_ms is None
        else attempt.queue_ms
        for attempt in attempts
    ]


def _spans(attempt: Attempt, free_at: int, offset: int, now: datetime) -> list[tuple[Phase, int, int]]:
    """Return an attempt's phases with when each began and ended, those that took no time left out."""
    end = attempt.latency_ms
    if attempt.state == Attempt.State.OPEN:
        end = max(_ms_between(attempt.started_at, now), 0)
    marks = [
        (Phase.CONNECT, attempt.connect_ms),
        (Phase.ANSWER, attempt.first_byte_ms),
        (Phase.FIRST_TOKEN, attempt.ttft_ms),
        (_last_phase(attempt), end),
    ]
    spans = [(Phase.WAIT, free_at, offset)]
    begin = offset
    for phase, mark in marks:
        if mark is None:
            continue
        until = max(begin, offset + (mark if end is None else min(mark, end)))
        spans.append((phase, begin, until))
        begin = until
    return [span for span in spans if span[2] > span[1]]


def _last_phase(attempt: Attempt) -> Phase:
    """Return what an attempt does after the last thing known of it: only where its answer began is it writing."""
    if attempt.ttft_ms is None and attempt.first_byte_ms is None:
        # One that failed never got further; of one in flight, or that an older gateway made, nobody knows.
        return Phase.ANSWER if attempt.error_code else Phase.CALL
    return Phase.FIRST_TOKEN if attempt.ttft_ms is None and attempt.stream else Phase.REST


def _segment(phase: Phase, begin_ms: int, end_ms: int, length_ms: int) -> Segment:
    x = begin_ms * AXIS // length_ms
    width = max(end_ms * AXIS // length_ms - x, SLIVER)
    return Segment(phase, begin_ms, end_ms, min(x, AXIS - SLIVER), width)


def _ms_between(begin: datetime, end: datetime) -> int:
    return round((end - begin).total_seconds() * 1000)
