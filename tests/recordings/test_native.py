"""Real exchanges, replayed in their own language: the provider gets what it got, the client what was answered."""

import json

import pytest

from providers.base import Shape
from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer, reply_of
from tests.recordings.requests import body_expected, path_expected, place_of, request_for
from tests.recordings.scope import group_of, is_replayed

pytestmark = needs_recordings


def told_of(recording: Recording) -> bytes:
    """Return what the client must get, byte for byte, of an answer in its own language."""
    if group_of(recording).shape is Shape.COUNT_TOKENS and recording.provider == "bedrock":
        return b'{"input_tokens":%d}' % recording.answer["inputTokens"]
    if recording.is_event_stream:
        kinds = [event["type"].encode() for event in recording.events]
        pairs = zip(kinds, recording.frames, strict=True)
        return b"".join(b"event: %b\ndata: %b\n\n" % pair for pair in pairs)
    return recording.body


@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each) and each.is_answered))
def test_exchange_passes_as_it_was_recorded(replayer: Replayer, recording: Recording) -> None:
    place = place_of(recording)
    name, upstream_id = replayer.names_of(recording, place)
    request = request_for(recording, name)

    response = replayer.ask(place, request, reply_of(recording))

    row, seen, body = replayer.row_of(response), replayer.seen, body_expected(recording, upstream_id)
    assert (response.status_code, row.status, row.provider) == (recording.status, recording.status, place.provider)
    assert response.content == told_of(recording)
    assert counts_in_row(row) == reported_counts(recording)
    assert (row.error_code == "") is not recording.breaks_off
    assert (seen.method, seen.path) == (recording.method, path_expected(recording, upstream_id))
    assert body is None or json.loads(seen.body) == body
    if place.provider == "anthropic":
        assert request.headers.items() <= seen.headers.items()
