"""Make a key for the REST API."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from teams.models import GatewayKey, Workspace
from teams.services import NameTaken, create_gateway_key, ensure_workspace


class Command(BaseCommand):
    help = "Makes a management key, which acts as an admin over the REST API, and prints it. It is shown only here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="What it is for, such as “terraform”.")
        parser.add_argument("--workspace", metavar="SLUG", help="Default: the first workspace, made if there is none.")

    def handle(self, *args: Any, name: str, workspace: str | None, **options: Any) -> None:
        name = name.strip()
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise CommandError("A name has 1 to 100 characters, all of them printable.")
        try:
            created = create_gateway_key(
                _find_workspace(workspace), name=name, kind=GatewayKey.Kind.MANAGEMENT, actor=None
            )
        except NameTaken as error:
            raise CommandError(str(error)) from None
        self.stdout.write(created.token.text)


def _find_workspace(slug: str | None) -> Workspace:
    if slug is None:
        return ensure_workspace()
    try:
        return Workspace.objects.get(slug=slug)
    except Workspace.DoesNotExist:
        slugs = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"There is no workspace “{slug}”. There are: {slugs or 'none'}.") from None
