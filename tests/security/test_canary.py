"""Canary secrets go through everything that is done with a provider key, and are then looked for everywhere.

Stored by REST and by the page, checked, used for messages and streams, replaced, moved, refused, made to fail and
deleted; what the product keeps, logs and shows meanwhile is gathered and searched, in every spelling of leaks.py.
"""

import logging
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from django.test import Client

from catalog.services import sync_catalog
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.tasks import run_test_call
from providers.base import Outcome
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from teams.models import AuditEvent, User, Workspace
from tests.api.conftest import Api
from tests.factories import make_gateway_key, make_management_key
from tests.router.conftest import message_body, running_gateway, wait_for
from tests.security.leaks import database_columns, files_below, leaks_in, redis_values
from tests.stub import Reply, Seen, Stub, answer_counted
from tests.stub_fixtures import stub
from usage.models import Attempt

__all__ = ["stub"]

# With characters that JSON, HTML and URLs each write differently: at an address of one's own any key will do.
STORED = 'sk-ant-api03-stored-"<&%+/=-canary-1'
REPLACED = 'sk-ant-api03-replaced-"<&%+/=-canary-2'
MOVED = 'sk-ant-api03-moved-"<&%+/=-canary-3'
PASTED = 'sk-ant-api03-pasted-"<&%+/=-canary-4'
DRAFTED = 'sk-ant-api03-drafted-"<&%+/=-canary-5'
# These are never stored: one belongs elsewhere, one has a space, the others come with something else that is wrong.
ADMIN = "sk-ant-admin01-a-canary-that-is-refused-6"
SPACED = "sk-ant-api03-a canary-that-is-refused-7"
UNNAMED = "sk-ant-api03-a-canary-without-a-name-8"
UNLUCKY = "sk-ant-api03-a-canary-that-fails-midway-9"
CANARIES = [STORED, REPLACED, MOVED, PASTED, DRAFTED, ADMIN, SPACED, UNNAMED, UNLUCKY]


@dataclass
class Evidence:
    """What the product kept, sent and showed, by where it was found."""

    found: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, content: bytes | str) -> None:
        self.found.append((where, content.encode() if isinstance(content, str) else content))

    def leaks(self) -> dict[str, list[str]]:
        return {where: names for where, content in self.found if (names := leaks_in(content, CANARIES))}


@dataclass
class Scene:
    """The product running before a provider that echoes keys, and everything gathered from it so far."""

    url: str
    stub: Stub
    api: Api
    browser: Client
    workspace: Workspace
    gateway_token: str
    outbox: Path
    evidence: Evidence
    reader: OutboxReader

    def call_api(self, path: str, body: Any = None) -> Any:
        answer = self.api.post(path, body)
        self.evidence.add(f"POST {path}", answer.content)
        return answer.json()

    def open(self, path: str) -> str:
        """Return the page at ``path``, followed to where it leads."""
        answer = self.browser.get(path, follow=True)
        self.evidence.add(f"page {path}", answer.content + repr(answer.headers).encode())
        return answer.content.decode()

    def submit(self, path: str, form: dict[str, Any], **headers: str) -> None:
        """Send a form below the workspace, and follow it to where it leads."""
        answer = self.browser.post(f"/w/{self.workspace.slug}{path}", form, headers=headers, follow=True)
        self.evidence.add(f"page after {path}", answer.content + repr((answer.headers, answer.redirect_chain)).encode())

    def crawl(self) -> set[str]:
        """Open every page that a link leads to, and return their addresses."""
        seen, waiting = set[str](), deque([f"/w/{self.workspace.slug}/"])
        while waiting:
            path = waiting.popleft()
            if path in seen:
                continue
            seen.add(path)
            page = self.open(path)
            assert "Something failed on our side" not in page, path
            links = (urlsplit(urljoin(path, link)) for link in re.findall(r'(?:href|hx-get)="([^"#]*)"', page))
            waiting += [link.path for link in links if link.path.startswith("/w/")]
        return seen

    def call_gateway(self, path: str = "/v3/anthropic/v1/messages", **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.gateway_token}"}
        answer = httpx.post(self.url + path, json=message_body(**body), headers=headers, timeout=10, trust_env=False)
        self.evidence.add(f"gateway {path}", answer.content + repr(answer.headers).encode())
        return answer

    def run_test_calls(self) -> set[str]:
        """Do the work of Celery's worker; return how the calls ended."""
        calls = list(TestCall.objects.exclude(state=TestCall.State.DONE))
        for call in calls:
            run_test_call(str(call.pk))
        return set(TestCall.objects.filter(pk__in=[call.pk for call in calls]).values_list("outcome", flat=True))

    def gather(self) -> None:
        """Add what lies in the outbox, ship it, and add what lies in the stores then."""
        self.evidence.found += files_below(self.outbox)
        ship(self.reader)
        self.evidence.found += [*files_below(self.outbox), *database_columns(), *redis_values()]


def echo_the_key(seen: Seen) -> Reply:
    """Refuse, repeating the key that came."""
    return Reply.of_error(401, "authentication_error", f"invalid x-api-key: {seen.headers['x-api-key']}")


@pytest.fixture
def scene(
    transactional_db: None, workspace: Workspace, alice: User, stub: Stub, settings: Any, tmp_path: Path
) -> Iterator[Scene]:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.ALLOWED_ORIGINS = frozenset([stub.origin, moved_origin(stub)])
    sync_catalog()
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    token = make_gateway_key(workspace).token.text
    api = Api(make_management_key(workspace).token.text)
    reader = OutboxReader(settings.OUTBOX_DIR)
    with running_gateway() as url:
        yield Scene(url, stub, api, browser, workspace, token, settings.OUTBOX_DIR, Evidence(), reader)


def moved_origin(stub: Stub) -> str:
    return stub.origin.replace("127.0.0.1", "localhost")


def new_key(scene: Scene, secret: str, name: str) -> dict[str, Any]:
    return {
        "provider": "anthropic",
        "name": name,
        "credentials": {"api_key": secret},
        "base_url": scene.stub.origin,
    }


def store_and_use(scene: Scene) -> ProviderKey:
    shown = scene.call_api("/provider-keys", new_key(scene, STORED, "Production"))
    key = ProviderKey.objects.get(pk=shown["id"])
    assert scene.run_test_calls() == {Outcome.OK}
    scene.call_api(f"/provider-keys/{key.pk}/test", {"kind": "message", "model": "claude-sonnet-4-6"})
    assert scene.run_test_calls() == {Outcome.OK}
    use_gateway(scene)
    return key


def use_gateway(scene: Scene) -> None:
    """Call the gateway in each dialect until it knows the key; streams too."""
    wait_for(lambda: scene.call_gateway().status_code == 200 or None)
    assert scene.call_gateway(stream=True).status_code == 200
    assert scene.call_gateway("/v3/anthropic/v1/messages/count_tokens").status_code == 200
    chat = "/v3/router/chat/completions"
    assert scene.call_gateway(chat, model="anthropic/claude-sonnet-4-6").status_code == 200
    assert scene.call_gateway(chat, model="anthropic/claude-sonnet-4-6", stream=True).status_code == 200


def be_refused_by_the_provider(scene: Scene, key: ProviderKey) -> None:
    scene.stub.handler = echo_the_key
    for body in ({"kind": "check"}, {"kind": "message", "model": "claude-sonnet-4-6"}):
        scene.call_api(f"/provider-keys/{key.pk}/test", body)
    assert scene.run_test_calls() == {Outcome.INVALID_CREDENTIAL}
    assert scene.call_gateway().status_code == 401
    assert scene.call_gateway(stream=True).status_code == 401
    assert scene.call_gateway("/v3/router/chat/completions", model="anthropic/claude-sonnet-4-6").status_code == 422
    scene.stub.handler = answer_counted


def rotate_there_and_back(scene: Scene, key: ProviderKey) -> None:
    scene.call_api(f"/provider-keys/{key.pk}/versions", {"credentials": {"api_key": REPLACED}})
    scene.call_api(f"/provider-keys/{key.pk}/versions/2/promote", {"grace": "24h"})
    wait_for(lambda: (scene.call_gateway() and used_with(scene, REPLACED)) or None)
    scene.call_api(f"/provider-keys/{key.pk}/versions/1/promote", {"grace": "0s"})
    scene.run_test_calls()


def used_with(scene: Scene, secret: str) -> bool:
    return scene.stub.requests[-1].headers["x-api-key"] == secret


def be_refused_by_us(scene: Scene) -> None:
    refused = [
        new_key(scene, ADMIN, "Admin"),
        new_key(scene, SPACED, "Spaced"),
        new_key(scene, UNNAMED, ""),
        new_key(scene, UNNAMED, "Production"),
        new_key(scene, UNNAMED, "Elsewhere") | {"base_url": "https://evil.test"},
        new_key(scene, UNNAMED, "Not yet") | {"provider": "aws"},
        new_key(scene, UNNAMED, "Too much") | {"settings": {"region": "eu"}},
        new_key(scene, UNNAMED, "Misshapen") | {"credentials": [UNNAMED]},
    ]
    for body in refused:
        assert "error" in scene.call_api("/provider-keys", body)
    for headers in ({}, {"HX-Request": "true"}):
        for secret, name in ((ADMIN, "Admin"), (SPACED, "Spaced"), (UNNAMED, ""), (UNNAMED, "Production")):
            form = {"name": name, "secret": secret, "base_url": scene.stub.origin}
            scene.submit("/byok/new/anthropic/own/", form, **headers)
    assert ProviderKey.objects.count() == 1


def fail_midway(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("It broke midway.")

    with monkeypatch.context() as patch:
        patch.setattr("keys.services.request_test_call", fail)
        assert scene.call_api("/provider-keys", new_key(scene, UNLUCKY, "Unlucky"))["error"]["code"] == "internal_error"
        scene.submit("/byok/new/anthropic/own/", {"name": "Unlucky", "secret": UNLUCKY, "base_url": scene.stub.origin})
    assert ProviderKey.objects.count() == 1


def work_on_pages(scene: Scene, key: ProviderKey) -> None:
    origin = scene.stub.origin
    # The same secret again asks first; told to save anyway, it is stored.
    again = {"name": "Again", "secret": STORED, "base_url": origin}
    scene.submit("/byok/new/anthropic/own/", again)
    assert not ProviderKey.objects.filter(name="Again").exists()
    scene.submit("/byok/new/anthropic/own/", again | {"save_anyway": "on"})
    scene.submit("/byok/new/anthropic/own/", {"name": "Pasted", "secret": PASTED, "base_url": origin})
    pasted = ProviderKey.objects.get(name="Pasted")
    scene.submit(f"/byok/{pasted.pk}/rotate/", {"secret": DRAFTED})
    scene.submit(f"/byok/{pasted.pk}/versions/2/switch/", {"grace": "1"})
    unchanged = {"name": key.name, "order": 0, "weight": 1, "notes": ""}
    scene.submit(f"/byok/{key.pk}/edit/", unchanged | {"base_url": moved_origin(scene.stub)})
    scene.submit(f"/byok/{key.pk}/edit/", unchanged | {"base_url": moved_origin(scene.stub), "secret": MOVED})
    scene.submit(f"/byok/{key.pk}/check/", {})
    scene.run_test_calls()
    wait_for(lambda: (scene.call_gateway() and used_with(scene, MOVED)) or None)
    states = list(pasted.versions.order_by("number").values_list("number", "state"))
    assert states == [(1, "draining"), (2, "active")]


def damage_and_delete(scene: Scene, key: ProviderKey) -> None:
    KeyVersion.objects.filter(provider_key=key, state="active").update(master_key_id="gone")
    scene.submit(f"/byok/{key.pk}/check/", {})
    assert scene.run_test_calls() == {Outcome.MISCONFIGURED}
    scene.call_gateway()
    scene.submit(f"/byok/{key.pk}/delete/", {"name": "Not its name"})
    scene.submit(f"/byok/{key.pk}/delete/", {"name": key.name})
    key.refresh_from_db()
    assert key.deleted_at is not None


def test_a_secret_is_found_nowhere(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)

    key = store_and_use(scene)
    be_refused_by_the_provider(scene, key)
    scene.gather()
    rotate_there_and_back(scene, key)
    be_refused_by_us(scene)
    fail_midway(scene, monkeypatch)
    work_on_pages(scene, key)
    pages = scene.crawl()
    scene.gather()
    damage_and_delete(scene, key)
    pages |= scene.crawl()
    scene.gather()

    scene.evidence.add("logs", caplog.text)
    scene.evidence.add("stdout and stderr", "".join(capfd.readouterr()))
    assert scene.evidence.leaks() == {}
    assert_looked_everywhere(scene, pages)


def assert_looked_everywhere(scene: Scene, pages: set[str]) -> None:
    """That nothing was found means something only if the secrets were used and the places held something."""
    sent = {seen.headers["x-api-key"] for seen in scene.stub.requests}
    assert sent == {STORED, REPLACED, MOVED, PASTED, DRAFTED}
    content = {}
    for where, found in scene.evidence.found:
        content[where] = content.get(where, b"") + found
    assert Attempt.objects.filter(kind="live").count() > 8
    assert AuditEvent.objects.filter(action="provider_key.delete").exists()
    assert {f"/w/acme/{page}/" for page in ("overview", "byok", "api-keys", "models", "requests", "settings")} <= pages
    assert len(content["keys_keyversion.ciphertext"]) > 1000
    assert b"run_test_call" in b"".join(found for where, found in content.items() if where.startswith("redis"))
    assert any(where.endswith(".log") and found for where, found in content.items())
    assert b"It broke midway." in content["logs"]
