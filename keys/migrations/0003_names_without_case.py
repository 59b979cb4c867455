"""Two keys of one provider may not differ in the case of their names alone: "prod" and "Prod" are one in a request."""

from collections import Counter
from typing import Any

from django.db import migrations, models
from django.db.models.functions import Lower


def tell_names_apart(apps: Any, schema_editor: Any) -> None:
    """Give each later key of a name a number behind it."""
    seen: Counter[tuple[Any, str, str]] = Counter()
    for key in apps.get_model("keys", "ProviderKey").objects.filter(deleted_at=None).order_by("created_at", "pk"):
        name = (key.workspace_id, key.provider, key.name.lower())
        seen[name] += 1
        if seen[name] > 1:
            key.name = f"{key.name[:90]} ({seen[name]})"
            key.save(update_fields=["name"])


class Migration(migrations.Migration):
    dependencies = [("keys", "0002_set_asides")]

    operations = [
        migrations.RunPython(tell_names_apart, migrations.RunPython.noop),
        migrations.RemoveConstraint("providerkey", "keys_providerkey_name_once"),
        migrations.AddConstraint(
            "providerkey",
            models.UniqueConstraint(
                "workspace",
                "provider",
                Lower("name"),
                condition=models.Q(("deleted_at", None)),
                name="keys_providerkey_name_once",
            ),
        ),
    ]
