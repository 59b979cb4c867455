"""The whole product on real parts, one for each module of tests, and a browser in front of it.

One uvicorn serves web and gateway, a Celery worker makes the test calls, ship_usage's loop fills the ledger; behind
them is the simulator. Playwright leaves an event loop running in the main thread, which Django takes for async code.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.db import connection, connections
from django.test import Client, override_settings
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from catalog.services import sync_catalog
from orqadmin.celery import app as celery_app
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from teams.models import Role, User, Workspace
from teams.services import ensure_workspace, setup_link
from tests.factories import make_member
from tests.gateway import transactional_db
from tests.router.conftest import running_gateway
from tests.simulator.running import Running

__all__ = ["transactional_db"]

# What Chromium and htmx say of every answer that is not a success, though these are meant (422 brings a form's errors),
# and of a request that a test lets go nowhere.
EXPECTED_CONSOLE = (
    "status of 404",
    "status of 422",
    "Status Error Code 404",
    "ERR_INTERNET_DISCONNECTED",
    "htmx:sendError",
    "htmx:afterRequest",
)


@dataclass
class Product:
    """A product as ``make run`` starts it, before anybody set it up."""

    url: str
    setup_path: str
    simulator_origin: str
    workspace: Workspace

    def sign_in(self, page: Page, email: str = "ada@example.com", role: Role = Role.OWNER) -> User:
        """Give the page's browser a session of a member with ``role``, made here if they are new."""
        member, client = User.objects.filter(email=email).first(), Client()
        member = member or make_member(self.workspace, email, role)
        client.force_login(member)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.url}])
        return member


@pytest.fixture(scope="session", autouse=True)
def orm_beside_playwright() -> Iterator[None]:
    """Let the ORM be used although a loop runs. Set before all else, for making the database is a use, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable)
        yield running
        running.close()
        # Beside a running loop the main thread has connections of its own, which nobody else would close.
        connections.close_all()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh session in Kathmandu; anything that a page logs as an error, such as a breach of the CSP, fails."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        timezone_id="Asia/Kathmandu",
        permissions=["clipboard-read", "clipboard-write"],
    )
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(expected in message.text for expected in EXPECTED_CONSOLE):
            errors.append(message.text)

    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def product(transactional_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    outbox = tmp_path_factory.mktemp("product") / "outbox"
    with (
        Running() as simulator,
        override_settings(
            OUTBOX_DIR=outbox, ALLOWED_ORIGINS=frozenset([simulator.origin]), SIMULATOR_ORIGIN=simulator.origin
        ),
    ):
        sync_catalog()
        workspace = ensure_workspace()
        link = setup_link() or ""
        with running_gateway() as url, celery_worker(), shipping(outbox):
            yield Product(url, "/" + link.split("/", 3)[3], simulator.origin, workspace)


@contextmanager
def celery_worker() -> Iterator[None]:
    """Run a worker in a thread; it takes what the pages queue from the broker."""
    with start_worker(celery_app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
        yield


@contextmanager
def shipping(folder: Path) -> Iterator[None]:
    """Ship the outbox a few times a second, as ship_usage does."""
    stop, outbox = threading.Event(), OutboxReader(folder)

    def run() -> None:
        while not stop.wait(0.1):
            ship(outbox)
        connection.close()

    thread = threading.Thread(target=run, name="ship_usage")
    thread.start()
    yield
    stop.set()
    thread.join()
