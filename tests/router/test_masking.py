"""No credential reaches the client in a stream's error, wherever the provider's chunks end."""

from uuid import UUID

import pytest

from providers.base import UnreadableAnswer
from providers.secret import Secret
from router import masking
from router.attempt import Attempt
from router.masking import StreamMask
from router.snapshot import VersionEntry
from tests.router.candidates import candidate
from tests.router.conftest import PROVIDER_SECRET, Rig
from tests.stub import Reply
from tests.usage.samples import make_opened

TEXT = b'event: content_block_delta\ndata: {"text":"an error is"}\n\n'
ERROR = b'event: error\ndata: {"error":{"message":"refused ' + PROVIDER_SECRET.encode() + b' here"}}\n\n'
MASKED = ERROR.replace(PROVIDER_SECRET.encode(), b"***")


@pytest.fixture
def mask(monkeypatch: pytest.MonkeyPatch) -> StreamMask:
    monkeypatch.setattr(VersionEntry, "open", lambda _: Secret(PROVIDER_SECRET))
    attempt = Attempt(candidate(), make_opened(UUID(int=1)), lambda _id, _how: None, is_count=False)
    return StreamMask(attempt)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [*range(1, 90), 1000])
def test_a_credential_is_masked_however_the_stream_is_cut(mask: StreamMask, size: int, line_end: bytes) -> None:
    stream = (TEXT + ERROR + TEXT).replace(b"\n", line_end)

    out = b"".join(mask.feed(stream[at : at + size]) for at in range(0, len(stream), size))

    assert out == (TEXT + MASKED + TEXT).replace(b"\n", line_end)
    assert not mask.finish()


def test_what_tells_of_no_error_passes_at_once(mask: StreamMask) -> None:
    chunks = [b'data: {"text":"half', b' an event"}\n', b"\ndata: ", TEXT + b'data: {"text":"next']

    assert [mask.feed(chunk) for chunk in chunks] == chunks


def test_an_error_that_breaks_off_is_masked(mask: StreamMask) -> None:
    begun = ERROR[:-8]

    assert mask.feed(begun) == b""
    assert mask.finish() == begun.replace(PROVIDER_SECRET.encode(), b"***")


@pytest.mark.parametrize("path", ["/v3/anthropic/v1/messages", "/v3/router/chat/completions"])
def test_a_credential_cut_in_two_stops_at_the_gateway(rig: Rig, path: str) -> None:
    reply = Reply.of_events(
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}},
            {"type": "error", "error": {"type": "api_error", "message": f"upstream refused {PROVIDER_SECRET}"}},
        ]
    )
    cut = reply.body.index(PROVIDER_SECRET.encode()) + 12
    rig.stub.replies.append(Reply(200, reply.headers, reply.body, (cut,), between_s=0.1))
    body = {"model": "anthropic/claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}

    response = rig.post(path, body | {"stream": True})

    assert "upstream refused ***" in response.text
    assert PROVIDER_SECRET[12:] not in response.text


def test_a_long_event_in_many_chunks_is_looked_through_once(mask: StreamMask, monkeypatch: pytest.MonkeyPatch) -> None:
    event = b'data: {"error":null,"text":"' + b"x" * 300_000 + b'"}\n\n'
    searched = []

    def last_event_end(text: bytearray, begin: int) -> int:
        searched.append(len(text) - begin)
        return find_end(text, begin)

    find_end = masking._last_event_end
    monkeypatch.setattr(masking, "_last_event_end", last_event_end)

    out = b"".join(mask.feed(event[at : at + 1_400]) for at in range(0, len(event), 1_400))

    assert out == event
    assert sum(searched) < 1.01 * len(event)


def test_an_event_that_does_not_end_is_refused(mask: StreamMask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "LONGEST_EVENT", 1_000)
    mask.feed(b'data: {"error":' + b" " * 900)

    with pytest.raises(UnreadableAnswer):
        mask.feed(b" " * 900)
