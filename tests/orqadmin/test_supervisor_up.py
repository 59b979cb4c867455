"""``manage.py up`` as a whole, on a data directory and a port of its own."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orqadmin.ports import free_port

REPO = Path(__file__).resolve().parents[2]
MEANT = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")
CHILDREN = ("postgres", "redis-server", "uvicorn orqadmin.asgi", "ship_usage", "orqadmin worker", "orqadmin beat")


class Up:
    """A running ``up``: its process, what it printed, and all processes on its data directory."""

    def __init__(self, data_dir: Path, **env: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if name not in MEANT}
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=REPO,
            env={**kept, "ORQADMIN_DATA_DIR": str(data_dir), "PORT": str(self.port), "DRAIN_S": "3", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed: list[str] = []

    def wait_until_open(self) -> str:
        """Return the line that says where to go on."""
        for line in self.process.stdout:
            self.printed.append(line)
            if line.startswith("Open "):
                return line
        raise AssertionError("".join(self.printed))

    def end(self, number: signal.Signals) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def pid_of(self, words: str) -> int | None:
        """Return the number of the child of ``up`` with these words in its command line."""
        for pid, command in processes_on(self.data_dir).items():
            if words in command and parent_of(pid) == self.process.pid:
                return pid
        return None


def processes_on(data_dir: Path) -> dict[int, str]:
    """Return the command lines of the processes that name the directory in their command or environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(data_dir) in command + (entry / "environ").read_bytes():
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def wait_until_gone(data_dir: Path, timeout_s: float = 15) -> dict[int, str]:
    """Return the processes that are still there when the time is over."""
    deadline = time.monotonic() + timeout_s
    while (left := processes_on(data_dir)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    # Short, so that the sockets lie inside.
    with tempfile.TemporaryDirectory(prefix="orqadmin-up-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def first_start(data_dir: Path) -> Iterator[Up]:
    up = Up(data_dir)
    up.link = up.wait_until_open()
    yield up
    if up.process.poll() is None:
        up.end(signal.SIGKILL)
    wait_until_gone(data_dir)


def test_first_start_prints_one_set_up_link(first_start):
    host = f"http://127.0.0.1:{first_start.port}"

    assert re.fullmatch(rf"Open {host}/setup/\S+ \(valid once\)\. Data: \S+/\. Stop: Ctrl-C\.\n", first_start.link)
    assert first_start.status(first_start.link.split()[1].removeprefix(host)) == 200


def test_server_is_ready_when_the_link_is_printed(first_start):
    assert first_start.status("/readyz") == 200


def test_every_part_is_a_child_of_its_own(first_start):
    deadline = time.monotonic() + 30
    while (missing := [w for w in CHILDREN if not first_start.pid_of(w)]) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert missing == []


def test_files_of_a_running_product_are_private(first_start):
    readable = [path for path in first_start.data_dir.iterdir() if path.is_file() and path.stat().st_mode & 0o077]

    assert readable == []


def test_second_up_on_the_same_data_directory_says_so(first_start):
    second = Up(first_start.data_dir)
    output, _ = second.process.communicate(timeout=60)

    assert second.process.returncode == 1
    assert re.fullmatch(
        rf"Already running on \S+ as process {first_start.process.pid}: stop that one first\.\n", output
    )


@pytest.mark.parametrize("words", ["uvicorn orqadmin.asgi", "ship_usage", "redis-server", "postgres"])
def test_killed_child_is_replaced(first_start, words):
    killed = first_start.pid_of(words)
    os.kill(killed, signal.SIGKILL)

    deadline = time.monotonic() + 30
    while (new := first_start.pid_of(words)) in (None, killed) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert new not in (None, killed)


def test_sigterm_stops_everything(first_start):
    code = first_start.end(signal.SIGTERM)

    assert code == 0
    assert wait_until_gone(first_start.data_dir, timeout_s=0) == {}


def test_second_start_keeps_the_data_and_kill_9_leaves_no_process(first_start, data_dir):
    second = Up(data_dir, ORQADMIN_ADMIN_EMAIL="ann@example.com", ORQADMIN_ADMIN_PASSWORD="correct horse battery")
    second.wait_until_open()
    second.end(signal.SIGTERM)
    third = Up(data_dir)
    line = third.wait_until_open()

    third.end(signal.SIGKILL)

    assert line.startswith(f"Open http://127.0.0.1:{third.port}/ to sign in.")
    assert wait_until_gone(data_dir) == {}


def test_interrupt_while_starting_leaves_no_process(short_dir):
    up = Up(short_dir)
    while not (short_dir / "postgres").exists():
        time.sleep(0.05)

    code = up.end(signal.SIGINT)

    assert code == 0
    assert wait_until_gone(short_dir, timeout_s=0) == {}


def test_port_in_use_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = Up(tmp_path, PORT=str(port))
        output, _ = up.process.communicate(timeout=60)

    assert up.process.returncode == 1
    expected = f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another with PORT=…\n"
    assert output == expected


def test_unwritable_data_directory_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    up = Up(tmp_path / "file")
    output, _ = up.process.communicate(timeout=60)

    assert up.process.returncode == 1
    assert re.fullmatch(
        r"Cannot keep secret\.key in \S+ \(.+\): set ORQADMIN_DATA_DIR to a folder of yours\.\n", output
    )


def test_unreachable_database_is_one_line(tmp_path):
    up = Up(tmp_path, DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    output, _ = up.process.communicate(timeout=60)

    assert up.process.returncode == 1
    assert re.fullmatch(r"Cannot reach the database of DATABASE_URL: .*Connection refused.*\n", output)
    assert wait_until_gone(tmp_path, timeout_s=0) == {}
