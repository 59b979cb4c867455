"""Run the simulated Anthropic that a workspace can connect to without a key of its own."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from simulator.pace import INSTANT, NATURAL
from simulator.server import serve


class Command(BaseCommand):
    help = "Serve the simulated provider on 127.0.0.1 until it is stopped."
    # It needs no database and must start while that is still coming up.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.SIMULATOR_PORT)
        parser.add_argument("--instant", action="store_true", help="answer at once instead of at a model's pace")

    def handle(self, *args: Any, port: int, instant: bool, **options: Any) -> None:
        serve(port=port, pace=INSTANT if instant else NATURAL)
