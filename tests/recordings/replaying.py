"""One gateway, connected to a stub that stands in for every place where recordings were made."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from django.test import override_settings

from catalog.index import CatalogIndex
from catalog.providers import PROVIDERS
from catalog.queries import load_index
from catalog.services import sync_catalog
from keys.credentials import read_credentials
from keys.services import create_provider_key
from providers.secret import Secret
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from teams.models import Workspace
from teams.services import create_gateway_key
from tests.providers.vertex_keys import key_file
from tests.recordings.library import Recording
from tests.recordings.requests import OPENAI_CHAT_ONLY, Place, Request
from tests.router.conftest import running_gateway, wait_for
from tests.stub import Reply, Seen, Stub
from usage.models import Attempt

PLACES = (
    Place("anthropic"),
    Place("aws", (("region", "us-east-1"),)),
    Place("google", (("project_id", "example-project"), ("location", "global"))),
    Place("google", (("project_id", "example-project"), ("location", "us-east5"))),
    Place("openai", (("responses", "yes"),)),
    Place("openai", (("responses", "no"),), "/api/v1"),
    Place("openai", (("responses", "no"),), "/v1"),
    OPENAI_CHAT_ONLY,
)
_CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "anthropic": {"api_key": "sk-ant-api03-only-for-tests-0123456789"},
    "aws": {"access_key_id": "AKIAONLYFORTESTS0000", "secret_access_key": "only/for/tests+" + "0" * 25},
    "google": {"service_account": key_file()},
    "openai": {"api_key": "sk-only-for-tests-0123456789"},
}
# A model that the catalog lists, for recordings with one that it does not.
_STAND_INS = {"aws": "us.anthropic.claude-sonnet-4-6", "google": "claude-sonnet-4-6"}
_TOKEN_PATH = "/token"
_TOKEN = {"access_token": "only-for-tests", "expires_in": 3599, "token_type": "Bearer"}


class Upstream:
    """The stub as every provider at once; Google's token service is one of its paths and none of its replies."""

    def __init__(self) -> None:
        self.stub = Stub(handler=self._answer)
        self.replies: deque[Reply] = deque()
        self.seen: list[Seen] = []

    def expect(self, reply: Reply) -> None:
        """Answer the next call with ``reply``, and forget those before."""
        self.replies.clear()
        self.replies.append(reply)
        self.seen.clear()

    def _answer(self, seen: Seen) -> Reply:
        if seen.path == _TOKEN_PATH:
            return Reply.of_json(_TOKEN)
        self.seen.append(seen)
        return self.replies.popleft()


@dataclass
class Replayer:
    """Puts requests to the gateway while the upstream answers as it is told to."""

    url: str
    upstream: Upstream
    outbox: OutboxReader
    tokens: Mapping[Place, str]
    catalog: CatalogIndex
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20, trust_env=False))

    def ask(self, place: Place, request: Request, reply: Reply) -> httpx.Response:
        """Send ``request`` to the gateway as a client with a key for ``place``, which answers ``reply``."""
        self.upstream.expect(reply)
        headers = {"authorization": f"Bearer {self.tokens[place]}", **request.headers}
        return self.client.post(self.url + request.path, json=request.body, headers=headers)

    @property
    def seen(self) -> Seen:
        """The one call that reached the provider."""
        [seen] = self.upstream.seen
        return seen

    def row_of(self, response: httpx.Response) -> Attempt:
        """Return the ledger's one row of the request that ``response`` answers, once it is settled."""
        request_id = response.headers["x-orq-trace-id"]
        # Shipping is for all that lies in the outbox, and is slow beside a look.
        return self._settled(request_id) or wait_for(lambda: self._shipped(request_id))

    def names_of(self, recording: Recording, place: Place) -> tuple[str, str]:
        """Return what a client calls the recording's model and what the provider then gets.

        The native endpoint and OpenAI's pass ids that the catalog does not know; elsewhere another model stands in.
        """
        if place.provider == "openai":
            return f"openai/{recording.model}", recording.model
        known = self.catalog.find(place.provider, recording.model)
        if place.provider == "anthropic":
            return recording.model, known.upstream_id if known else recording.model
        name = recording.model if known else _STAND_INS[place.provider]
        return f"{place.provider}/{name}", known.upstream_id if known else name

    def _shipped(self, request_id: str) -> Attempt | None:
        ship(self.outbox)
        return self._settled(request_id)

    def _settled(self, request_id: str) -> Attempt | None:
        rows = list(Attempt.objects.filter(request_id=request_id))
        assert len(rows) <= 1
        return rows[0] if rows and rows[0].state == Attempt.State.SETTLED else None


@contextmanager
def running_replayer(folder: Path) -> Iterator[Replayer]:
    """Serve a gateway with one workspace for each place; ``folder`` is for its outbox."""
    upstream = Upstream()
    with (
        upstream.stub as stub,
        override_settings(
            OUTBOX_DIR=folder / "outbox",
            ALLOWED_ORIGINS=frozenset([stub.origin]),
            GOOGLE_TOKEN_URI=stub.origin + _TOKEN_PATH,
        ),
    ):
        sync_catalog()
        tokens = {place: _connect(number, place, stub.origin) for number, place in enumerate(PLACES)}
        with running_gateway() as url:
            replayer = Replayer(url, upstream, OutboxReader(folder / "outbox"), tokens, load_index())
            with replayer.client:
                yield replayer


def reply_of(recording: Recording, *, body: bytes | None = None, chunk_sizes: Sequence[int] | None = None) -> Reply:
    """Return the recorded answer, in its own network chunks; or ``body`` in its place, or other chunks."""
    sizes = recording.chunk_sizes if chunk_sizes is None else chunk_sizes
    usual = "text/event-stream" if recording.is_streamed else "application/json"
    headers = {"content-type": usual, **recording.headers}
    for name in ("connection", "keep-alive"):
        headers.pop(name, None)
    return Reply(recording.status, headers, recording.body if body is None else body, tuple(sizes))


def _connect(number: int, place: Place, origin: str) -> str:
    """Make a workspace with one key for ``place``; return a gateway key for it."""
    workspace = Workspace.objects.create(slug=f"place-{number}", name=f"Place {number}")
    create_provider_key(
        workspace,
        provider=place.provider,
        name="Production",
        secret=_secret(place.provider, origin),
        actor=None,
        base_url=origin + place.base_path,
        key_settings=dict(place.settings),
    )
    return create_gateway_key(workspace, name="app", actor=None).token.text


def _secret(provider: str, origin: str) -> Secret:
    given: Mapping[str, Any] = _CREDENTIALS[provider]
    return read_credentials(PROVIDERS[provider], given, base_url=origin)
