"""The recorded exchanges that lie beside this checkout, as objects. Nothing of the product is used to read them."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.providers.recordings import inner_events

FOLDER = Path(__file__).resolve().parents[2] / "../shared/recordings"
needs_recordings = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not beside this checkout")


@dataclass(frozen=True, eq=False)
class Recording:
    """One exchange. ``sent`` is the body that was sent, None where the recorder kept none; ``body`` is the answer's."""

    name: str
    provider: str
    operation: str
    model: str
    method: str
    url: str
    sent: Mapping[str, Any] | None
    sent_headers: Mapping[str, str]
    status: int
    headers: Mapping[str, str]
    body: bytes
    chunk_sizes: tuple[int, ...]

    @property
    def path(self) -> str:
        """The path that was called, without the query."""
        return urlsplit(self.url).path

    @property
    def is_answered(self) -> bool:
        """True unless the provider refused."""
        return self.status < 300

    @property
    def is_streamed(self) -> bool:
        """True when the answer came as a stream of events, of whichever framing."""
        return self.is_answered and not self.body.lstrip().startswith(b"{")

    @property
    def is_event_stream(self) -> bool:
        """True when the stream is AWS's binary one."""
        return self.is_streamed and self.provider == "bedrock"

    @cached_property
    def frames(self) -> list[bytes]:
        """The JSON of each event of the stream, in order; a ``[DONE]`` is left out."""
        if self.is_event_stream:
            return inner_events(self.body)
        lines = [line.removeprefix(b"data:").strip() for line in self.body.split(b"\n") if line.startswith(b"data:")]
        return [line for line in lines if line != b"[DONE]"]

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The events of the stream."""
        return [json.loads(frame) for frame in self.frames]

    @cached_property
    def answer(self) -> dict[str, Any]:
        """The whole answer, of one that was not streamed."""
        answer: dict[str, Any] = json.loads(self.body)
        return answer

    @property
    def breaks_off(self) -> bool:
        """True for a stream that ends in an error."""
        return self.is_streamed and self.events[-1].get("type") == "error"


@cache
def all_recordings() -> tuple[Recording, ...]:
    """Return all of them by name; none where the folder is absent."""
    return tuple(_load(path) for path in sorted(FOLDER.glob("*.json")) if path.name != "index.json")


def cases(wanted: Callable[[Recording], bool]) -> list[Any]:
    """Return the recordings that are ``wanted`` as test parameters, each under its name."""
    return [pytest.param(recording, id=recording.name) for recording in all_recordings() if wanted(recording)]


def _load(path: Path) -> Recording:
    exchange = json.loads(path.read_text())
    request, response = exchange["request"], exchange["response"]
    sent, is_binary = _sent(request.get("json")), "body_base64" in response
    return Recording(
        name=path.stem,
        provider=exchange["provider"],
        operation=exchange["operation"],
        model=exchange["model"] or (sent or {}).get("model", ""),
        method=request["method"],
        url=request["url"],
        sent=sent,
        sent_headers=request.get("headers") or {},
        status=response["status"],
        headers=response["headers"],
        body=base64.b64decode(response["body_base64"]) if is_binary else response["body"].encode(),
        chunk_sizes=tuple(response.get("chunk_sizes") or ()),
    )


def _sent(body: Any) -> Mapping[str, Any] | None:
    """Return the request's body; some recorders kept its bytes, others what they say."""
    if not body:
        return None
    sent: Mapping[str, Any] = json.loads(base64.b64decode(body["b64"])) if "b64" in body else body
    return sent
