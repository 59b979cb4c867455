"""What must be true before the product serves: tables, catalog, the first workspace, static files."""

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from catalog.services import sync_catalog
from orqadmin.processes import StartError
from teams.services import ensure_admin, ensure_workspace

OLDEST_POSTGRES = 150_000


class PreparationError(StartError):
    """The product's data cannot be made ready."""


def prepare(say: Callable[[str], None]) -> None:
    """Bring the database and the static files up to this release; what is so already costs next to nothing.

    Raises PreparationError with one line on what to change.
    """
    check_database()
    if bool(settings.ADMIN_EMAIL) != bool(settings.ADMIN_PASSWORD):
        raise PreparationError("Set both ORQADMIN_ADMIN_EMAIL and ORQADMIN_ADMIN_PASSWORD, or neither.")
    if _has_waiting_migrations():
        say("Setting up the database…")
        call_command("migrate", interactive=False, verbosity=0)
    sync_catalog()
    ensure_workspace()
    if settings.ADMIN_EMAIL:
        ensure_admin(settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD)
    collect_static()


def check_database() -> None:
    """Raise PreparationError unless a PostgreSQL we can use answers."""
    if connection.vendor != "postgresql":
        raise PreparationError("DATABASE_URL must name a PostgreSQL: postgresql://user:password@host:5432/name.")
    # Short, for a person waits; psycopg's own default is two minutes.
    connection.settings_dict["OPTIONS"].setdefault("connect_timeout", 5)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            version_number = int(cursor.fetchone()[0])
    except DatabaseError as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise PreparationError(f"Cannot reach the database of DATABASE_URL: {reason[0]}") from None
    if version_number < OLDEST_POSTGRES:
        raise PreparationError("DATABASE_URL names a PostgreSQL that is too old: 15 or newer is needed.")


def collect_static() -> None:
    """Gather the static files, compressed and named by content, if any changed since the last time."""
    mark = settings.STATIC_ROOT / "collected"
    fingerprint = _static_fingerprint()
    if mark.exists() and mark.read_text() == fingerprint:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    mark.write_text(fingerprint)


def _has_waiting_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _static_fingerprint() -> str:
    """Return a digest of every static file's name, size and time, and of the release of what compresses them."""
    digest = hashlib.sha256(version("servestatic").encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: found[0]):
            facts = Path(storage.path(name)).stat()
            digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
