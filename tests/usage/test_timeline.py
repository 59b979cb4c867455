"""The bars of a request's attempts: phases in order, on one axis, with nothing made up."""

from datetime import timedelta
from typing import Any

import pytest

from tests.usage.samples import NOON
from usage.models import Attempt
from usage.timeline import AXIS, Phase, timeline_of


def attempt(**fields: Any) -> Attempt:
    defaults: dict[str, Any] = {
        "state": Attempt.State.SETTLED,
        "started_at": NOON,
        "stream": True,
        "queue_ms": 10,
        "connect_ms": 20,
        "first_byte_ms": 100,
        "ttft_ms": 150,
        "latency_ms": 390,
    }
    return Attempt(**defaults | fields)


def phases(*attempts: Attempt, now_ms: int = 0) -> list[list[tuple[Phase, int, int]]]:
    timeline = timeline_of(attempts, NOON + timedelta(milliseconds=now_ms))
    return [[(one.phase, one.begin_ms, one.end_ms) for one in bar.segments] for bar in timeline.bars]


def test_phases_follow_each_other_from_arrival_to_the_last_token() -> None:
    [found] = phases(attempt())

    assert found == [
        (Phase.WAIT, 0, 10),
        (Phase.CONNECT, 10, 30),
        (Phase.ANSWER, 30, 110),
        (Phase.FIRST_TOKEN, 110, 160),
        (Phase.REST, 160, 400),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"connect_ms": 0}, [Phase.WAIT, Phase.ANSWER, Phase.FIRST_TOKEN, Phase.REST]),
        ({"queue_ms": None}, [Phase.CONNECT, Phase.ANSWER, Phase.FIRST_TOKEN, Phase.REST]),
        ({"stream": False, "ttft_ms": None}, [Phase.WAIT, Phase.CONNECT, Phase.ANSWER, Phase.REST]),
        ({"ttft_ms": None}, [Phase.WAIT, Phase.CONNECT, Phase.ANSWER, Phase.FIRST_TOKEN]),
        ({"connect_ms": None, "first_byte_ms": None, "ttft_ms": None}, [Phase.WAIT, Phase.CALL]),
        (
            {"error_code": "provider_timeout", "connect_ms": None, "first_byte_ms": None, "ttft_ms": None},
            [Phase.WAIT, Phase.ANSWER],
        ),
        (dict.fromkeys(("connect_ms", "first_byte_ms", "ttft_ms", "latency_ms", "queue_ms")), []),
    ],
)
def test_what_was_not_measured_is_left_out(fields: dict[str, Any], expected: list[Phase]) -> None:
    [found] = phases(attempt(**fields))

    assert [phase for phase, _, _ in found] == expected


def test_retry_begins_where_the_attempt_before_ended() -> None:
    _, found = phases(attempt(), attempt(queue_ms=900, started_at=NOON + timedelta(milliseconds=890)))

    assert found[0] == (Phase.WAIT, 400, 900)
    assert found[-1] == (Phase.REST, 1050, 1290)


def test_wait_of_a_retry_is_since_the_attempt_before() -> None:
    bars = timeline_of([attempt(), attempt(queue_ms=900)], NOON).bars

    assert [bar.wait_ms for bar in bars] == [10, 500]


def test_retry_of_an_older_gateway_is_placed_by_its_start() -> None:
    first = attempt(queue_ms=None)
    _, found = phases(first, attempt(queue_ms=None, started_at=NOON + timedelta(milliseconds=500)))

    assert found[0] == (Phase.WAIT, 390, 500)


def test_attempt_in_flight_reaches_to_now() -> None:
    opened = attempt(
        state=Attempt.State.OPEN, connect_ms=None, first_byte_ms=None, ttft_ms=None, latency_ms=None, queue_ms=5
    )

    [found] = phases(opened, now_ms=3000)

    assert found == [(Phase.WAIT, 0, 5), (Phase.CALL, 5, 3005)]


def test_clock_that_was_set_back_makes_no_negative_time() -> None:
    opened = attempt(state=Attempt.State.OPEN, latency_ms=None, queue_ms=None)

    [found] = phases(opened, now_ms=-50)

    assert all(begin <= end for _, begin, end in found)


def test_marks_out_of_order_stay_within_the_attempt() -> None:
    [found] = phases(attempt(connect_ms=500, first_byte_ms=100, latency_ms=300))

    assert found == [(Phase.WAIT, 0, 10), (Phase.CONNECT, 10, 310)]


def test_every_phase_is_seen_and_none_leaves_the_axis() -> None:
    timeline = timeline_of([attempt(latency_ms=600_000)], NOON)

    [bar] = timeline.bars
    assert all(segment.width >= 1 and segment.x + segment.width <= AXIS for segment in bar.segments)
    assert timeline.length_ms == 600_010


def test_legend_names_what_occurs() -> None:
    timeline = timeline_of([attempt(connect_ms=0), attempt(queue_ms=500)], NOON)

    assert timeline.phases == [phase for phase in Phase if phase != Phase.CALL]


def test_request_without_attempts_has_no_bars() -> None:
    assert timeline_of([], NOON).bars == []
