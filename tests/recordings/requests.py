"""What a client of the gateway sends so that the provider gets a recorded request, and what the provider then gets."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from providers.base import Shape
from tests.recordings.library import Recording
from tests.recordings.scope import group_of

ENDPOINTS = {
    Shape.MESSAGES: "/v3/anthropic/v1/messages",
    Shape.COUNT_TOKENS: "/v3/anthropic/v1/messages/count_tokens",
    Shape.CHAT: "/v3/router/chat/completions",
    Shape.RESPONSES: "/v3/router/responses",
}
# A model of each provider that stands for all.
_MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-6",
    "aws": "aws/us.anthropic.claude-sonnet-4-6",
    "google": "google/claude-sonnet-4-6",
    "openai": "openai/some-model",
}
# Bedrock's and Vertex AI's own field, which a client of the native endpoint does not write.
_VERSION = "anthropic_version"

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where recordings were made, as a provider key says it. ``base_path`` is the path of its base URL."""

    provider: str
    settings: tuple[tuple[str, str], ...] = ()
    base_path: str = ""


@dataclass(frozen=True)
class Request:
    """What a client sends."""

    path: str
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


# The same stub, said to have no responses: what comes in as such is translated.
OPENAI_CHAT_ONLY = Place("openai", (("responses", "no"),))


def place_of(recording: Recording) -> Place:
    """Return where ``recording`` was made."""
    url = urlsplit(recording.url)
    if recording.provider == "bedrock":
        return Place("aws", (("region", url.netloc.split(".")[1]),))
    if recording.provider == "vertex":
        parts = url.path.split("/")
        return Place("google", (("project_id", parts[3]), ("location", parts[5])))
    if recording.provider == "openai":
        return Place("openai", (("responses", "yes"),))
    if recording.provider.startswith("gateway:"):
        return Place("openai", (("responses", "no"),), url.path.removesuffix("/chat/completions"))
    return Place(recording.provider)


def native_body(recording: Recording) -> Json | None:
    """Return the body in the language of its shape, without the model; None where the recorder kept no such body."""
    sent = recording.sent
    if sent is None:
        return None
    if recording.operation == "count-tokens":
        if "invokeModel" not in sent["input"]:
            return None
        sent = json.loads(base64.b64decode(sent["input"]["invokeModel"]["body"]))
    return {name: value for name, value in sent.items() if name not in ("model", _VERSION)}


def request_for(recording: Recording, model: str) -> Request:
    """Return the request in the recording's own language; a small one where the recorded is not known."""
    shape = group_of(recording).shape
    assert shape is not None
    body = native_body(recording)
    if body is None:
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}
    if shape is Shape.MESSAGES and recording.operation in ("invoke", "invoke-with-response-stream"):
        body["stream"] = recording.operation != "invoke"
    elif recording.is_streamed:
        body["stream"] = True
    headers = {name: value for name, value in recording.sent_headers.items() if name.startswith("anthropic-")}
    query = urlsplit(recording.url).query
    return Request(ENDPOINTS[shape] + (f"?{query}" if query else ""), {"model": model, **body}, headers)


def body_expected(recording: Recording, model: str) -> Json | None:
    """Return the body that the provider must get: the recorded one, with the changes that the documents name."""
    sent = recording.sent
    if sent is None or native_body(recording) is None:
        return None
    if recording.provider in ("bedrock", "vertex"):
        return dict(sent)
    changed = {**sent, "model": model}
    if recording.is_streamed and group_of(recording).shape is Shape.CHAT:
        changed["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
    return changed


def path_expected(recording: Recording, model: str) -> str:
    """Return the path that the provider must get, its escapes undone: recorders and clients differ in them."""
    return unquote(recording.path).replace(recording.model, model) if recording.model else unquote(recording.path)


def small_request(dialect: str, place: Place, *, stream: bool) -> Request:
    """Return a request in ``dialect``, a shape's name, that any answer may answer; a stream is to tell its usage."""
    said = [{"role": "user", "content": "Hello"}]
    fields: dict[str, Json] = {
        "messages": {"messages": said, "max_tokens": 64},
        "responses": {"input": said},
        "chat": {"messages": said, **({"stream_options": {"include_usage": True}} if stream else {})},
    }
    body = {"model": _MODELS[place.provider], "stream": stream, **fields[dialect]}
    return Request(ENDPOINTS[Shape(dialect)], body)
