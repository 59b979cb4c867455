"""Ways to cut a recorded stream into network chunks, each as the offsets at which a chunk ends."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tests.recordings.library import Recording

_CONTINUATION = range(0x80, 0xC0)


def split(body: bytes, offsets: Iterable[int]) -> list[bytes]:
    """Return ``body`` cut at ``offsets``; two that are equal have an empty chunk between them."""
    return [body[start:end] for start, end in pairwise([0, *sorted(offsets), len(body)])]


def sizes_of(body: bytes, offsets: Iterable[int]) -> tuple[int, ...]:
    """Return the sizes of the chunks between ``offsets``, without empty ones."""
    return tuple(len(chunk) for chunk in split(body, offsets) if chunk)


def known_cuts(recording: Recording) -> Mapping[str, Sequence[int]]:
    """Return the cuts that have broken readers of streams before, by name."""
    body = recording.body
    frames = frame_ends(recording)
    return {
        "as recorded": _sums(recording.chunk_sizes),
        "at every byte": range(1, len(body)),
        "inside each character": [at for at, byte in enumerate(body) if byte in _CONTINUATION],
        "in the middle of each frame": [(start + end) // 2 for start, end in pairwise([0, *frames])],
        "just before each frame ends": [end - 1 for end in frames],
        "just after each frame ends": frames,
        "just after each frame begins": [end + 1 for end in frames[:-1]],
    }


def frame_ends(recording: Recording) -> list[int]:
    """Return where each frame ends: a message of an AWS event stream, else an event with the blank line after it."""
    body, ends = recording.body, []
    if recording.is_event_stream:
        while (start := ends[-1] if ends else 0) < len(body):
            ends.append(start + struct.unpack_from(">I", body, start)[0])
        return ends
    end = body.find(b"\n\n")
    while end != -1:
        ends.append(end + 2)
        end = body.find(b"\n\n", end + 2)
    return ends


def _sums(sizes: Iterable[int]) -> list[int]:
    sums, total = [], 0
    for size in sizes:
        total += size
        sums.append(total)
    return sums
