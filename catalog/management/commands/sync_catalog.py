"""Bring the model catalog up to date."""

from typing import Any

from django.core.management.base import BaseCommand

from catalog.services import sync_catalog


class Command(BaseCommand):
    help = "Bring models, offerings and prices up to date. Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(sync_catalog()))
