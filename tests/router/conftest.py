"""A gateway on a socket in this process, a stub provider behind it, and one workspace connected to both."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from django.db import connection

from catalog.services import sync_catalog
from keys.models import ProviderKey
from keys.services import create_provider_key
from providers.secret import Secret
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from teams.models import GatewayKey, Workspace
from teams.services import create_gateway_key, ensure_workspace
from tests.stub import Stub
from tests.stub_fixtures import stub
from usage.models import Attempt

__all__ = ["stub"]

T = TypeVar("T")
PROVIDER_SECRET = "sk-ant-api03-only-for-tests-0123456789"


@dataclass
class Rig:
    """What a test of the gateway acts on."""

    url: str
    stub: Stub
    workspace: Workspace
    provider_key: ProviderKey
    gateway_key: GatewayKey
    token: str
    outbox: OutboxReader

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=10, trust_env=False, **options)

    def messages(self, **fields: Any) -> httpx.Response:
        """Call the native endpoint with a small message."""
        return self.post("/v3/anthropic/v1/messages", message_body(**fields))

    def ledger(self, *, at_least: int = 1, settled: bool = True) -> list[Attempt]:
        """Ship the outbox until the ledger has ``at_least`` rows, and return them in order of their start."""
        rows = wait_for(lambda: self._shipped(at_least, settled=settled))
        assert rows is not None
        return rows

    def _shipped(self, at_least: int, *, settled: bool) -> list[Attempt] | None:
        ship(self.outbox)
        rows = list(Attempt.objects.order_by("id"))
        enough = len(rows) >= at_least and (not settled or all(row.state == "settled" for row in rows))
        return rows if enough else None


def message_body(**fields: Any) -> dict[str, Any]:
    body = {"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
    return body | fields


def wait_for(look: Callable[[], T | None], *, timeout_s: float = 10) -> T:
    """Return the first thing ``look`` finds; fails after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def rig(transactional_db: None, stub: Stub, settings: Any, tmp_path: Path) -> Iterator[Rig]:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.ALLOWED_ORIGINS = frozenset([stub.origin])
    workspace = ensure_workspace()
    sync_catalog()
    key = create_provider_key(
        workspace,
        provider="anthropic",
        name="Anthropic Production",
        secret=Secret(PROVIDER_SECRET),
        actor=None,
        base_url=stub.origin,
    )
    created = create_gateway_key(workspace, name="app", actor=None)
    with running_gateway() as url:
        yield Rig(url, stub, workspace, key, created.key, created.token.text, OutboxReader(settings.OUTBOX_DIR))


class running_gateway:  # used like a function
    """Serve the whole application on a free port, in a thread."""

    def __enter__(self) -> str:
        from orqadmin.asgi import app  # the application starts with the test, not with collection

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="on", log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        wait_for(lambda: self._server.started or None)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        with connection.cursor() as cursor:
            # Threads of the application leave connections behind that would keep the test database from going.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
