"""A PostgreSQL and a Redis of this test run's own, unless the environment names some."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from orqadmin import embedded
from orqadmin.processes import stop

# What a crash destroys is thrown away anyway.
_UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_folder = Path(tempfile.mkdtemp(prefix="orqadmin-test-"))
_running: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []


def start_services() -> None:
    """Start the services that the environment does not name, and name them there; they stop when Python ends."""
    atexit.register(_stop_services)
    os.environ.setdefault("SECRET_KEY", "a key for tests only, of no use elsewhere")
    os.environ.setdefault("ORQADMIN_DATA_DIR", str(_folder))
    if "DATABASE_URL" not in os.environ:
        postgres = embedded.start_postgres(_folder, _folder / "postgres.log", options=_UNSAFE_BUT_FAST)
        _running.append((postgres, embedded.POSTGRES_STOP_SIGNAL))
        embedded.wait_for_postgres(_folder, postgres)
        os.environ["DATABASE_URL"] = embedded.postgres_url(_folder)
    if "REDIS_URL" not in os.environ:
        redis = embedded.start_redis(_folder, _folder / "redis.log")
        _running.append((redis, embedded.REDIS_STOP_SIGNAL))
        embedded.wait_for_redis(_folder, redis)
        os.environ["REDIS_URL"] = embedded.redis_url(_folder)


def _stop_services() -> None:
    while _running:
        process, stop_signal = _running.pop()
        stop(process, stop_signal, timeout_s=10)
    shutil.rmtree(_folder, ignore_errors=True)
