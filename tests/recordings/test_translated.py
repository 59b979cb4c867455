"""Real answers of Claude, told to OpenAI's clients: the same content, ending and counts, streamed as whole."""

from dataclasses import replace

import httpx
import pytest

from providers.base import Shape
from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.expected import expected_reply, told_counts
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer
from tests.recordings.requests import place_of, small_request
from tests.recordings.scope import is_replayed
from tests.recordings.twins import message_of, reply_in_form
from tests.replies import Reply, read_reply

pytestmark = needs_recordings

ANSWERED = cases(lambda each: is_replayed(each, Shape.MESSAGES) and each.is_answered and not each.breaks_off)


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("recording", ANSWERED)
def test_answer_is_told_with_all_it_holds(replayer: Replayer, recording: Recording, dialect: str) -> None:
    whole, streamed = (ask(replayer, recording, dialect, stream=stream) for stream in (False, True))

    assert_told(replayer, recording, dialect, whole)
    assert_told(replayer, recording, dialect, streamed)


def ask(replayer: Replayer, recording: Recording, dialect: str, *, stream: bool) -> httpx.Response:
    place = place_of(recording)
    request = small_request(dialect, place, stream=stream)
    return replayer.ask(place, request, reply_in_form(recording, stream=stream))


def assert_told(replayer: Replayer, recording: Recording, dialect: str, response: httpx.Response) -> None:
    reply, message = read_reply(dialect, response.content), message_of(recording)
    row, reported = replayer.row_of(response), reported_counts(recording)
    assert replace(reply, usage={}, raw={}) == expected_reply(recording, dialect)
    assert own_words(reply, dialect) == (message["stop_reason"], message.get("stop_sequence"))
    assert told_counts(reply, dialect, reported) == counts_in_row(row) == reported
    assert row.certainty == "exact"


def own_words(reply: Reply, dialect: str) -> tuple[str, str | None]:
    """Return the provider's stop reason and stop sequence as they stand beside the coarser ending."""
    holder = reply.raw["choices"][0] if dialect == "chat" else reply.raw
    return holder["stop_reason"], holder.get("stop_sequence")
