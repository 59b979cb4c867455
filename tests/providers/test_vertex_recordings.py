"""Real exchanges with Vertex AI, replayed: what we build, read and pass on is what was recorded."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import vertex
from providers.base import AnswerStream, ModelCall, Target, TokenCounts
from providers.sse import SSEDecoder

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"
WHOLE = sorted(RECORDINGS.glob("vertex-rawpredict-*.json"))
STREAMED = sorted(RECORDINGS.glob("vertex-streamrawpredict-*.json"))

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")


def load(path: Path) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(path.read_text())
    sent = recording["request"]["json"]
    if set(sent) == {"b64"}:
        recording["request"]["json"] = json.loads(base64.b64decode(sent["b64"]))
    return recording


def call_of(recording: dict[str, Any]) -> ModelCall:
    """The Messages request that the recorded one must have come from."""
    fields = {name: value for name, value in recording["request"]["json"].items() if name != "anthropic_version"}
    body = msgspec.json.encode({"model": recording["model"], **fields})
    return ModelCall(recording["model"], body, recording["operation"] == "streamRawPredict")


def target_of(recording: dict[str, Any]) -> Target:
    parts = urlsplit(recording["request"]["url"]).path.split("/")
    return Target(settings={"project_id": parts[3], "location": parts[5]})


def expected_counts(usage: dict[str, Any]) -> TokenCounts:
    """The five counts, read off the usage without the product's help."""
    split = usage.get("cache_creation") or {}
    written_1h = split.get("ephemeral_1h_input_tokens", 0)
    return TokenCounts(
        usage["input_tokens"],
        usage["cache_read_input_tokens"],
        usage["cache_creation_input_tokens"] - written_1h,
        written_1h,
        usage["output_tokens"],
    )


def streamed_usage(body: bytes) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for event in SSEDecoder().events(body):
        usage |= event.get("message", {}).get("usage") or event.get("usage") or {}
    return usage


def feed(chunks: Iterable[bytes]) -> tuple[bytes, AnswerStream]:
    stream = vertex.answer_stream(ModelCall("m", b"{}", stream=True))
    return b"".join([stream.feed(chunk) for chunk in chunks]), stream


def facts(stream: AnswerStream) -> tuple[object, ...]:
    return (stream.counts, stream.model, stream.stop_reason, stream.text_chars, stream.is_complete, stream.error)


def cut(body: bytes, sizes: Iterable[int]) -> list[bytes]:
    chunks, at = [], 0
    for size in sizes:
        chunks.append(body[at : at + size])
        at += size
    return [*chunks, body[at:]]


def test_all_recordings_are_here() -> None:
    assert (len(WHOLE), len(STREAMED)) == (12, 12)


@pytest.mark.parametrize("path", [*WHOLE, *STREAMED], ids=lambda path: path.stem)
def test_request_is_built_as_recorded(path: Path) -> None:
    recording = load(path)

    outbound = vertex.build_request(call_of(recording), target_of(recording))

    assert outbound.method == recording["request"]["method"]
    assert outbound.url == recording["request"]["url"]
    assert json.loads(outbound.body) == recording["request"]["json"]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_whole_answer_is_metered_and_keeps_its_bytes(path: Path) -> None:
    recording = load(path)
    body = recording["response"]["body"].encode()

    answer = vertex.read_answer(call_of(recording), body)

    assert answer.body == body
    assert answer.counts == expected_counts(json.loads(body)["usage"])
    assert answer.model == json.loads(body)["model"]


@pytest.mark.parametrize("path", STREAMED, ids=lambda path: path.stem)
def test_streamed_answer_is_metered_and_keeps_its_bytes_wherever_it_is_cut(path: Path) -> None:
    recording = load(path)
    body = recording["response"]["body"].encode()
    _, whole = feed([body])

    splits = [cut(body, recording["response"].get("chunk_sizes", []))]
    splits += [cut(body, [size] * (len(body) // size)) for size in (1, 2, 3, 7, 64, 1000)]

    assert whole.counts == expected_counts(streamed_usage(body))
    assert whole.is_complete
    for chunks in splits:
        passed, stream = feed(chunks)
        assert passed == body
        assert facts(stream) == facts(whole)
        assert stream.first_token_seen


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_streamed_answer_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    recording = load(data.draw(st.sampled_from(STREAMED)))
    body = recording["response"]["body"].encode()
    sizes = data.draw(st.lists(st.integers(0, len(body)), max_size=20))

    passed, stream = feed(cut(body, sizes))

    assert passed == body
    assert facts(stream) == facts(feed([body])[1])


@pytest.mark.parametrize("path", [*WHOLE, *STREAMED], ids=lambda path: path.stem)
def test_request_id_is_among_the_headers_that_are_looked_at(path: Path) -> None:
    headers = load(path)["response"]["headers"]
    found = next(filter(None, map(headers.get, vertex.request_id_headers)), "")

    # Three of the recorders kept no headers.
    assert found.startswith("req_vrtx_") or not any("id" in name.split("-") for name in headers)
