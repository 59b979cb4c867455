"""Bring the database and the static files up to this release; ``up`` does so by itself."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from orqadmin.preparation import prepare
from orqadmin.processes import StartError


class Command(BaseCommand):
    help = "Migrate, sync the catalog and gather static files, for deployments that start each process apart."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare(self.stdout.write)
        except StartError as error:
            sys.exit(str(error))
        self.stdout.write("Ready to serve.")
