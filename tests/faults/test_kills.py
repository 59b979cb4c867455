"""kill -9 of each process under load: afterwards the ledger has each attempt the provider saw, once."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import httpx
import psycopg
import pytest

from orqadmin import embedded
from tests.orqadmin.test_supervisor_up import REPO, Up
from tests.stub import Stub, counts_of

REQUESTS = 2_000
AT_ONCE = 16
BODY = {"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
# Words in the command line of the process that is killed.
VICTIMS = {
    "gateway": "uvicorn orqadmin.asgi",
    "ship_usage": "ship_usage",
    "worker": "orqadmin worker",
    "redis": "redis-server",
    "postgres": "postgres",
}

pytestmark = pytest.mark.faults
T = TypeVar("T")


@dataclass
class Product:
    """The whole product running on its own data directory, connected to a stub provider."""

    up: Up
    stub: Stub
    url: str
    token: str

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(embedded.postgres_url(self.up.data_dir), connect_timeout=5) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def is_connected(self) -> bool | None:
        """Whether the gateway knows both keys by now; it hears of them within a second."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx.get(f"{self.url}/v3/router/models", headers=headers, trust_env=False)
        return bool(answer.is_success and answer.json()["data"]) or None

    def kill(self, words: str) -> None:
        pid = wait_for(lambda: self.up.pid_of(words))
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def product() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="oq", dir="/tmp") as directory, Stub() as stub:
        data_dir = Path(directory)
        up = Up(data_dir, ORQADMIN_ALLOWED_ORIGINS=stub.origin, ORQADMIN_SIMULATOR_PORT="0")
        try:
            up.wait_until_open()
            url = f"http://127.0.0.1:{up.port}"
            yield Product(up, stub, url, connect(up, url, stub))
        finally:
            up.end(signal.SIGTERM)


def connect(up: Up, url: str, stub: Stub) -> str:
    """Store a provider key and make a gateway key over the REST API; return the gateway key."""
    command = [sys.executable, "manage.py", "create_management_key", "faults"]
    env = {**os.environ, "ORQADMIN_DATA_DIR": str(up.data_dir)}
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        env.pop(name, None)
    management = subprocess.run(command, cwd=REPO, env=env, check=True, capture_output=True, text=True).stdout.strip()
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {management}"}, trust_env=False) as client:
        secret = {"api_key": "sk-ant-api03-only-for-tests-0123456789"}
        key = {"provider": "anthropic", "name": "Stub", "credentials": secret, "base_url": stub.origin}
        client.post("/api/v1/provider-keys", json=key).raise_for_status()
        return str(client.post("/api/v1/api-keys", json={"name": "load"}).raise_for_status().json()["key"])


async def send_load(product: Product, *, halfway: Callable[[], None]) -> None:
    """Send REQUESTS, whole answers and streams by turns, each with a name of its own; ``halfway`` acts in between."""
    numbers = iter(range(REQUESTS))
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(_client(product, session, numbers, halfway) for _ in range(AT_ONCE)))


async def _client(
    product: Product, session: aiohttp.ClientSession, numbers: Iterator[int], halfway: Callable[[], None]
) -> None:
    for number in numbers:
        if number == REQUESTS // 2:
            await asyncio.to_thread(halfway)
        headers = {
            "authorization": f"Bearer {product.token}",
            "x-orq-identity-id": f"request-{number}",
            "x-load-number": f"request-{number}",
        }
        try:
            async with session.post(
                product.url + "/v3/anthropic/v1/messages", json={**BODY, "stream": number % 2 == 0}, headers=headers
            ) as response:
                await response.read()
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)


def wait_for(look: Callable[[], T | None], *, timeout_s: float = 60) -> T:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = look()
        except psycopg.OperationalError:
            found = None
        if found is not None:
            return found
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.parametrize("victim", VICTIMS)
def test_ledger_has_each_attempt_once(product: Product, victim: str) -> None:
    wait_for(lambda: product.query("SELECT 1 FROM keys_testcall WHERE state = 'done'") or None)
    wait_for(product.is_connected)

    asyncio.run(send_load(product, halfway=lambda: product.kill(VICTIMS[victim])))

    seen = {
        request.headers["x-load-number"]: request.attempt_id
        for request in product.stub.requests
        if "x-load-number" in request.headers
    }
    rows = wait_for(lambda: _settled_rows(product, at_least=len(seen)))
    counted = Counter(row[0] for row in rows)
    assert [name for name in seen if counted[name] != 1] == []
    for name, certainty, upstream_id, *counts in rows:
        if certainty == "exact":
            assert upstream_id == seen[name]
            assert counts == list(counts_of(seen[name]).values())
    unsettled = [row for row in rows if row[1] != "exact"]
    assert len(unsettled) <= AT_ONCE
    assert len(seen) > REQUESTS * 0.9
    _assert_sums_agree(product)


def _settled_rows(product: Product, *, at_least: int) -> list[tuple[Any, ...]] | None:
    rows = product.query(
        "SELECT identity, certainty, upstream_request_id, uncached_input_tokens, cache_read_input_tokens, "
        "cache_write_5m_input_tokens, cache_write_1h_input_tokens, output_tokens, state FROM usage_attempt"
    )
    is_whole = len(rows) >= at_least and all(row[-1] == "settled" for row in rows)
    return [row[:-1] for row in rows] if is_whole else None


def _assert_sums_agree(product: Product) -> None:
    """The 15-minute tier, and once the worker has been by the daily tier, hold what the ledger holds."""
    sums = "sum({0}), coalesce(sum(uncached_input_tokens), 0), coalesce(sum(output_tokens), 0) FROM"
    [ledger] = product.query(f"SELECT {sums.format('1')} usage_attempt")
    assert product.query(f"SELECT {sums.format('attempts')} usage_rollup") == [ledger]
    wait_for(
        lambda: product.query("SELECT 1 FROM usage_daystate HAVING count(*) > 0 AND count(stale_since) = 0") or None
    )
    assert product.query(f"SELECT {sums.format('attempts')} usage_day") == [ledger]
