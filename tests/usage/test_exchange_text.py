"""Stored bytes as people read them, whatever they are."""

import pytest

from usage.exchange_text import readable

DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}\n\n'
)
MESSAGES = (
    b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
    + DELTA % b"Gr\xc3\xbc"
    + DELTA % b"ezi"
    + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CHAT = (
    b'data: {"choices":[{"delta":{"role":"assistant","content":"Gr\xc3\xbc"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"ezi"}}]}\n\n'
    b'data: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\n'
)
RESPONSES = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Gr\xc3\xbc"}\n\n'
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"ezi"}\n\n'
)


@pytest.mark.parametrize("stream", [MESSAGES, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
def test_stream_says_its_text(stream: bytes) -> None:
    assert readable(stream).said == "Grüezi"
    assert readable(stream).text == stream.decode()


def test_stream_that_is_cut_says_what_came() -> None:
    assert readable(MESSAGES[:-90]).said.startswith("Grü")


def test_json_is_indented_and_keeps_its_letters() -> None:
    assert readable('{"a":["ü",1]}'.encode()).text == '{\n  "a": [\n    "ü",\n    1\n  ]\n}'


@pytest.mark.parametrize("body", [b"", b"plain", b"\xff\xfe", b'{"cut": "of', b"[" * 100_000, b"1" * 5000])
def test_anything_else_is_shown_as_it_is(body: bytes) -> None:
    assert readable(body).text == body.decode("utf-8", "replace")


@pytest.mark.parametrize("event", [b"[]", b"1", b'{"choices":[1]}', b'{"type":"content_block_delta"}', b"{"])
def test_odd_event_says_nothing(event: bytes) -> None:
    assert readable(b"data: " + event + b"\n\n").said == ""
