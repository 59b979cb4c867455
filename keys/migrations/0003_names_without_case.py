"""Two keys of one provider may not differ in the case of their names alone: "prod" and "Prod" are one in a request."""

from itertools import count
from typing import Any

from django.db import migrations, models
from django.db.models.functions import Lower


def tell_names_apart(apps: Any, schema_editor: Any) -> None:
    """Give each later key of a name a number behind it, the lowest from 2 on that makes it nobody else's."""
    keys = list(apps.get_model("keys", "ProviderKey").objects.filter(deleted_at=None).order_by("created_at", "pk"))
    taken = {_place(key, key.name) for key in keys}
    seen = set()
    for key in keys:
        if _place(key, key.name) in seen:
            numbered = (f"{key.name[:90]} ({number})" for number in count(2))
            key.name = next(name for name in numbered if _place(key, name) not in taken)
            key.save(update_fields=["name"])
            taken.add(_place(key, key.name))
        seen.add(_place(key, key.name))


def _place(key: Any, name: str) -> tuple[Any, str, str]:
    return key.workspace_id, key.provider, name.lower()


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
