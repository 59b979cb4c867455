"""The event stream decoder reads what botocore's reads, wherever the bytes are cut, and takes no damage."""

import struct
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import UnreadableAnswer
from providers.eventstream import LONGEST_HEADERS, LONGEST_PAYLOAD, EventStreamDecoder, Message
from tests.providers import recordings
from tests.providers.recordings import encode_message, encode_raw, needs_recordings

STREAM = b"".join(encode_message({":message-type": "event", "n": str(n)}, b"payload \xc3\xa9" * n) for n in range(6))


def _decode(*chunks: bytes) -> list[Message]:
    decoder = EventStreamDecoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)]


@needs_recordings
@pytest.mark.parametrize("path", recordings.streams("bedrock-*stream*.json"), ids=lambda path: path.stem)
def test_recorded_streams_read_as_botocore_reads_them(path: Path) -> None:
    stream = recordings.answer_bytes(recordings.load(path))

    read = [(dict(message.headers), message.payload) for message in _decode(stream)]

    assert read == recordings.messages_in(stream)


def test_single_bytes_read_like_the_whole() -> None:
    assert _decode(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == _decode(STREAM)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]

    assert _decode(*(STREAM[start:end] for start, end in pairwise(places))) == _decode(STREAM)


@given(at=st.integers(0, len(STREAM) - 1), mask=st.integers(1, 255))
def test_any_changed_byte_is_noticed(at: int, mask: int) -> None:
    damaged = bytearray(STREAM)
    damaged[at] ^= mask
    decoder = EventStreamDecoder()

    with pytest.raises(UnreadableAnswer):
        list(decoder.feed(bytes(damaged)))
    with pytest.raises(UnreadableAnswer):
        list(decoder.feed(STREAM))


def test_messages_before_the_damage_are_read() -> None:
    messages = EventStreamDecoder().feed(STREAM + STREAM[:-1] + b"!")

    read = [next(messages) for _ in range(11)]

    assert read == [*_decode(STREAM), *_decode(STREAM)[:-1]]
    with pytest.raises(UnreadableAnswer):
        next(messages)


def test_cut_message_waits_for_its_rest() -> None:
    assert _decode(STREAM[:-1]) == _decode(STREAM)[:-1]


def test_headers_of_other_types_are_passed_over() -> None:
    others = {
        b"yes": b"\x00",
        b"no": b"\x01",
        b"byte": b"\x02\x7f",
        b"short": b"\x03\x00\x01",
        b"int": b"\x04" + bytes(4),
        b"long": b"\x05" + bytes(8),
        b"blob": b"\x06\x00\x03abc",
        b"time": b"\x08" + bytes(8),
        b"uuid": b"\x09" + bytes(16),
    }
    raw = b"".join(bytes([len(name)]) + name + value for name, value in others.items()) + b"\x04text\x07\x00\x02ok"

    assert _decode(encode_raw(raw, b"x")) == [Message({"text": "ok"}, b"x")]


@pytest.mark.parametrize(
    "raw",
    [b"\x04text\x0a\x00", b"\x04text\x07\x00\x09ok", b"\x04text", b"\x04text\x07\x00\x01\xff", b"\x09text"],
    ids=["unknown type", "value too long", "no value", "not UTF-8", "name too long"],
)
def test_broken_headers_are_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        _decode(encode_raw(raw, b"x"))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(15, 0), (16, 1), (LONGEST_PAYLOAD + 17, 0), (LONGEST_HEADERS + 17, LONGEST_HEADERS + 1), (2**32 - 1, 0)],
)
def test_impossible_length_is_refused_before_it_is_waited_for(total: int, headers: int) -> None:
    lengths = struct.pack(">II", total, headers)

    with pytest.raises(UnreadableAnswer):
        _decode(lengths + struct.pack(">I", crc32(lengths)))


def test_page_of_html_is_no_event_stream() -> None:
    with pytest.raises(UnreadableAnswer):
        _decode(b"<html><body>Bad gateway</body></html>")
