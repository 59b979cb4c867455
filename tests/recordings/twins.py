"""A recorded answer in both its forms, whole and streamed: as it was recorded, and its twin of the same content."""

from typing import Any

from tests.dialects.samples import fold, stream_of
from tests.providers.recordings import encode_chunk
from tests.recordings.library import Recording
from tests.recordings.replaying import reply_of
from tests.stub import Reply

_AWS_STREAM = "application/vnd.amazon.eventstream"


def message_of(recording: Recording) -> dict[str, Any]:
    """Return the Messages answer that was recorded, put together where it was streamed."""
    return fold(recording.events) if recording.is_streamed else recording.answer


def reply_in_form(recording: Recording, *, stream: bool) -> Reply:
    """Return the recorded answer streamed or whole, in the framing of its provider."""
    if recording.is_streamed is stream:
        return reply_of(recording)
    message = message_of(recording)
    if not stream:
        return Reply.of_json(message)
    body = stream_of(message)
    if recording.provider != "bedrock":
        return Reply(200, {"content-type": "text/event-stream"}, body, (len(body),))
    events = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    frames = b"".join(map(encode_chunk, events))
    return Reply(200, {"content-type": _AWS_STREAM}, frames, (len(frames),))
