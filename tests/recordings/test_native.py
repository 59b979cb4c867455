"""Real exchanges, replayed in their own language: the provider gets what it got, the client what was answered."""

import json

import pytest

from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.expected import expected_bytes
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer, reply_of
from tests.recordings.requests import body_expected, path_expected, place_of, request_for
from tests.recordings.scope import is_replayed

pytestmark = needs_recordings


@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each) and each.is_answered))
def test_exchange_passes_as_it_was_recorded(replayer: Replayer, recording: Recording) -> None:
    place = place_of(recording)
    name, upstream_id = replayer.names_of(recording, place)
    request = request_for(recording, name)

    response = replayer.ask(place, request, reply_of(recording))

    row, seen, body = replayer.row_of(response), replayer.seen, body_expected(recording, upstream_id)
    assert (response.status_code, row.status, row.provider) == (recording.status, recording.status, place.provider)
    assert response.content == expected_bytes(recording)
    assert counts_in_row(row) == reported_counts(recording)
    assert (row.error_code == "") is not recording.breaks_off
    assert (seen.method, seen.path) == (recording.method, path_expected(recording, upstream_id))
    assert body is None or json.loads(seen.body) == body
    if place.provider == "anthropic":
        assert request.headers.items() <= seen.headers.items()
