"""Wherever the network cuts a stream, clients get the same bytes or words and the ledger the same counts."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import Shape
from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.cuts import known_cuts, sizes_of
from tests.recordings.expected import expected_bytes, expected_reply
from tests.recordings.library import Recording, all_recordings, needs_recordings
from tests.recordings.replaying import Replayer, reply_of
from tests.recordings.requests import Request, place_of, request_for, small_request
from tests.recordings.scope import group_of, is_replayed
from tests.replies import read_reply

pytestmark = needs_recordings


def _sample() -> list[Recording]:
    """Return the shortest whole stream of each group, and the shortest of any with characters of several bytes."""
    streams = [each for each in all_recordings() if is_replayed(each) and each.is_streamed and not each.breaks_off]
    by_size = sorted(streams, key=lambda recording: len(recording.body))
    shortest = {group_of(recording).what: recording for recording in reversed(by_size)}
    with_characters = [each for each in by_size if not each.is_event_stream and not each.body.isascii()]
    return list({recording.name: recording for recording in [*shortest.values(), *with_characters[:1]]}.values())


SAMPLE = _sample()
READINGS = [
    (recording, dialect)
    for recording in SAMPLE
    for dialect in (["", "chat", "responses"] if group_of(recording).shape is Shape.MESSAGES else [""])
]


def request_of(replayer: Replayer, recording: Recording, dialect: str) -> Request:
    """Return a request in ``dialect``, or in the recording's own language."""
    place = place_of(recording)
    if dialect:
        return small_request(dialect, place, stream=True)
    return request_for(recording, replayer.names_of(recording, place)[0])


def assert_told(replayer: Replayer, recording: Recording, dialect: str, sizes: tuple[int, ...]) -> None:
    """Ask for ``recording`` while it comes in chunks of ``sizes``, and look at what the client got and the ledger."""
    request = request_of(replayer, recording, dialect)
    response = replayer.ask(place_of(recording), request, reply_of(recording, chunk_sizes=sizes))
    if dialect:
        reply = read_reply(dialect, response.content)
        assert replace(reply, usage={}, raw={}) == expected_reply(recording, dialect)
    else:
        assert response.content == expected_bytes(recording)
    assert counts_in_row(replayer.row_of(response)) == reported_counts(recording)


@pytest.mark.parametrize("cut", ["at every byte", "inside each character", "in the middle of each frame"])
@pytest.mark.parametrize(
    ("recording", "dialect"),
    [pytest.param(recording, dialect, id=f"{recording.name}-{dialect or 'own'}") for recording, dialect in READINGS],
)
def test_known_cuts_change_nothing(replayer: Replayer, recording: Recording, dialect: str, cut: str) -> None:
    assert_told(replayer, recording, dialect, sizes_of(recording.body, known_cuts(recording)[cut]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_cuts_change_anything(replayer: Replayer, data: st.DataObject) -> None:
    recording, dialect = data.draw(st.sampled_from(READINGS))
    offsets = data.draw(st.lists(st.integers(0, len(recording.body)), max_size=30))

    assert_told(replayer, recording, dialect, sizes_of(recording.body, offsets))
