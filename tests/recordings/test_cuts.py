"""Wherever the network cuts a recorded stream, the same is passed on, rendered and metered."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import AnswerStream, ModelCall, Shape
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
    facts: tuple[object, ...]
    chat: bytes = b""
    responses: bytes = b""


def shapes_told(recording: Recording) -> list[Shape]:
    """Return the shapes in which a provider's module gives the stream to the gateway."""
    shape = group_of(recording).shape
    assert shape is not None
    return [shape, Shape.MESSAGES] if shape is Shape.CHAT else [shape]


def follow(recording: Recording, shape: Shape, chunks: Iterable[bytes], *, is_watched: bool = False) -> Followed:
    """Follow the stream as the gateway does, in chunks as they come; ``is_watched``: asking for all after each."""
    body = json.dumps(recording.sent or {}).encode()
    stream = PROVIDER_APIS[place_of(recording).provider].answer_stream(ModelCall("m", body, True, shape))
    passed_on = []
    for chunk in chunks:
        passed_on.append(stream.feed(chunk))
        if is_watched:
            facts_of(stream)
    facts = facts_of(stream)
    if shape is not Shape.MESSAGES:
        return Followed(b"".join(passed_on), facts)
    decoder = SSEDecoder()
    events = [event for chunk in passed_on for event in decoder.events(chunk)]
    return Followed(b"".join(passed_on), facts, render(CHAT, events), render(RESPONSES, events))


def facts_of(stream: AnswerStream) -> tuple[object, ...]:
    return (
        stream.counts,
        stream.model,
        stream.stop_reason,
        stream.error,
        stream.is_complete,
        stream.text_chars,
        stream.first_token_seen,
    )


def render(dialect: Dialect, events: Iterable[Mapping[str, Any]]) -> bytes:
    renderer = dialect.stream_renderer(make_context())
    return b"".join(map(renderer.feed, events)) + renderer.finish()


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

    cut = follow(recording, shape, split(recording.body, offsets), is_watched=data.draw(st.booleans()))

    assert cut == follow(recording, shape, [recording.body])
