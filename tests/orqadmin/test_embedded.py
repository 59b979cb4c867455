"""The embedded services: where they are, and who may reach them."""

import os
import shutil
import stat
from pathlib import Path

import dj_database_url
import psycopg
import pytest
import redis

from orqadmin import embedded
from orqadmin.processes import stop


def test_services_answer_at_their_urls():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("orqadmin",)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()


def test_postgres_refuses_a_wrong_password():
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(os.environ["DATABASE_URL"], password="wrong")


def test_socket_directory_is_private():
    mode = embedded.socket_dir(Path(os.environ["ORQADMIN_DATA_DIR"])).stat().st_mode

    assert stat.S_IMODE(mode) == 0o700


def test_django_reads_the_socket_directory_from_the_url(tmp_path):
    data_dir = tmp_path / "Data % Dir"

    parsed = dj_database_url.parse(embedded.postgres_url(data_dir))

    assert parsed["HOST"] == str(embedded.socket_dir(data_dir))
    assert parsed["PASSWORD"] == (data_dir / "postgres.password").read_text()


def test_password_is_kept_and_readable_by_its_owner_only(tmp_path):
    assert embedded.postgres_url(tmp_path) == embedded.postgres_url(tmp_path)
    assert stat.S_IMODE((tmp_path / "postgres.password").stat().st_mode) == 0o600


def test_socket_path_of_a_deep_data_directory_stays_short(tmp_path):
    deep = tmp_path / "/".join(["a-rather-long-folder-name"] * 6)

    assert len(str(embedded.socket_dir(deep) / ".s.PGSQL.5432.lock")) < 107
    assert embedded.socket_dir(deep) != embedded.socket_dir(deep / "other")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("unix:///run/r.sock?db=2", "redis+socket:///run/r.sock?virtual_host=2"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
        ("redis://user:word@host:6379/1", "redis://user:word@host:6379/1"),
        ("rediss://host:6379/0", "rediss://host:6379/0?ssl_cert_reqs=required"),
    ],
)
def test_broker_url(given, expected):
    assert embedded.celery_broker_url(given) == expected


def test_another_users_socket_directory_is_refused(tmp_path, monkeypatch):
    taken = tmp_path / "run"
    taken.symlink_to(tmp_path)

    with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"):
        embedded.start_redis(tmp_path, tmp_path / "redis.log")


def test_musl_is_named(monkeypatch):
    def unknown(name: str) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown)

    with pytest.raises(
        embedded.EmbeddedError, match="needs glibc, this system has musl: set DATABASE_URL and REDIS_URL"
    ):
        embedded.require_glibc()


def test_cluster_of_another_major_version_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")

    with pytest.raises(embedded.EmbeddedError, match="holds PostgreSQL 17 data, this release runs 18"):
        embedded.start_postgres(tmp_path, tmp_path / "postgres.log")
    assert [entry.name for entry in (tmp_path / "postgres").iterdir()] == ["PG_VERSION"]


def test_number_of_a_dead_server_that_another_process_has_is_no_obstacle(short_dir):
    first = embedded.start_postgres(short_dir, short_dir / "postgres.log")
    embedded.wait_for_postgres(short_dir, first)
    lines = (short_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    stop(first, embedded.POSTGRES_STOP_SIGNAL, timeout_s=10)
    (short_dir / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    second = embedded.start_postgres(short_dir, short_dir / "postgres.log")
    embedded.wait_for_postgres(short_dir, second)

    stop(second, embedded.POSTGRES_STOP_SIGNAL, timeout_s=10)
    assert second.returncode == 0


def test_interrupted_first_start_is_made_good(short_dir):
    (short_dir / "postgres.new").mkdir()
    (short_dir / "postgres.new" / "half").touch()

    process = embedded.start_postgres(short_dir, short_dir / "postgres.log")
    embedded.wait_for_postgres(short_dir, process)

    stop(process, embedded.POSTGRES_STOP_SIGNAL, timeout_s=10)
    assert not (short_dir / "postgres.new").exists()


@pytest.mark.parametrize("program", ["redis-server", None])
def test_redis_serves_with_and_without_one_on_the_path(short_dir, monkeypatch, program):
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    monkeypatch.setattr(shutil, "which", lambda name: program and f"/usr/bin/{name}")

    process = embedded.start_redis(short_dir, short_dir / "redis.log")
    embedded.wait_for_redis(short_dir, process)

    command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    stop(process, embedded.REDIS_STOP_SIGNAL, timeout_s=10)
    assert command.startswith(b"redis-server")
