"""Real answers of Claude, told to OpenAI's clients: the same content, ending and counts, streamed as whole."""

import json
from dataclasses import replace

import pytest

from providers.base import Shape
from tests.features import CHAT_ENDINGS, RESPONSES_ENDINGS
from tests.recordings.counts import COUNTS, Counts, counts_in_row, reported_counts
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer
from tests.recordings.requests import ENDPOINTS, Place, Request, place_of
from tests.recordings.scope import is_replayed
from tests.recordings.twins import message_of, reply_in_form
from tests.replies import Reply, read_reply

pytestmark = needs_recordings

MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-6",
    "aws": "aws/us.anthropic.claude-sonnet-4-6",
    "google": "google/claude-sonnet-4-6",
}
ENDINGS = {"chat": CHAT_ENDINGS, "responses": RESPONSES_ENDINGS}
# As tests.replies calls the counts, in the order of COUNTS; searches stand elsewhere.
TOLD_COUNTS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
ANSWERED = cases(lambda each: is_replayed(each, Shape.MESSAGES) and each.is_answered and not each.breaks_off)


def small_request(dialect: str, place: Place, *, stream: bool) -> Request:
    said = {"input": "Hello"} if dialect == "responses" else {"messages": [{"role": "user", "content": "Hello"}]}
    options = {"stream_options": {"include_usage": True}} if stream and dialect == "chat" else {}
    body = {"model": MODELS[place.provider], "stream": stream, **said, **options}
    return Request(ENDPOINTS[Shape(dialect)], body)


def expected_reply(recording: Recording, dialect: str) -> Reply:
    """Return what a client must be told, in the words of ``dialect``; ``usage`` and ``raw`` are compared apart."""
    told = read_reply("messages", json.dumps(message_of(recording)).encode())
    return replace(told, ending=ENDINGS[dialect].get(told.ending, told.ending), usage={}, raw={})


def told_counts(reply: Reply, dialect: str, reported: Counts) -> Counts:
    """Return the counts in a reply. A response has no word for reasoning that was not counted, and says zero."""
    if reply.usage.get("output") is None:
        return dict.fromkeys(COUNTS)
    counts = dict(zip(COUNTS, map(reply.usage.get, TOLD_COUNTS), strict=False))
    if dialect == "responses" and reported["reasoning_output_tokens"] is None:
        assert counts["reasoning_output_tokens"] == 0
        counts["reasoning_output_tokens"] = None
    searches = reply.raw["usage"].get("server_tool_use", {}).get("web_search_requests")
    return {**counts, "web_searches": searches}


def own_words(reply: Reply, dialect: str) -> tuple[str, str | None]:
    """Return the provider's stop reason and stop sequence as they stand beside the coarser ending."""
    holder = reply.raw["choices"][0] if dialect == "chat" else reply.raw
    return holder["stop_reason"], holder.get("stop_sequence")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("recording", ANSWERED)
def test_answer_is_told_with_all_it_holds(replayer: Replayer, recording: Recording, dialect: str, stream: bool) -> None:
    place, message = place_of(recording), message_of(recording)

    request = small_request(dialect, place, stream=stream)
    response = replayer.ask(place, request, reply_in_form(recording, stream=stream))

    row, reported = replayer.row_of(response), reported_counts(recording)
    reply = read_reply(dialect, response.content)
    assert replace(reply, usage={}, raw={}) == expected_reply(recording, dialect)
    assert own_words(reply, dialect) == (message["stop_reason"], message.get("stop_sequence"))
    assert told_counts(reply, dialect, reported) == counts_in_row(row) == reported
    assert (row.certainty, row.stream) == ("exact", stream)
