"""Runs the simulator on a port of this machine."""

import uvicorn

from simulator.app import Simulator
from simulator.pace import Pace

DEFAULT_PORT = 8009


def serve(*, port: int, pace: Pace, host: str = "127.0.0.1") -> None:
    """Serve the simulator until SIGINT or SIGTERM; with port 0 on a free one, which uvicorn's first line names."""
    uvicorn.run(
        Simulator(pace=pace), host=host, port=port, log_level="info", access_log=False, timeout_graceful_shutdown=2
    )
