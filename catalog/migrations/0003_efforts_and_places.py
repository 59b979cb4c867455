"""Say which efforts a model takes and whether it enforces a schema; let one name stand for offerings in two places."""

from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import F, Value
from django.db.models.functions import Concat

IN_REGION = "regional"


def give_each_place_a_name(apps: Any, schema_editor: Any) -> None:
    """On the way back: a name stands for one offering again, until ``sync_catalog`` writes the names anew."""
    in_region = apps.get_model("catalog", "Offering").objects.filter(region=IN_REGION)
    in_region.update(model_string=Concat(F("model_string"), Value(f"@{IN_REGION}")))


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_routes")]

    operations = [
        migrations.AddField(
            "model",
            "efforts",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=10),
                default=list,
                help_text="Reasoning efforts, least first.",
                size=None,
            ),
        ),
        migrations.AddField(
            "model",
            "structured_outputs",
            models.BooleanField(default=False, help_text="Whether it enforces a JSON schema."),
        ),
        migrations.AlterField(
            "offering",
            "model_string",
            models.CharField(help_text="What a client writes to get it.", max_length=120),
        ),
        migrations.AddConstraint(
            "offering",
            models.UniqueConstraint(fields=["model_string", "region"], name="catalog_offering_one_name"),
        ),
        migrations.RunPython(migrations.RunPython.noop, give_each_place_a_name),
    ]
