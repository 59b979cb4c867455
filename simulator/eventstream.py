"""Frames of ``application/vnd.amazon.eventstream``, in which AWS streams.

A frame is: total length, length of the headers, CRC-32 of those two (the prelude), headers, payload, CRC-32 of all
before it. Numbers are big-endian and have four bytes. Source: AWS documentation, "Event stream encoding".
"""

import base64
import struct
import zlib
from collections.abc import Mapping

from simulator.http import to_json

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE_AND_CRCS_BYTES = 16
_STRING_TYPE = 7
# What the service pads payloads with, so that lengths give less away.
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def encode_chunk(event: Mapping[str, object], padding: int) -> bytes:
    """Return one event of a model as a frame of type ``chunk``, with ``padding`` characters that mean nothing."""
    payload = {"bytes": base64.b64encode(to_json(event)).decode(), "p": _PADDING[:padding]}
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, to_json(payload))


def encode_exception(kind: str, message: str) -> bytes:
    """Return the frame that ends a stream with an exception, such as ``throttlingException``."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return encode_frame(headers, to_json({"message": message}))


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return a frame whose headers are all strings."""
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", _PRELUDE_AND_CRCS_BYTES + len(head) + len(payload), len(head))
    unsealed = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return unsealed + struct.pack(">I", zlib.crc32(unsealed))


def with_wrong_checksum(frame: bytes) -> bytes:
    """Return ``frame`` as a broken connection might deliver it: its checksum does not fit any more."""
    return frame[:-1] + bytes([frame[-1] ^ 0xFF])


def _encode_header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    return (
        bytes([len(encoded_name)]) + encoded_name + struct.pack(">BH", _STRING_TYPE, len(encoded_value)) + encoded_value
    )
