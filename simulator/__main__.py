"""Run the simulator by itself: ``python -m simulator --port 8009``."""

import argparse

from simulator.pace import INSTANT, NATURAL
from simulator.server import DEFAULT_PORT, serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="A provider that speaks the Messages API.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--instant", action="store_true", help="answer at once instead of at a model's pace")
    options = parser.parse_args()
    serve(port=options.port, pace=INSTANT if options.instant else NATURAL)


if __name__ == "__main__":
    main()
