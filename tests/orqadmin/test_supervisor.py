"""The supervisor: keeps children alive, stops them in order, and refuses clearly."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orqadmin import supervisor as supervising
from orqadmin.processes import spawn
from orqadmin.supervisor import Child, Service, Supervisor, SupervisorError, bind, keep_logs_small, only_one

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def make_service(tmp_path: Path, code: str, name: str = "child", **fields) -> Service:
    return Service(name, lambda: spawn([sys.executable, "-c", code], log=tmp_path / f"{name}.log"), **fields)


def wait_for_text(path: Path, text: str) -> None:
    while text not in path.read_text():
        time.sleep(0.02)


@pytest.fixture
def said() -> list[str]:
    return []


def test_child_that_keeps_failing_waits_longer_each_time(tmp_path, said):
    child = Child(make_service(tmp_path, "raise SystemExit(3)"), said.append)

    while len(said) < 3:
        child.tend()
        time.sleep(0.02)

    assert [re.search(r"in (\S+) s\.", line).group(1) for line in said] == ["0.5", "1", "2"]
    assert "exit code 3" in said[0]


def test_started_child_hands_out_its_process(tmp_path, said):
    child = Child(make_service(tmp_path, "import time; time.sleep(600)"), said.append)

    process = child.start()

    assert (process, process.poll()) == (child.process, None)
    child.ask_to_stop()
    assert process.wait() == -signal.SIGTERM


def test_child_that_never_started_needs_no_stopping(tmp_path, said):
    child = Child(make_service(tmp_path, ""), said.append)

    child.ask_to_stop()

    assert child.process is None


def test_child_that_was_healthy_starts_again_at_once(tmp_path, said, monkeypatch):
    monkeypatch.setattr(supervising, "HEALTHY_AFTER_S", 0)
    child = Child(make_service(tmp_path, ""), said.append)

    while len(said) < 2:
        child.tend()
        time.sleep(0.02)

    assert all("in 0.5 s" in line for line in said)


def test_service_that_cannot_start_is_tried_again(said):
    def refuse() -> subprocess.Popen[bytes]:
        raise SupervisorError("no room")

    child = Child(Service("child", refuse), said.append)
    child.tend()

    assert said == ["child cannot start (no room); it starts again in 0.5 s."]


def test_service_starts_only_once_it_is_wanted(tmp_path, said):
    answers = iter([False, True])
    child = Child(make_service(tmp_path, "", is_wanted=lambda: next(answers)), said.append)

    child.tend()
    assert child.process is None
    child.tend()
    assert child.process is not None
    child.process.wait()


def test_child_that_ignores_the_signal_is_killed_in_the_end(tmp_path, said, monkeypatch):
    monkeypatch.setattr(supervising, "WRAP_UP_S", 0)
    supervisor = Supervisor(tmp_path, said.append)
    process = supervisor.start(make_service(tmp_path, STUBBORN))
    wait_for_text(tmp_path / "child.log", "up")

    supervisor.stop([["child"]], drain_s=0.2)

    assert process.returncode == -signal.SIGKILL


def test_second_request_to_stop_ends_the_waiting(tmp_path, said):
    supervisor = Supervisor(tmp_path, said.append)
    process = supervisor.start(make_service(tmp_path, STUBBORN))
    wait_for_text(tmp_path / "child.log", "up")

    with supervisor.signals():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        supervisor.stop([["child"]], drain_s=3600)

    assert process.returncode == -signal.SIGKILL


def test_waves_stop_one_after_the_other(tmp_path, said):
    supervisor = Supervisor(tmp_path, said.append)
    shared = tmp_path / "order"
    for name in ("store", "web"):
        code = (
            "import signal, sys\n"
            f"def end(*_): open({str(shared)!r}, 'a').write('{name} '); sys.exit()\n"
            "signal.signal(signal.SIGTERM, end); print('up', flush=True)\n"
            "while True: signal.pause()"
        )
        supervisor.start(make_service(tmp_path, code, name))
        wait_for_text(tmp_path / f"{name}.log", "up")

    supervisor.stop([["web"], ["store"]], drain_s=10)

    assert shared.read_text() == "web store "


def test_run_ends_when_asked(tmp_path, said):
    supervisor = Supervisor(tmp_path, said.append)
    supervisor.keep(make_service(tmp_path, f"import os, signal; os.kill({os.getpid()}, signal.SIGTERM)"))

    with supervisor.signals():
        supervisor.run()

    assert supervisor.is_stopping
    supervisor.stop([["child"]], drain_s=5)


def test_request_to_stop_breaks_off_the_preparation(tmp_path, said):
    supervisor = Supervisor(tmp_path, said.append)

    with supervisor.signals(), pytest.raises(KeyboardInterrupt), supervisor.interruptible():
        signal.raise_signal(signal.SIGTERM)


def test_request_to_stop_leaves_no_unknown_process_behind(tmp_path, said):
    supervisor = Supervisor(tmp_path, said.append)
    service = make_service(tmp_path, "import time; time.sleep(600)")
    started: list[subprocess.Popen[bytes]] = []

    def start_and_be_asked_to_stop() -> subprocess.Popen[bytes]:
        started.append(service.start())
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    with supervisor.signals(), pytest.raises(KeyboardInterrupt), supervisor.interruptible():
        supervisor.start(Service("child", start_and_be_asked_to_stop))
    supervisor.stop([["child"]], drain_s=1)

    assert started[0].poll() == -signal.SIGTERM


def test_child_dies_with_a_killed_parent(tmp_path):
    code = (
        "import sys, pathlib; from orqadmin.processes import spawn\n"
        f"print(spawn(['/bin/sleep', '600'], log=pathlib.Path({str(tmp_path / 'log')!r})).pid, flush=True)\n"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        child = int(parent.stdout.readline())
        parent.kill()

    while Path(f"/proc/{child}/cmdline").exists() and b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes():
        time.sleep(0.02)


def test_data_directory_is_held_by_one_process(tmp_path):
    with (
        only_one(tmp_path),
        pytest.raises(SupervisorError, match=f"Already running on .* as process {os.getpid()}"),
        only_one(tmp_path),
    ):
        pass


def test_unwritable_data_directory_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SupervisorError, match=r"Cannot write to .*set ORQADMIN_DATA_DIR"), only_one(tmp_path / "file"):
        pass


def test_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SupervisorError, match=f"Cannot listen on 127.0.0.1:{port} .*in use"):
            bind("127.0.0.1", port, patience_s=0)


def test_long_log_is_moved_aside_and_its_writer_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(supervising, "LOG_LIMIT_BYTES", 5)
    with (tmp_path / "web.log").open("ab", buffering=0) as log:
        log.write(b"a long line\n")
        keep_logs_small(tmp_path)
        log.write(b"next\n")

    assert (tmp_path / "web.log").read_text() == "next\n"
    assert (tmp_path / "web.log.1").read_text() == "a long line\n"
