"""Real chat completions, told to clients of Messages and responses: the same content, ending and counts."""

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.base import Shape
from tests.features import RESPONSES_ENDINGS
from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.expected import told_counts
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer, reply_of
from tests.recordings.requests import OPENAI_CHAT_ONLY, small_request
from tests.recordings.scope import is_replayed
from tests.replies import Reply, Thought, ToolCall, read_reply

pytestmark = needs_recordings

# How a finish reason ends a message.
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
ENDINGS = {"messages": {reason: reason for reason in STOP_REASONS.values()}, "responses": RESPONSES_ENDINGS}
# Other servers sign no reasoning, but a thinking block must have a signature.
UNSIGNED = "unsigned"


def is_told(recording: Recording) -> bool:
    """True for an answer that can be had through other dialects: none of them asks for the old ``functions``."""
    return is_replayed(recording, Shape.CHAT) and recording.is_answered and "functions" not in (recording.sent or {})


ANSWERED = cases(is_told)


def parts_of(recording: Recording) -> list[dict[str, Any]]:
    """Return what the answer's one choice came in: its message whole, or its deltas."""
    if not recording.is_streamed:
        return [choice["message"] for choice in recording.answer["choices"]]
    return [choice["delta"] for chunk in recording.events for choice in chunk["choices"]]


def ending_of(recording: Recording) -> str:
    """Return the stop reason; a refusal counts as one, though chat completions say that it stopped."""
    if any(part.get("refusal") for part in parts_of(recording)):
        return "refusal"
    answers = recording.events if recording.is_streamed else [recording.answer]
    [reason] = {
        choice["finish_reason"] for each in answers for choice in each["choices"] if choice.get("finish_reason")
    }
    return STOP_REASONS[reason]


def calls_in(parts: list[dict[str, Any]]) -> list[ToolCall]:
    calls: dict[int, list[str]] = {}
    for part in parts:
        for position, call in enumerate(part.get("tool_calls") or ()):
            known = calls.setdefault(call.get("index", position), ["", "", ""])
            function = call["function"]
            for place, piece in enumerate((call.get("id"), function.get("name"), function.get("arguments"))):
                known[place] += piece or ""
    return [ToolCall(call_id, name, json.loads(text)) for call_id, name, text in calls.values()]


def expected_reply(recording: Recording, dialect: str) -> Reply:
    """Return what a client must be told, put together without the product's help."""
    parts = parts_of(recording)
    reasoning = "".join(part.get("reasoning") or "" for part in parts)
    return Reply(
        text="".join((part.get("content") or "") + (part.get("refusal") or "") for part in parts),
        ending=ENDINGS[dialect][ending_of(recording)],
        calls=calls_in(parts),
        thoughts=[Thought(reasoning, UNSIGNED)] if reasoning else [],
        citations=[],
    )


@pytest.mark.parametrize("dialect", ["messages", "responses"])
@pytest.mark.parametrize("recording", ANSWERED)
def test_completion_is_told_with_all_it_holds(replayer: Replayer, recording: Recording, dialect: str) -> None:
    request = small_request(dialect, OPENAI_CHAT_ONLY, stream=recording.is_streamed)

    response = replayer.ask(OPENAI_CHAT_ONLY, request, reply_of(recording))

    row, reported = replayer.row_of(response), reported_counts(recording)
    reply = read_reply(dialect, response.content)
    assert replace(reply, usage={}, raw={}) == expected_reply(recording, dialect)
    assert told_counts(reply, dialect, reported) == counts_in_row(row) == reported
    assert replayer.seen.path == "/v1/chat/completions"
