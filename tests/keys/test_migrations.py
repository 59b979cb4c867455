"""What the migrations of provider keys do to rows that are there."""

from importlib import import_module

from django.apps import apps
from django.db import connection

from keys.models import ProviderKey
from teams.models import Workspace
from tests.factories import PLAINTEXT, make_provider_key


def test_keys_whose_names_differed_in_case_only_are_told_apart(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX keys_providerkey_name_once")
    for number, name in enumerate(["Prod", "PROD", "prod", "Other"]):
        make_provider_key(workspace, name=name, plaintext=f"{PLAINTEXT}{number}")
    make_provider_key(workspace, provider="simulated", name="prod", plaintext=f"{PLAINTEXT}9")

    import_module("keys.migrations.0003_names_without_case").tell_names_apart(apps, None)

    names = ProviderKey.objects.order_by("created_at").values_list("name", flat=True)
    assert list(names) == ["Prod", "PROD (2)", "prod (3)", "Other", "prod"]


def test_a_key_told_apart_gets_no_name_that_another_has(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX keys_providerkey_name_once")
    for number, name in enumerate(["Prod", "prod", "PROD (2)", f"{'x' * 100}", f"{'X' * 100}"]):
        make_provider_key(workspace, name=name, plaintext=f"{PLAINTEXT}{number}")

    import_module("keys.migrations.0003_names_without_case").tell_names_apart(apps, None)

    names = ProviderKey.objects.order_by("created_at").values_list("name", flat=True)
    assert list(names) == ["Prod", "prod (3)", "PROD (2)", "x" * 100, f"{'X' * 90} (2)"]
