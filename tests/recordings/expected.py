"""What clients must get of a recorded answer, in its own language or in another, and the counts they are told."""

import json
from dataclasses import replace

from providers.base import Shape
from tests.features import CHAT_ENDINGS, RESPONSES_ENDINGS
from tests.recordings.counts import COUNTS, Counts
from tests.recordings.library import Recording
from tests.recordings.scope import group_of
from tests.recordings.twins import message_of
from tests.replies import Reply, read_reply

ENDINGS = {"chat": CHAT_ENDINGS, "responses": RESPONSES_ENDINGS}
# As tests.replies calls the counts, in the order of COUNTS; searches stand elsewhere.
_TOLD_COUNTS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")


def expected_bytes(recording: Recording) -> bytes:
    """Return what the client must get, byte for byte, of an answer in its own language."""
    if group_of(recording).shape is Shape.COUNT_TOKENS and recording.provider == "bedrock":
        return b'{"input_tokens":%d}' % recording.answer["inputTokens"]
    if recording.is_event_stream:
        kinds = [event["type"].encode() for event in recording.events]
        pairs = zip(kinds, recording.frames, strict=True)
        return b"".join(b"event: %b\ndata: %b\n\n" % pair for pair in pairs)
    return recording.body


def expected_reply(recording: Recording, dialect: str) -> Reply:
    """Return what a client must be told, in the words of ``dialect``; ``usage`` and ``raw`` are compared apart."""
    told = read_reply("messages", json.dumps(message_of(recording)).encode())
    return replace(told, ending=ENDINGS[dialect].get(told.ending, told.ending), usage={}, raw={})


def told_counts(reply: Reply, dialect: str, reported: Counts) -> Counts:
    """Return the counts in a reply. A response has no word for reasoning that was not counted, and says zero."""
    if reply.usage.get("output") is None:
        return dict.fromkeys(COUNTS)
    counts = dict(zip(COUNTS, map(reply.usage.get, _TOLD_COUNTS), strict=False))
    if dialect == "responses" and reported["reasoning_output_tokens"] is None:
        assert counts["reasoning_output_tokens"] == 0
        counts["reasoning_output_tokens"] = None
    searches = reply.raw["usage"].get("server_tool_use", {}).get("web_search_requests")
    return {**counts, "web_searches": searches}
