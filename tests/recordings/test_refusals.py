"""Real refusals and answers that broke off: passed on as they came, or told in our envelope, and metered as nothing."""

import pytest

from providers.base import Shape
from tests.recordings.counts import counts_in_row, reported_counts
from tests.recordings.library import Recording, cases, needs_recordings
from tests.recordings.replaying import Replayer, reply_of
from tests.recordings.requests import Place, Request, place_of, request_for, small_request
from tests.recordings.scope import is_replayed

pytestmark = needs_recordings

# What a client of /v3/router is told, by the status that the provider gave.
ENVELOPES = {
    400: (400, "invalid_request_body"),
    401: (422, "provider_credential_invalid"),
    403: (422, "provider_credential_invalid"),
    404: (404, "model_not_found"),
    429: (429, "rate_limit_exceeded"),
    500: (502, "provider_error"),
    529: (503, "provider_overloaded"),
}
# Bedrock says with a 400, too, that it has no such model.
_NO_SUCH_MODEL = ("model identifier is invalid", "on-demand throughput")
_NATIVE = (Shape.MESSAGES, Shape.COUNT_TOKENS)
_OPENAI = (Shape.CHAT, Shape.RESPONSES)


def envelope_of(recording: Recording) -> tuple[int, str]:
    """Return status and code that a client of ``/v3/router`` gets."""
    said = recording.body.decode()
    return ENVELOPES[404 if any(words in said for words in _NO_SUCH_MODEL) else recording.status]


def message_in(recording: Recording) -> str:
    """Return the provider's own message."""
    message: str = recording.answer.get("error", recording.answer)["message"]
    return message


@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each, *_NATIVE) and not each.is_answered))
def test_refusal_passes_unmodified_to_a_native_client(replayer: Replayer, recording: Recording) -> None:
    place = place_of(recording)
    name, _ = replayer.names_of(recording, place)

    response = replayer.ask(place, request_for(recording, name), reply_of(recording))

    row = replayer.row_of(response)
    assert (response.status_code, row.status) == (recording.status, recording.status)
    assert response.content == recording.body
    for header in ("retry-after", "x-should-retry"):
        assert response.headers.get(header) == recording.headers.get(header)
    assert counts_in_row(row) == reported_counts(recording)


@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each, *_OPENAI) and not each.is_answered))
def test_refusal_of_openai_comes_in_our_envelope(replayer: Replayer, recording: Recording) -> None:
    place = place_of(recording)
    name, _ = replayer.names_of(recording, place)

    assert_told(replayer, recording, place, request_for(recording, name))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each, Shape.MESSAGES) and not each.is_answered))
def test_refusal_of_claude_comes_in_our_envelope(
    replayer: Replayer, recording: Recording, dialect: str, stream: bool
) -> None:
    place = place_of(recording)

    assert_told(replayer, recording, place, small_request(dialect, place, stream=stream))


def assert_told(replayer: Replayer, recording: Recording, place: Place, request: Request) -> None:
    response = replayer.ask(place, request, reply_of(recording))

    row, error = replayer.row_of(response), response.json()["error"]
    assert (response.status_code, error["code"]) == envelope_of(recording)
    assert (row.status, row.error_code) == (recording.status, error["code"])
    assert message_in(recording) in error["message"]
    assert response.headers.get("retry-after") == recording.headers.get("retry-after")
    assert counts_in_row(row) == reported_counts(recording)


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("recording", cases(lambda each: is_replayed(each) and each.breaks_off))
def test_stream_that_breaks_off_never_looks_whole(replayer: Replayer, recording: Recording, dialect: str) -> None:
    place = place_of(recording)

    response = replayer.ask(place, small_request(dialect, place, stream=True), reply_of(recording))

    row = replayer.row_of(response)
    assert b"[DONE]" not in response.content
    assert b"response.completed" not in response.content
    assert row.error_code == "provider_overloaded"
    assert counts_in_row(row) == reported_counts(recording)
    if recording.events[0]["type"] == "error":
        # Nothing had gone to the client yet, so it gets the failure as such.
        assert (response.status_code, response.json()["error"]["code"]) == (503, "provider_overloaded")
    else:
        assert (b'"error":' if dialect == "chat" else b"event: response.failed") in response.content
