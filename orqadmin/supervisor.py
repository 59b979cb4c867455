"""What ``manage.py up`` does: start every process as a child, in order, keep it alive, and stop all in order."""

import fcntl
import http.client
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select

from orqadmin.processes import StartError, spawn, stop

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
# A child that lived this long was healthy: the next failure starts again with the shortest wait.
HEALTHY_AFTER_S = 30.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
TICK_S = 2.0
PROJECT_DIR = Path(__file__).resolve().parent.parent
# After the streams' DRAIN_S: time for the server to note what it cut off, and for the rest to stop.
WRAP_UP_S = 2.0
TOTAL_EXTRA_S = 5.0


class SupervisorError(StartError):
    """The product cannot start here."""


class AlreadyRunning(SupervisorError):
    """Another process serves from this data directory."""


@dataclass(frozen=True)
class Service:
    """A process to keep alive. ``is_wanted`` is asked before it is first started, about every two seconds."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    stop_signal: signal.Signals = signal.SIGTERM
    is_wanted: Callable[[], bool] = lambda: True


@dataclass
class Child:
    """A service's process, started again with a growing wait when it ends."""

    service: Service
    say: Callable[[str], None]
    process: subprocess.Popen[bytes] | None = None
    _failures: int = 0
    _started_at: float = 0.0
    _retry_at: float | None = field(default=None)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process; raise StartError if that is impossible."""
        self._retry_at = None
        self._started_at = time.monotonic()
        self.process = process = self.service.start()
        return process

    def ask_to_stop(self) -> None:
        """Send the process the signal on which it stops; without one there is nothing to do."""
        if self.process is not None:
            self.process.send_signal(self.service.stop_signal)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tend(self) -> None:
        """Start the process if it is wanted and due; note when it ended."""
        if self.is_running:
            return
        if self._retry_at is not None:
            if time.monotonic() >= self._retry_at:
                self._try_again()
        elif self.process is not None:
            self._plan_retry(f"ended ({_ending(self.process.returncode)})")
        elif self.service.is_wanted():
            self._try_again()

    def wait_s(self) -> float:
        """Return how long nothing needs to be done here."""
        return TICK_S if self._retry_at is None else max(self._retry_at - time.monotonic(), 0)

    def _try_again(self) -> None:
        try:
            self.start()
        except (StartError, OSError) as error:
            self._plan_retry(f"cannot start ({error})")

    def _plan_retry(self, what_happened: str) -> None:
        if time.monotonic() - self._started_at > HEALTHY_AFTER_S:
            self._failures = 0
        wait_s = min(FIRST_RETRY_S * 2**self._failures, LONGEST_RETRY_S)
        self._failures += 1
        self._retry_at = time.monotonic() + wait_s
        self.say(f"{self.service.name} {what_happened}; it starts again in {wait_s:g} s.")


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


class Supervisor:
    """Keeps children alive until a signal asks to stop.

    Signals only write to a pipe that the loop sleeps on, so that nothing happens between two steps. Use it in the main
    thread: the children die with the thread that started them.
    """

    def __init__(self, log_dir: Path, say: Callable[[str], None]) -> None:
        self._log_dir = log_dir
        self._say = say
        self._children: list[Child] = []
        self._stop_requests = 0
        self._is_interruptible = False
        self._wake, self._awoken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Count requests to stop, and wake up when a child ends, while the block runs."""
        handlers: dict[signal.Signals, Callable[..., None]] = {
            signal.SIGTERM: self._request_stop,
            signal.SIGINT: self._request_stop,
            signal.SIGHUP: self._request_stop,
            signal.SIGCHLD: lambda *_: None,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wake_before = signal.set_wakeup_fd(self._awoken, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wake_before)
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a request to stop raise KeyboardInterrupt in the block: work that may break off anywhere."""
        self._is_interruptible = True
        try:
            yield
        finally:
            self._is_interruptible = False

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """Let a request to stop wait for the end of the block: a process must not start that nobody knows of."""
        was_interruptible, self._is_interruptible = self._is_interruptible, False
        try:
            yield
        finally:
            self._is_interruptible = was_interruptible
        if was_interruptible and self.is_stopping:
            raise KeyboardInterrupt

    @property
    def is_stopping(self) -> bool:
        return self._stop_requests > 0

    def start(self, service: Service) -> subprocess.Popen[bytes]:
        """Start ``service`` now and keep it alive from now on."""
        child = Child(service, self._say)
        self._children.append(child)
        with self._uninterrupted():
            return child.start()

    def keep(self, service: Service) -> None:
        """Start ``service`` as soon as it is wanted and keep it alive from then on."""
        self._children.append(Child(service, self._say))

    def run(self) -> None:
        """Tend the children until a signal asks to stop."""
        while not self.is_stopping:
            for child in self._children:
                child.tend()
            keep_logs_small(self._log_dir)
            self.sleep(min((child.wait_s() for child in self._children), default=TICK_S))

    def sleep(self, seconds: float) -> None:
        """Sleep until a signal comes, at most ``seconds``."""
        if select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 4096)

    def stop(self, waves: Sequence[Sequence[str]], *, drain_s: float) -> None:
        """Stop the services named in ``waves``, wave after wave; a second request to stop ends the waiting.

        The first wave may take ``drain_s`` and a little; all is over ``TOTAL_EXTRA_S`` after it.
        """
        end = time.monotonic() + drain_s + TOTAL_EXTRA_S
        for number, names in enumerate(waves):
            children = [child for child in self._children if child.service.name in names and child.is_running]
            for child in children:
                child.ask_to_stop()
            patience = drain_s + WRAP_UP_S if number == 0 else (end - time.monotonic()) / 2
            self._await_end(children, time.monotonic() + patience)

    def _await_end(self, children: Sequence[Child], deadline: float) -> None:
        while any(child.is_running for child in children) and time.monotonic() < deadline:
            if self._stop_requests > 1:
                deadline = min(deadline, time.monotonic() + 0.5)
            self.sleep(min(0.2, max(deadline - time.monotonic(), 0)))
        for child in children:
            if child.process is not None:
                stop(child.process, signal.SIGKILL, timeout_s=1)

    def _request_stop(self, *_: object) -> None:
        self._stop_requests += 1
        if self._is_interruptible:
            raise KeyboardInterrupt


# What stands around it


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process; raise AlreadyRunning if another has it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SupervisorError(
            f"Cannot write to {data_dir} ({error.strerror}): set ORQADMIN_DATA_DIR to a folder of yours."
        ) from None
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Already running on {data_dir} as process {file.read().strip()}: stop that one first."
            ) from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def bind(host: str, port: int, *, patience_s: float = 1.0) -> socket.socket:
    """Return a listening socket; raise SupervisorError if the address is taken or not ours.

    ``patience_s`` covers a server killed a moment ago, whose port is still closing.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, port), family=family, backlog=2048)
            # uvicorn takes an inherited socket for a UNIX one and would leave Nagle's delay on: 40 ms an answer.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listener
        except OSError as error:
            if time.monotonic() > deadline:
                reason = (error.strerror or str(error)).partition(" (")[0]  # without the address, which we name
                raise SupervisorError(
                    f"Cannot listen on {host}:{port} ({reason}): choose another with PORT=…"
                ) from None
            time.sleep(0.1)


def server_arguments(listener: socket.socket, application: str, *, drain_s: float) -> list[str]:
    """Return Python's arguments for one uvicorn that serves ``application`` on a socket it inherits."""
    # Forwarded headers are judged by the application, which knows the trusted proxies.
    return [
        *("-m", "uvicorn", application, "--fd", str(listener.fileno())),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-server-header", "--no-proxy-headers"),
        *("--timeout-graceful-shutdown", str(math.ceil(drain_s))),
    ]


def is_ready(host: str, port: int) -> bool:
    """Whether the server says that it has all it needs to serve."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def keep_logs_small(log_dir: Path) -> None:
    """Move what a log over ``LOG_LIMIT_BYTES`` holds to ``<name>.1``; its writer goes on in the emptied file.

    Children append, so the next line lands at the new beginning. Lines written during the copy are lost.
    """
    for log in log_dir.glob("*.log"):
        if log.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def spawn_python(
    arguments: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start ``python <arguments>`` in the project's folder with ``env`` added."""
    return spawn([sys.executable, *arguments], log=log, env=env, cwd=PROJECT_DIR, pass_fds=pass_fds)
