"""Recorded exchanges with Bedrock, read independently of the product, and event streams made by hand."""

import base64
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")


def paths(pattern: str) -> list[Path]:
    return sorted(RECORDINGS.glob(pattern))


def streams(pattern: str) -> list[Path]:
    """Those that were answered by an event stream; the others were refused before there was one."""
    return [path for path in paths(pattern) if "body_base64" in load(path)["response"]]


def load(path: Path) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(path.read_text())
    return recording


def request_json(recording: Mapping[str, Any]) -> dict[str, Any]:
    """The body that was sent; some recorders kept its bytes, others what they say."""
    sent = recording["request"].get("json") or {}
    return json.loads(base64.b64decode(sent["b64"])) if "b64" in sent else sent


def answer_bytes(recording: Mapping[str, Any]) -> bytes:
    answer = recording["response"]
    return base64.b64decode(answer["body_base64"]) if "body_base64" in answer else answer["body"].encode()


def messages_in(stream: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Headers and payload of each message of an event stream, as botocore reads them."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [(message.headers, message.payload) for message in buffer]


def inner_events(stream: bytes) -> list[bytes]:
    """The JSON within each chunk of an InvokeModelWithResponseStream answer."""
    return [base64.b64decode(json.loads(payload)["bytes"]) for _, payload in messages_in(stream)]


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of an event stream whose headers are all text."""
    raw = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    return encode_raw(raw, payload)


def encode_raw(headers: bytes, payload: bytes) -> bytes:
    """One message with the bytes of its headers as given."""
    lengths = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    framed = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return framed + struct.pack(">I", crc32(framed))


def encode_chunk(event: bytes) -> bytes:
    """One event of a model's answer as Bedrock sends it, padding and all."""
    payload = json.dumps({"bytes": base64.b64encode(event).decode(), "p": "abcdef"}).encode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode_message(headers, payload)


def encode_exception(name: str, payload: bytes) -> bytes:
    """An exception inside a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode_message(headers, payload)
