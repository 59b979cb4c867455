"""Measure the gateway on one core beside a bare pass-through, which is 100 %.

    python -m bench.gateway [--rounds 5] [--seconds 4]

Each server is one uvicorn process (uvloop, httptools) on a core of its own where there are two; upstream and load
generator have the other. Rounds alternate between the servers; ratios are medians over the rounds. The gateway
authenticates and meters as in service: each attempt is written to the outbox twice. Shipping the outbox to
PostgreSQL is another process's work and not part of this.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from orqadmin.supervisor import bind, server_arguments
from tests.services import start_services

PROJECT_DIR = Path(__file__).resolve().parent.parent
NATIVE = "/v3/anthropic/v1/messages"
CHAT = "/v3/router/chat/completions"
REQUEST_BYTES = 2_000
CONNECTIONS = 32
READY_WITHIN_S = 30
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, OTHER_CORE = (_CORES[0], _CORES[1]) if len(_CORES) > 1 else (None, None)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A process that answers on ``port``."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used, all its threads together."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@dataclass(frozen=True)
class Case:
    """What is measured: one kind of request, and how much of the bare pass-through the gateway should carry."""

    name: str
    path: str
    model: str
    is_stream: bool
    aim: float


# The upstream streams Messages to each; to Bedrock's path in AWS's frames.
CASES = [
    Case("JSON", NATIVE, "claude-sonnet-4-6", is_stream=False, aim=0.80),
    Case("streams", NATIVE, "claude-sonnet-4-6", is_stream=True, aim=0.70),
    Case("streams, translated to chat", CHAT, "anthropic/claude-sonnet-4-6", is_stream=True, aim=0.60),
    Case("streams of Bedrock", NATIVE, "aws/anthropic/claude-sonnet-4-6", is_stream=True, aim=0.40),
]


@dataclass(frozen=True)
class Figures:
    """What one round of one server gave."""

    requests_per_s: float
    cpu_s_per_1000: float
    p50_ms: float
    p99_ms: float
    failures: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the gateway beside a bare pass-through.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    with ExitStack() as stack:
        upstream = stack.enter_context(running_upstream())
        token = prepare_gateway(f"http://127.0.0.1:{upstream.port}")
        environment = {"BENCH_UPSTREAM": f"http://127.0.0.1:{upstream.port}"}
        bare = stack.enter_context(running_application("pass-through", "bench.passthrough:app", environment))
        gateway = stack.enter_context(running_application("gateway", "router.app:app", {}))
        wait_until_served(gateway, token)
        describe()
        for case in CASES:
            compare(case, [bare, gateway], upstream, load_job(token, case), options.rounds, options.seconds)


def prepare_gateway(upstream_origin: str) -> str:
    """Start the stores, connect provider keys to the upstream and return a gateway key's text.

    The settings go through the environment, so that the gateway's own process finds the same stores.
    """
    os.environ["ORQADMIN_ALLOWED_ORIGINS"] = upstream_origin
    os.environ.setdefault("ORQADMIN_LOG_LEVEL", "WARNING")
    os.environ["DJANGO_SETTINGS_MODULE"] = "orqadmin.settings"
    start_services()

    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)

    # These are models and what needs them: importable once Django is set up.
    from catalog.services import sync_catalog
    from keys.services import create_provider_key
    from providers.aws_credentials import AccessKey
    from providers.secret import Secret
    from teams.services import create_gateway_key, ensure_workspace

    sync_catalog()
    workspace = ensure_workspace()
    create_provider_key(
        workspace,
        provider="anthropic",
        name="Benchmark",
        secret=Secret("sk-ant-api03-only-for-the-benchmark"),
        actor=None,
        base_url=upstream_origin,
    )
    access_key = AccessKey("AKIAONLYFORTHEBENCH1", Secret("only/for/the/benchmark/of/the/gateway/42"))
    create_provider_key(
        workspace,
        provider="aws",
        name="Benchmark",
        secret=Secret(access_key.to_text()),
        actor=None,
        base_url=upstream_origin,
        key_settings={"region": "us-east-1"},
    )
    token = create_gateway_key(workspace, name="benchmark", actor=None).token.text
    connection.close()
    return token


def request_body(case: Case) -> dict[str, Any]:
    """Return a message of REQUEST_BYTES as compact JSON; it means the same to both dialects."""
    body: dict[str, Any] = {"model": case.model, "max_tokens": 256, "stream": case.is_stream, "messages": []}
    message = {"role": "user", "content": ""}
    missing = REQUEST_BYTES - len(json.dumps({**body, "messages": [message]}, separators=(",", ":")))
    return {**body, "messages": [{**message, "content": ("some words " * REQUEST_BYTES)[:missing]}]}


def load_job(token: str, case: Case) -> dict[str, Any]:
    """Return a job for bench.load; the bare server and the upstream pass the key over."""
    headers = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}
    return {"path": case.path, "headers": headers, "body": request_body(case)}


def compare(
    case: Case, servers: Sequence[Server], upstream: Server, job: dict[str, Any], rounds: int, seconds: float
) -> None:
    """Measure the servers in turn and print one table."""
    for server in servers:
        measure(server, job, connections=CONNECTIONS, seconds=min(2, seconds))
    figures: dict[str, list[Figures]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            figures[server.name].append(measure(server, job, connections=CONNECTIONS, seconds=seconds))
    # Latency is compared with one request at a time: under full load it is only the queue.
    direct = measure(upstream, job, connections=1, seconds=seconds)
    alone = {server.name: measure(server, job, connections=1, seconds=seconds) for server in servers}
    print(f"\n{case.name}: {rounds} rounds of {seconds:g} s, {CONNECTIONS} connections")
    print(f"{'':14}{'requests/s':>12}{'CPU s/1,000':>13}{'added p50 ms':>14}{'added p99 ms':>14}{'failures':>10}")
    for server in servers:
        rows, single = figures[server.name], alone[server.name]
        print(
            f"{server.name:14}{median(row.requests_per_s for row in rows):12,.0f}"
            f"{median(row.cpu_s_per_1000 for row in rows):13.3f}{single.p50_ms - direct.p50_ms:14.2f}"
            f"{single.p99_ms - direct.p99_ms:14.2f}{sum(row.failures for row in rows):10}"
        )
    bare, ours = (figures[server.name] for server in servers)
    rate = median(b.requests_per_s / a.requests_per_s for a, b in zip(bare, ours, strict=True))
    cpu = median(a.cpu_s_per_1000 / b.cpu_s_per_1000 for a, b in zip(bare, ours, strict=True))
    print(f"The gateway carries {rate:.0%} of the bare requests/s (by CPU {cpu:.0%}); the aim is {case.aim:.0%}.")


def measure(server: Server, job: dict[str, Any], *, connections: int, seconds: float) -> Figures:
    """Load ``server`` for ``seconds`` and return the figures."""
    before = server.cpu_s()
    order = json.dumps({**job, "port": server.port, "connections": connections, "seconds": seconds})
    load = subprocess.Popen([sys.executable, "-m", "bench.load", order], cwd=PROJECT_DIR, stdout=subprocess.PIPE)
    pin(load, OTHER_CORE)
    got = json.loads(load.communicate()[0])
    used = server.cpu_s() - before
    return Figures(
        requests_per_s=got["requests"] / got["seconds"],
        cpu_s_per_1000=1_000 * used / got["requests"],
        p50_ms=got["p50_ms"],
        p99_ms=got["p99_ms"],
        failures=got["failures"],
    )


def pin(process: subprocess.Popen[bytes], core: int | None) -> None:
    """Bind a process that has just begun, and so has no threads yet, to ``core``."""
    if core is not None:
        os.sched_setaffinity(process.pid, {core})


@contextmanager
def running_upstream() -> Iterator[Server]:
    with bind("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    arguments = ["-m", "bench.stub", str(port)]
    with _running("upstream", arguments, port, core=OTHER_CORE, environment={}) as server:
        yield server


@contextmanager
def running_application(name: str, application: str, environment: dict[str, str]) -> Iterator[Server]:
    """Serve an ASGI application by one uvicorn on the servers' core."""
    with bind("127.0.0.1", 0) as listener:
        arguments = server_arguments(listener, application, drain_s=1)
        port = listener.getsockname()[1]
        with _running(
            name, arguments, port, core=SERVER_CORE, environment=environment, pass_fds=(listener.fileno(),)
        ) as server:
            yield server


@contextmanager
def _running(
    name: str,
    arguments: Sequence[str],
    port: int,
    *,
    core: int | None,
    environment: dict[str, str],
    pass_fds: Sequence[int] = (),
) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT_DIR,
        env={**os.environ, **environment},
        pass_fds=pass_fds,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pin(process, core)
    try:
        yield Server(name, port, process)
    finally:
        process.terminate()
        process.wait(10)


def wait_until_served(server: Server, token: str) -> None:
    """Wait until ``server`` answers a message; raise TimeoutError if it does not."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request("POST", CASES[0].path, json.dumps(request_body(CASES[0])), headers)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise TimeoutError(f"The {server.name} does not answer.")


def describe() -> None:
    """Print what the figures depend on."""
    cores = "one shared core" if SERVER_CORE is None else f"server on core {SERVER_CORE}, the rest on {OTHER_CORE}"
    print(f"Python {sys.version.split()[0]}, {cores}; {REQUEST_BYTES:,} bytes in, one process each.")


if __name__ == "__main__":
    main()
