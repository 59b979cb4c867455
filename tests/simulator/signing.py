"""Requests to the simulated clouds, signed by the clouds' own libraries."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer, EventStreamMessage
from google.auth import crypt, jwt

from simulator.aws_keys import make_access_key
from simulator.google_keys import SCOPE, TOKEN_URI

ORIGIN = "http://simulator"
ACCESS_KEY = make_access_key("acme")
SONNET = "us.anthropic.claude-sonnet-4-6"


def aws_body(content: Any = "Hello there", **fields: Any) -> dict[str, Any]:
    """Return a body as Bedrock takes it; a field that is None is left out."""
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1_024,
        "messages": [{"role": "user", "content": content}],
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}


def signed(
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    key: tuple[str, str] = ACCESS_KEY,
    region: str = "us-east-1",
    service: str = "bedrock",
    headers: Mapping[str, str] | None = None,
) -> httpx.Request:
    """Return a request with the signature that botocore makes for it."""
    request = AWSRequest(method, ORIGIN + path, data=body, headers=dict(headers or {}))
    SigV4Auth(Credentials(*key), service, region).add_auth(request)
    return httpx.Request(method, ORIGIN + path, content=body, headers=dict(request.headers))


def signed_json(path: str, body: object, **options: Any) -> httpx.Request:
    return signed(path, json.dumps(body).encode(), **options)


def with_headers(request: httpx.Request, **changed: str) -> httpx.Request:
    """Return ``request`` with headers changed after it was signed; ``x_amz_date`` stands for ``x-amz-date``."""
    headers = {**request.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return httpx.Request(request.method, request.url, content=request.content, headers=headers)


def frames_in(content: bytes) -> list[EventStreamMessage]:
    """Return the frames of an AWS event stream; botocore checks their checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(content)
    return list(buffer)


def events_in_frames(content: bytes) -> list[dict[str, Any]]:
    """Return the model's events in an AWS event stream, checking what frames them."""
    events = []
    for frame in frames_in(content):
        assert frame.headers == {
            ":event-type": "chunk",
            ":content-type": "application/json",
            ":message-type": "event",
        }
        events.append(json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])))
    return events


def assertion_of(account: Mapping[str, str], now: float, **claims: Any) -> str:
    """Return the assertion that a service account signs, with claims of its own or changed; None leaves one out."""
    said = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": TOKEN_URI,
        "iat": int(now),
        "exp": int(now) + 3_600,
        **claims,
    }
    signer = crypt.RSASigner.from_service_account_info(dict(account))
    return jwt.encode(signer, {name: value for name, value in said.items() if value is not None}).decode()
