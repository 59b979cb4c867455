"""Starting and stopping child processes that never outlive their parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# prctl(2): the signal the kernel sends to this process when the thread that started it ends.
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StartError(Exception):
    """Something cannot start; the message is one line for the person at the terminal."""


@dataclass(frozen=True)
class User:
    """Who a child runs as."""

    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: User | None = None,
    env: Mapping[str, str] | None = None,
    argv0: str | None = None,
    cwd: Path = Path("/"),
    pass_fds: Sequence[int] = (),
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in its own session, its output appended to ``log``.

    ``argv0`` is the name shown in process lists, ``env`` is added to ours, and ``death_signal`` reaches it when we die.
    Call this from the main thread: the signal is sent when the *thread* that started the child ends.
    """
    arguments = [str(part) for part in command]
    # Its own session keeps the terminal's Ctrl-C for us: we stop the children in order.
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # the command is ours
            [argv0 or arguments[0], *arguments[1:]],
            executable=arguments[0],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            pass_fds=pass_fds,
            # Runs after the change of user, which would clear the setting.
            preexec_fn=_dies_with(os.getpid(), death_signal),  # noqa: PLW1509  # we have one thread
        )


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, *, timeout_s: float) -> None:
    """Ask ``process`` to stop, wait ``timeout_s``, then kill it; return when it is gone."""
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _dies_with(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    def tie() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)

    return tie
