"""Copies of the database in PostgreSQL's own archive format, made and read back by its own programs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from orqadmin import embedded
from orqadmin.processes import StartError, stop
from orqadmin.supervisor import AlreadyRunning, only_one

# One transaction around all: a backup that cannot be read leaves the database as it was.
BEFORE = b"BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
AFTER = b"COMMIT;\n"


class BackupError(StartError):
    """A backup could not be made or read."""


def default_path() -> Path:
    """Return a new file's path in the data directory, named by the time in UTC."""
    return Path(settings.DATA_DIR) / "backups" / f"orqadmin-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump"


def back_up(path: Path) -> None:
    """Write the whole database to ``path``, readable by its owner only; the product may serve meanwhile.

    Raises BackupError if it cannot be done; an unfinished file does not keep the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(path.name + ".partial")
    unfinished.touch(mode=0o600)
    with _database(may_be_served=True):
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}", _conninfo())
    unfinished.rename(path)


def restore(path: Path) -> None:
    """Replace everything in the database by what ``path`` holds, in one transaction.

    Raises BackupError if the file is no backup, if anything else uses the database, or if the restore fails.
    """
    _run("pg_restore", "--list", str(path))
    with _database(may_be_served=False):
        _refuse_if_used()
        _replay(path)


def _replay(path: Path) -> None:
    """Pipe the backup's statements into psql, and commit them only if pg_restore came to its end."""
    read = [_program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(path)]
    write = [_program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", _conninfo()]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(read, stdout=subprocess.PIPE, stderr=errors) as reader,  # noqa: S603
        subprocess.Popen(write, stdin=subprocess.PIPE, stderr=errors, env=_environment()) as writer,  # noqa: S603
    ):
        assert reader.stdout is not None
        assert writer.stdin is not None
        try:
            writer.stdin.write(BEFORE)
            shutil.copyfileobj(reader.stdout, writer.stdin)
            if reader.wait() == 0:
                writer.stdin.write(AFTER)
            writer.stdin.close()
        except BrokenPipeError:
            # psql gave up: pg_restore need not go on, and what it wrote is not wanted.
            reader.stdout.close()
            with suppress(BrokenPipeError):
                writer.stdin.close()
        if writer.wait() or reader.wait():
            errors.seek(0)
            raise BackupError(f"Nothing was changed: {_reason(errors.read().decode(errors='replace'))}")


@contextmanager
def _database(*, may_be_served: bool) -> Iterator[None]:
    """Have the database answer while the block runs: the embedded one is started unless the product runs."""
    if os.environ.get("DATABASE_URL"):
        yield
        return
    try:
        with only_one(settings.DATA_DIR), _embedded_postgres():
            yield
    except AlreadyRunning:
        if not may_be_served:
            raise
        yield


@contextmanager
def _embedded_postgres() -> Iterator[None]:
    log = Path(settings.DATA_DIR) / "log" / "postgres.log"
    log.parent.mkdir(exist_ok=True)
    process = embedded.start_postgres(settings.DATA_DIR, log)
    try:
        embedded.wait_for_postgres(settings.DATA_DIR, process)
        yield
    finally:
        connection.close()
        stop(process, embedded.POSTGRES_STOP_SIGNAL, timeout_s=30)


def _refuse_if_used() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        others = cursor.fetchone()[0]
    connection.close()
    if others:
        raise BackupError(
            f"{others} other connections use the database: stop web, gateway, workers and shippers first."
        )


def _run(program: str, *arguments: str) -> None:
    result = subprocess.run(  # noqa: S603  # PostgreSQL's own programs
        [_program(program), *arguments], env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BackupError(_reason(result.stderr))


def _program(name: str) -> str:
    """Return the program of the wheel, which is as new as the servers we know, else the PATH's."""
    try:
        return str(embedded.postgres_bin_dir() / name)
    except embedded.EmbeddedError:
        found = shutil.which(name)
    if found is None:
        raise BackupError(f"There is no {name}: install PostgreSQL's client programs.")
    return found


def _conninfo() -> str:
    """Return how to connect, without the password: it would stand in the process list."""
    parameters = connection.get_connection_params()
    known = ("dbname", "host", "port", "user", "sslmode", "sslrootcert", "sslcert", "sslkey")
    return make_conninfo(**{name: parameters[name] for name in known if parameters.get(name)})


def _environment() -> dict[str, str]:
    password = connection.settings_dict["PASSWORD"]
    return {**os.environ, "PGPASSWORD": password} if password else dict(os.environ)


def _reason(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    return lines[0] if lines else "no reason given"
