"""The demo's traffic: the shipped trace, the requests made from it, and the whole way through the gateway."""

import asyncio
import random
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.services import sync_catalog
from orqadmin.management.commands.demo_traffic import (
    GATEWAY_KEY_NAME,
    PROVIDER_KEY_NAME,
    Traffic,
    connect_simulator,
    make_demo_key,
)
from router.management.commands.ship_usage import ship
from router.shipping import OutboxReader
from simulator.tokens import count_json
from simulator.trace import ROWS, Arrival, make_trace, read_trace
from simulator.traffic import CHAT, MESSAGES, RESPONSES, DemoRequest, make_request
from teams.models import GatewayKey
from teams.services import ensure_workspace
from tests.router.conftest import running_gateway, wait_for
from tests.simulator.running import Running
from usage.models import Attempt

SHARED_TRACE = Path(__file__).resolve().parents[2] / "../shared/traces/azure_llm_2023_code.csv"


def requests_of(count: int) -> list[DemoRequest]:
    dice = random.Random(1)
    return [make_request(Arrival(0, 5_000, 20), dice) for _ in range(count)]


def test_the_shipped_trace_is_the_one_the_generator_makes() -> None:
    assert read_trace() == list(make_trace())


def test_the_trace_has_the_shape_of_a_real_one() -> None:
    if not SHARED_TRACE.exists():
        pytest.skip("the public trace is not on this machine")
    made, real = read_trace(), read_trace(SHARED_TRACE)

    for name in ("context_tokens", "generated_tokens"):
        ours, theirs = [statistics.median(getattr(row, name) for row in trace) for trace in (made, real)]
        assert 0.7 < ours / theirs < 1.4
    assert len(made) == ROWS


def test_every_endpoint_gets_requests() -> None:
    assert {request.path for request in requests_of(60)} == {CHAT, RESPONSES, MESSAGES}


def test_a_prompt_has_about_the_length_the_trace_wants() -> None:
    sizes = [count_json(request.body) for request in requests_of(60)]

    assert all(5_000 <= size < 5_400 for size in sizes)


def test_an_application_repeats_its_system_prompt() -> None:
    prompts = Counter(str(request.body["system"]) for request in requests_of(60) if "system" in request.body)

    assert len(prompts) == 1


def test_few_requests_fail_on_purpose() -> None:
    failing = [request for request in requests_of(400) if request.is_meant_to_fail]

    assert 0 < len(failing) < 40


@pytest.fixture
def running_simulator(settings: Any) -> Iterator[Running]:
    with Running() as server:
        settings.SIMULATOR_ORIGIN = server.origin
        yield server


@pytest.fixture
def outbox(settings: Any, tmp_path: Path) -> OutboxReader:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return OutboxReader(settings.OUTBOX_DIR)


@pytest.fixture
def catalog(transactional_db: None) -> None:
    sync_catalog()


@pytest.mark.usefixtures("catalog")
def test_traffic_arrives_in_the_ledger(outbox: OutboxReader, running_simulator: Running) -> None:
    workspace = ensure_workspace()
    connect_simulator(workspace)
    token = make_demo_key(workspace)
    with running_gateway() as url:
        traffic = Traffic(url, token, simulator=running_simulator.origin, speed=200.0, limit=80, say=print)
        asyncio.run(traffic.run())

        rows = wait_for(lambda: settled(outbox))

    assert traffic.outcomes.keys() == {"answered", "failed on purpose"}
    assert traffic.outcomes.total() == 80
    assert len(rows) <= 80
    assert {row.dialect for row in rows} == {"chat", "responses", "messages"}
    assert sum(row.cache_read_input_tokens or 0 for row in rows) > 0
    assert sum(row.cache_write_5m_input_tokens or 0 for row in rows) > 0
    assert sum(row.cache_write_1h_input_tokens or 0 for row in rows) > 0


def settled(outbox: OutboxReader) -> list[Attempt] | None:
    ship(outbox)
    rows = list(Attempt.objects.all())
    return rows if rows and all(row.state == "settled" for row in rows) else None


@pytest.mark.usefixtures("db")
def test_connecting_and_making_a_key_again_leaves_one_of_each() -> None:
    workspace = ensure_workspace()

    for _ in range(2):
        connect_simulator(workspace)
        make_demo_key(workspace)

    assert [key.name for key in workspace.provider_keys.all()] == [PROVIDER_KEY_NAME]
    assert GatewayKey.objects.usable().filter(name=GATEWAY_KEY_NAME).count() == 1
