"""Claude at AWS Bedrock and Google Vertex AI, both played by the simulator: keys for them, and their answers."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.eventstream import EventStreamBuffer
from django.test import override_settings

from catalog.providers import PROVIDERS
from keys.credentials import read_credentials
from keys.models import ProviderKey
from keys.services import create_provider_key
from simulator.aws_keys import make_access_key
from simulator.google_keys import make_service_account
from teams.models import Workspace

# What a client writes before a model's name, by provider.
PREFIXES = {"anthropic": "anthropic/", "aws": "aws/anthropic/", "google": "google/anthropic/"}


@contextmanager
def simulated_token_service(origin: str) -> Iterator[None]:
    """Let Google's tokens come from the simulator at ``origin``."""
    with override_settings(GOOGLE_TOKEN_URI=f"{origin}/token"):
        yield


def connect_clouds(workspace: Workspace, origin: str) -> dict[str, ProviderKey]:
    """Connect AWS Bedrock and Google Vertex AI, both at the simulator."""
    key_id, secret = make_access_key("acme")
    account = make_service_account("acme")
    credentials = {
        "aws": ({"access_key_id": key_id, "secret_access_key": secret}, {"region": "us-east-1"}),
        "google": (
            {"service_account": json.dumps(account)},
            {"project_id": account["project_id"], "location": "us-east5"},
        ),
    }
    return {
        provider: _connect(workspace, provider, origin, given, settings)
        for provider, (given, settings) in credentials.items()
    }


def _connect(
    workspace: Workspace, provider: str, origin: str, given: dict[str, str], settings: dict[str, str]
) -> ProviderKey:
    return create_provider_key(
        workspace,
        provider=provider,
        name=f"{PROVIDERS[provider].name} Production",
        secret=read_credentials(PROVIDERS[provider], given, base_url=origin),
        actor=None,
        base_url=origin,
        key_settings=settings,
    )


def as_messages(answer: bytes) -> bytes:
    """Return an answer of any of the three as the Messages API would send it: Bedrock's frames become events."""
    if answer.lstrip().startswith((b"{", b"event:", b"data:")):
        return answer
    frames = EventStreamBuffer()
    frames.add_data(answer)
    events = [json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])) for frame in frames]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )
