"""``backup`` and ``restore``: what was saved comes back, and a failed restore changes nothing."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

REPO = Path(__file__).resolve().parents[2]


def manage(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if env.get(name) != ""}
    return subprocess.run(command, cwd=REPO, env={**kept, **env}, capture_output=True, text=True, timeout=120)


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database of its own."""
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE round_trip")
        yield server.rpartition("/")[0] + "/round_trip"
        connection.execute("DROP DATABASE round_trip WITH (FORCE)")


def run_sql(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in rows]


def test_restore_brings_back_what_was_saved_and_nothing_else(database, tmp_path):
    run_sql(database, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    saved = manage("backup", tmp_path / "one.dump", DATABASE_URL=database)
    run_sql(database, "DELETE FROM kept; CREATE TABLE later ()")

    restored = manage("restore", tmp_path / "one.dump", "--yes", DATABASE_URL=database)

    assert (saved.returncode, restored.returncode) == (0, 0), saved.stderr + restored.stderr
    assert tables(database) == ["kept"]
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT sum(number) FROM kept").fetchone() == (500_500,)


def test_backup_is_private_and_names_the_master_keys(database, tmp_path):
    saved = manage("backup", tmp_path / "one.dump", DATABASE_URL=database, ORQADMIN_DATA_DIR=str(tmp_path / "data"))

    assert stat.S_IMODE((tmp_path / "one.dump").stat().st_mode) == 0o600
    assert f"Keep {tmp_path}/data/master.keys too" in saved.stdout


def test_file_that_is_no_backup_changes_nothing(database, tmp_path):
    run_sql(database, "CREATE TABLE kept ()")
    (tmp_path / "letter").write_text("Dear reader")

    refused = manage("restore", tmp_path / "letter", "--yes", DATABASE_URL=database)

    assert refused.returncode == 1
    assert "not appear to be a valid archive" in refused.stderr
    assert tables(database) == ["kept"]


def test_cut_off_backup_changes_nothing(database, tmp_path):
    run_sql(database, "CREATE TABLE kept AS SELECT generate_series(1, 100000) AS number")
    manage("backup", tmp_path / "one.dump", DATABASE_URL=database)
    whole = (tmp_path / "one.dump").read_bytes()
    (tmp_path / "one.dump").write_bytes(whole[: len(whole) // 2])
    run_sql(database, "CREATE TABLE later ()")

    refused = manage("restore", tmp_path / "one.dump", "--yes", DATABASE_URL=database)

    assert refused.returncode == 1
    assert tables(database) == ["kept", "later"]


def test_database_that_refuses_the_restore_is_named(database, tmp_path):
    run_sql(database, "CREATE TABLE kept AS SELECT generate_series(1, 100000) AS number")
    manage("backup", tmp_path / "one.dump", DATABASE_URL=database)
    run_sql(database, "ALTER DATABASE round_trip SET default_transaction_read_only = on")

    refused = manage("restore", tmp_path / "one.dump", "--yes", DATABASE_URL=database)

    assert refused.returncode == 1
    assert refused.stderr.startswith("Nothing was changed: ")
    assert "read-only transaction" in refused.stderr
    assert tables(database) == ["kept"]


def test_restore_refuses_while_the_database_is_used(database, tmp_path):
    manage("backup", tmp_path / "one.dump", DATABASE_URL=database)

    with psycopg.connect(database):
        refused = manage("restore", tmp_path / "one.dump", "--yes", DATABASE_URL=database)

    assert refused.returncode == 1
    assert "1 other connections use the database" in refused.stderr


def test_unanswered_restore_changes_nothing(database, tmp_path):
    refused = subprocess.run(
        [sys.executable, "manage.py", "restore", str(tmp_path / "any")],
        cwd=REPO,
        env={**os.environ, "DATABASE_URL": database},
        input="no\n",
        capture_output=True,
        text=True,
    )

    assert refused.returncode == 1
    assert "Nothing was changed." in refused.stderr


def test_embedded_database_is_saved_while_the_product_rests(short_dir):
    away = {"DATABASE_URL": "", "ORQADMIN_DATA_DIR": str(short_dir / "data")}

    saved = manage("backup", **away)
    restored = manage("restore", *(short_dir / "data/backups").glob("*.dump"), "--yes", **away)

    assert (saved.returncode, restored.returncode) == (0, 0), saved.stderr + restored.stderr
