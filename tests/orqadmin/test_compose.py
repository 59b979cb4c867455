"""docker-compose.yml: well-formed, and its commands and health checks work against a real PostgreSQL and Redis."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from orqadmin.processes import spawn, stop
from tests.orqadmin.ports import free_ports

REPO = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("web", "gateway", "ship_usage", "worker", "beat")
NEEDED = {"POSTGRES_PASSWORD": "word", "SECRET_KEY": "key", "ORQADMIN_MASTER_KEYS": "id:key"}


def has_compose_client() -> bool:
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_compose_client(), reason="docker compose is not installed")
def test_compose_accepts_the_file():
    done = subprocess.run(["docker", "compose", "config", "--quiet"], cwd=REPO, env={**os.environ, **NEEDED})

    assert done.returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_for_services_that_exist(name):
    awaited = SERVICES[name].get("depends_on", {})

    assert set(awaited) <= set(SERVICES)
    for other, terms in awaited.items():
        assert terms["condition"] == "service_completed_successfully" or "healthcheck" in SERVICES[other]


def test_secrets_have_no_default():
    text = (REPO / "docker-compose.yml").read_text()

    assert re.findall(r"\$\{(?:POSTGRES_PASSWORD|SECRET_KEY|ORQADMIN_MASTER_KEYS)(?!:\?)", text) == []


def test_gateway_and_shipper_share_the_outbox():
    assert SERVICES["gateway"]["volumes"] == SERVICES["ship_usage"]["volumes"] == ["outbox:/data"]


def test_streams_may_end_before_a_container_is_killed():
    for name in ("web", "gateway"):
        drain_s = int(re.search(r"--timeout-graceful-shutdown (\d+)", SERVICES[name]["command"]).group(1))
        assert str(drain_s) == SERVICES[name]["environment"]["DRAIN_S"]
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) == drain_s + 5


@pytest.fixture
def own_database() -> Iterator[str]:
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE composed")
        yield server.rpartition("/")[0] + "/composed"
        connection.execute("DROP DATABASE composed WITH (FORCE)")


@pytest.fixture
def surroundings(own_database, tmp_path) -> dict[str, str]:
    """The environment of a container of ours, on this machine's services."""
    given = {name: "" if "${" in value else value for name, value in SERVICES["web"]["environment"].items()}
    own = {
        "DATABASE_URL": own_database,
        "REDIS_URL": os.environ["REDIS_URL"],
        "SECRET_KEY": "a key for this test",
        "ORQADMIN_MASTER_KEYS": "first:" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "ORQADMIN_PUBLIC_URL": "http://127.0.0.1:8000",
        "ORQADMIN_DATA_DIR": str(tmp_path / "data"),
        "HOSTNAME": os.uname().nodename,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return {**given, **own}


def on_port(command: str, port: int) -> str:
    return re.sub(r"(--port |127\.0\.0\.1:)8000", rf"\g<1>{port}", command.replace("$$", "$"))


@pytest.mark.slow
def test_commands_and_health_checks_work(surroundings, tmp_path):
    ports = dict(zip(("web", "gateway"), free_ports(2), strict=True))
    environment = {**os.environ, **surroundings}
    prepared = subprocess.run(shlex.split(SERVICES["prepare"]["command"]), cwd=REPO, env=environment)
    assert prepared.returncode == 0

    running = {}
    for name in OURS:
        command = shlex.split(on_port(SERVICES[name]["command"], ports.get(name, 0)))
        command = [part.replace("/tmp/", f"{tmp_path}/") for part in command]
        program = shutil.which(command[0], path=environment["PATH"])
        env = {**surroundings, **{n: v for n, v in SERVICES[name]["environment"].items() if n == "REMAP_SIGTERM"}}
        running[name] = spawn([program, *command[1:]], log=tmp_path / f"{name}.log", env=env, cwd=REPO)
    try:
        for name in OURS:
            if check := SERVICES[name].get("healthcheck"):
                wait_until_healthy(
                    on_port(check["test"], ports.get(name, 0)).replace("/tmp", str(tmp_path)), environment
                )
        ended = {name: (tmp_path / f"{name}.log").read_text() for name in OURS if running[name].poll() is not None}
        assert ended == {}
    finally:
        for process in running.values():
            stop(process, signal.SIGTERM, timeout_s=15)


def wait_until_healthy(test: str, environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(test, shell=True, cwd=REPO, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, f"{test}: {done.stdout}{done.stderr}"
        time.sleep(0.5)
