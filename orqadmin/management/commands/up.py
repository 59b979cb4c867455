"""Serve the whole product from this machine until Ctrl-C."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from keys.models import ProviderKey
from orqadmin import embedded
from orqadmin.preparation import prepare
from orqadmin.processes import StartError
from orqadmin.supervisor import (
    Service,
    Supervisor,
    SupervisorError,
    bind,
    is_ready,
    keep_logs_small,
    only_one,
    server_arguments,
    spawn_python,
)
from teams.services import setup_link

# What is fed stops before what it feeds.
STOP_WAVES = (("demo", "web", "worker", "beat"), ("ship_usage", "simulator"), ("redis", "postgres"))
SIMULATED = "simulated"
MANAGE = str(settings.BASE_DIR / "manage.py")


class Command(BaseCommand):
    help = "Serve everything from this machine: database, queue, web, gateway, workers."
    # The database may not run yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="send simulated traffic through the gateway")

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        os.umask(0o077)
        try:
            with only_one(settings.DATA_DIR):
                self._serve(demo=demo)
        except StartError as error:
            sys.exit(str(error))

    def _serve(self, *, demo: bool) -> None:
        log_dir = settings.DATA_DIR / "log"
        log_dir.mkdir(exist_ok=True)
        keep_logs_small(log_dir)
        supervisor = Supervisor(log_dir, self._say)
        with bind(settings.HOST, settings.PORT) as listener, supervisor.signals():
            try:
                with supervisor.interruptible():
                    start_stores(supervisor, log_dir)
                    prepare(self._say)
                    start_server(supervisor, listener, log_dir)
                for service in background_services(log_dir, self._say):
                    if demo or service.name != "demo":
                        supervisor.keep(service)
                self._say(welcome())
                supervisor.run()
            except KeyboardInterrupt:
                pass
            finally:
                # Nobody is left to take the connections that would queue here.
                listener.close()
                connection.close()
                supervisor.stop(STOP_WAVES, drain_s=settings.DRAIN_S)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def start_stores(supervisor: Supervisor, log_dir: Path) -> None:
    """Start the database and Redis that the environment does not name, and wait until they answer."""
    if not os.environ.get("DATABASE_URL"):
        start_postgres = partial(embedded.start_postgres, settings.DATA_DIR, log_dir / "postgres.log")
        process = supervisor.start(Service("postgres", start_postgres, embedded.POSTGRES_STOP_SIGNAL))
        embedded.wait_for_postgres(settings.DATA_DIR, process)
    if not os.environ.get("REDIS_URL"):
        start_redis = partial(embedded.start_redis, settings.DATA_DIR, log_dir / "redis.log")
        process = supervisor.start(Service("redis", start_redis, embedded.REDIS_STOP_SIGNAL))
        embedded.wait_for_redis(settings.DATA_DIR, process)
    else:
        check_redis()


def check_redis() -> None:
    """Raise SupervisorError unless the Redis of REDIS_URL answers."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise SupervisorError(f"Cannot reach the Redis of REDIS_URL: {error}") from None


def start_server(supervisor: Supervisor, listener: socket.socket, log_dir: Path) -> None:
    """Start web and gateway and wait until they serve; raise SupervisorError if they end instead."""
    arguments = server_arguments(listener, "orqadmin.asgi:app", drain_s=settings.DRAIN_S)
    log = log_dir / "web.log"
    start = partial(spawn_python, arguments, log, pass_fds=[listener.fileno()])
    process = supervisor.start(Service("web", start))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104  # compared, not bound
    while not is_ready(host, settings.PORT):
        if process.poll() is not None:
            raise SupervisorError(f"The server ended while starting: see {shown_path(log)}.")
        supervisor.sleep(0.1)


def background_services(log_dir: Path, say: Callable[[str], None]) -> list[Service]:
    """Return what works beside the server, each its own process; ``say`` tells what keeps one from starting."""
    celery = ["-m", "celery", "-A", "orqadmin"]
    worker = [*celery, "worker", "--pool", "threads", "-c", "4", "--without-gossip", "--without-mingle", "-l", "INFO"]
    beat = [*celery, "beat", "--pidfile=", "-s", str(settings.DATA_DIR / "beat.schedule"), "-l", "INFO"]

    def start(name: str, arguments: list[str], **env: str) -> Callable[[], subprocess.Popen[bytes]]:
        return partial(spawn_python, arguments, log_dir / f"{name}.log", env=env)

    wants_simulator = partial(simulator_is_wanted, Once(say))
    return [
        Service("ship_usage", start("ship_usage", [MANAGE, "ship_usage"])),
        # A worker that is asked to stop hands its tasks back instead of finishing them.
        Service("worker", start("worker", worker, REMAP_SIGTERM="SIGQUIT")),
        Service("beat", start("beat", beat)),
        Service("simulator", start("simulator", [MANAGE, "simulate_provider"]), is_wanted=wants_simulator),
        Service("demo", start("demo", [MANAGE, "demo_traffic"])),
    ]


class Once:
    """Says a line, and not again."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said = say, set[str]()

    def __call__(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


def simulator_is_wanted(say: Callable[[str], None]) -> bool:
    """Whether a workspace has connected the simulated provider, and its port is free; ``say`` tells if it is not."""
    try:
        is_connected = ProviderKey.objects.filter(provider=SIMULATED).exists()
    except DatabaseError:
        connection.close()  # the next question opens a new one
        return False
    if not is_connected:
        return False
    try:
        socket.create_server(("127.0.0.1", settings.SIMULATOR_PORT)).close()
    except OSError:
        say(f"Port {settings.SIMULATOR_PORT} is taken; set ORQADMIN_SIMULATOR_PORT. Simulated Anthropic waits for it.")
        return False
    return True


def welcome() -> str:
    """Return the line that tells where to go on."""
    link = setup_link()
    place = f"{link} (valid once)" if link else f"{settings.PUBLIC_URL}/ to sign in"
    return f"Open {place}. Data: {shown_path(settings.DATA_DIR)}/. Stop: Ctrl-C."


def shown_path(path: Path) -> str:
    """Return ``path`` as one would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
