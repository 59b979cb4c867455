"""A gateway that a whole module of tests shares, in front of any upstream; and token counts read without the product.

The rig in ``tests/router/conftest.py`` is fresh for each test. This one is for tests that only call and read. A module
or a conftest takes the database for it by ``from tests.gateway import transactional_db``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.core.management import call_command
from django.test import override_settings

from catalog.services import sync_catalog
from keys.models import ProviderKey
from keys.services import create_provider_key
from providers.secret import Secret
from providers.sse import SSEDecoder
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from teams.models import Workspace
from teams.services import create_gateway_key, ensure_workspace
from tests.router.conftest import running_gateway, wait_for
from usage.models import Attempt, Refusal

COUNTS = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
)


NOTHING_SEEN = UUID(int=0)


@dataclass
class Gateway:
    """A running gateway, the one workspace in it, and a key of that workspace for clients."""

    url: str
    token: str
    workspace: Workspace
    provider_key: ProviderKey
    outbox: OutboxReader
    _seen: set[UUID] = field(default_factory=set)
    _seen_up_to: UUID = NOTHING_SEEN

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=20, trust_env=False, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **options)

    def new_rows(self, count: int = 1) -> list[Attempt]:
        """Return the ledger rows settled since this was last asked, in order; there must be exactly ``count``."""
        rows = wait_for(lambda: self._settled(count))
        self._seen |= {row.id for row in rows}
        assert len(rows) == count
        return rows

    def new_row(self) -> Attempt:
        [row] = self.new_rows()
        return row

    def forget_rows(self) -> None:
        """Take what is in the ledger as seen, so that a test begins with none."""
        ship(self.outbox)
        # Ids rise with time: one bound stands for all rows before, however many there are.
        self._seen_up_to = Attempt.objects.order_by("-id").values_list("id", flat=True).first() or self._seen_up_to
        self._seen = set()

    def refusals(self, request_id: str) -> list[Refusal]:
        ship(self.outbox)
        return list(Refusal.objects.filter(request_id=request_id))

    def _settled(self, count: int) -> list[Attempt] | None:
        ship(self.outbox)
        new = Attempt.objects.filter(id__gt=self._seen_up_to).exclude(id__in=self._seen)
        rows = list(new.order_by("id"))
        done = len(rows) >= count and all(row.state == Attempt.State.SETTLED for row in rows)
        return rows if done else None


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database for a whole module, emptied after it.

    The name is that of the fixture it stands in for: by it the test run knows that there must be a database.
    """
    with django_db_blocker.unblock():
        yield
        call_command("flush", interactive=False, verbosity=0)


@contextmanager
def connected_gateway(origin: str, secret: str, folder: Path) -> Iterator[Gateway]:
    """Serve a gateway whose one provider key, of provider anthropic, calls ``origin``."""
    with override_settings(OUTBOX_DIR=folder / "outbox", ALLOWED_ORIGINS=frozenset([origin])):
        workspace = ensure_workspace()
        sync_catalog()
        key = create_provider_key(
            workspace,
            provider="anthropic",
            name="Anthropic Production",
            secret=Secret(secret),
            actor=None,
            base_url=origin,
        )
        token = create_gateway_key(workspace, name="app", actor=None).token.text
        with running_gateway() as url:
            yield Gateway(url, token, workspace, key, OutboxReader(folder / "outbox"))


def counts_in_row(row: Attempt) -> dict[str, int | None]:
    """Return the five counts of a ledger row."""
    return {name: getattr(row, name) for name in COUNTS}


def counts_in_answer(body: bytes | str) -> dict[str, int | None]:
    """Return the five counts that an answer of the Messages API reports, JSON or SSE; None each if it reports none."""
    usage = reported_usage(body if isinstance(body, str) else body.decode())
    if not usage:
        return dict.fromkeys(COUNTS)
    written = usage.get("cache_creation_input_tokens") or 0
    written_1h = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    return {
        "uncached_input_tokens": usage["input_tokens"],
        "cache_read_input_tokens": usage.get("cache_read_input_tokens") or 0,
        "cache_write_5m_input_tokens": written - written_1h,
        "cache_write_1h_input_tokens": written_1h,
        "output_tokens": usage["output_tokens"],
    }


def reported_usage(body: str) -> dict[str, Any]:
    """Return the usage in an answer; in a stream the last word on each field counts."""
    if not body.startswith(("event:", "data:")):
        return json.loads(body).get("usage") or {}
    usage: dict[str, Any] = {}
    for event in SSEDecoder().events(body.encode()):
        reported = event.get("message", {}).get("usage") or event.get("usage") or {}
        usage |= {name: value for name, value in reported.items() if value is not None}
    return usage


def counts_in_chat(usage: dict[str, Any]) -> dict[str, int]:
    """Return the five counts in the ``usage`` of a chat completion, where cached tokens are a part of the prompt."""
    return _counts(usage["prompt_tokens"], usage["prompt_tokens_details"], usage["completion_tokens"])


def counts_in_response(usage: dict[str, Any]) -> dict[str, int]:
    """Return the five counts in the ``usage`` of a response."""
    return _counts(usage["input_tokens"], usage["input_tokens_details"], usage["output_tokens"])


def counts_in_message(usage: dict[str, Any]) -> dict[str, int | None]:
    """Return the five counts in the ``usage`` of a message."""
    return counts_in_answer(json.dumps({"usage": usage}))


def _counts(input_tokens: int, details: dict[str, int], output_tokens: int) -> dict[str, int]:
    read, written = details["cached_tokens"], details["cache_creation_tokens"]
    written_5m, written_1h = details["cache_creation_5m_tokens"], details["cache_creation_1h_tokens"]
    assert written == written_5m + written_1h
    return dict(zip(COUNTS, (input_tokens - read - written, read, written_5m, written_1h, output_tokens), strict=True))
