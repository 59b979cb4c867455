"""Wherever the network cuts a recorded stream, the same is passed on, rendered and metered."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import ModelCall, Shape, TokenCounts
from providers.registry import PROVIDER_APIS
from providers.sse import SSEDecoder
from router.dialects import CHAT, RESPONSES
from router.dialects.base import Dialect
from tests.dialects.samples import make_context
from tests.recordings.cuts import frame_ends, known_cuts, split
from tests.recordings.library import Recording, all_recordings, cases, needs_recordings
from tests.recordings.requests import place_of
from tests.recordings.scope import group_of, is_replayed

pytestmark = needs_recordings


def is_stream(recording: Recording) -> bool:
    return is_replayed(recording) and recording.is_streamed


STREAMS = [recording for recording in all_recordings() if is_stream(recording)]


@dataclass(frozen=True)
class Followed:
    """What came of a stream: the bytes passed on, what was read of it, and what clients of other dialects get."""

    passed_on: bytes
    facts: tuple[TokenCounts, str | None, str | None, object, bool, int, bool]
    chat: bytes = b""
    responses: bytes = b""


def shapes_told(recording: Recording) -> list[Shape]:
    """Return the shapes in which a provider's module gives the stream to the gateway."""
    shape = group_of(recording).shape
    assert shape is not None
    return [shape, Shape.MESSAGES] if shape is Shape.CHAT else [shape]


def follow(recording: Recording, shape: Shape, chunks: Iterable[bytes]) -> Followed:
    """Follow the stream as the gateway does, in chunks as they come."""
    body = json.dumps(recording.sent or {}).encode()
    stream = PROVIDER_APIS[place_of(recording).provider].answer_stream(ModelCall("m", body, True, shape))
    passed_on = [stream.feed(chunk) for chunk in chunks]
    facts = (
        stream.counts,
        stream.model,
        stream.stop_reason,
        stream.error,
        stream.is_complete,
        stream.text_chars,
        stream.first_token_seen,
    )
    if shape is not Shape.MESSAGES:
        return Followed(b"".join(passed_on), facts)
    return Followed(b"".join(passed_on), facts, render(CHAT, passed_on), render(RESPONSES, passed_on))


def render(dialect: Dialect, chunks: Iterable[bytes]) -> bytes:
    renderer, decoder = dialect.stream_renderer(make_context()), SSEDecoder()
    rendered = [b"".join(map(renderer.feed, decoder.events(chunk))) for chunk in chunks]
    return b"".join(rendered) + renderer.finish()


def readings() -> Iterator[tuple[Recording, Shape]]:
    for recording in STREAMS:
        for shape in shapes_told(recording):
            yield recording, shape


def test_frames_are_found_in_each_recorded_stream() -> None:
    assert {recording.name for recording in STREAMS if frame_ends(recording)[-1:] != [len(recording.body)]} == set()


@pytest.mark.parametrize("recording", cases(is_stream))
def test_known_cuts_change_nothing(recording: Recording) -> None:
    for shape in shapes_told(recording):
        whole = follow(recording, shape, [recording.body])

        for name, offsets in known_cuts(recording).items():
            assert follow(recording, shape, split(recording.body, offsets)) == whole, name


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_cuts_change_anything(data: st.DataObject) -> None:
    recording, shape = data.draw(st.sampled_from(list(readings())))
    offsets = data.draw(st.lists(st.integers(0, len(recording.body)), max_size=30))

    cut = follow(recording, shape, split(recording.body, offsets))

    assert cut == follow(recording, shape, [recording.body])
