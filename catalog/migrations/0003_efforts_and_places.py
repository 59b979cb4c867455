"""Say which efforts a model takes and whether it enforces a schema; let one name stand for offerings in two places."""

import django.contrib.postgres.fields
from django.db import migrations, models


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
    ]
