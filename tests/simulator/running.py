"""The simulator served by uvicorn in a thread, on a free port."""

import threading
import time
from typing import Any, Self

import uvicorn

from simulator.app import Simulator
from simulator.limits import Limits
from simulator.pace import INSTANT, Pace


class Running:
    """A context manager; ``origin`` is where it listens. ``app`` may be a simulator with something around it."""

    def __init__(self, app: Any = None, *, pace: Pace = INSTANT, limits: Limits | None = None) -> None:
        app = app or Simulator(pace=pace, limits=limits)
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, name="simulator", daemon=True)
        self.origin = ""

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.origin = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
