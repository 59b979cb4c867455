"""Replace the database by a backup."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orqadmin.backups import restore
from orqadmin.processes import StartError


class Command(BaseCommand):
    help = "Replace everything in the database by what a backup holds; stop the product first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="replace the data without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"] and input("This replaces all data. Type yes to go on: ") != "yes":
            sys.exit("Nothing was changed.")
        try:
            restore(options["file"])
        except StartError as error:
            sys.exit(str(error))
        self.stdout.write("Restored. The next start brings it up to this release.")
