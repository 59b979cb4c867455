"""Write the database to a file."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from orqadmin.backups import back_up, default_path
from orqadmin.processes import StartError


class Command(BaseCommand):
    help = "Write the whole database to a file, while the product serves or not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="where to; by default a new file in the data directory")

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["file"] or default_path()
        try:
            back_up(path)
        except StartError as error:
            sys.exit(str(error))
        keys = "ORQADMIN_MASTER_KEYS" if settings.MASTER_KEYS else settings.MASTER_KEYS_FILE
        self.stdout.write(f"Wrote {path}.")
        self.stdout.write(f"Keep {keys} too, elsewhere: without it no provider key in this backup can be opened.")
