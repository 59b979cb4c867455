"""Say what of a model a provider does not offer."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_forces_tools")]

    operations = [
        migrations.AddField(
            "offering",
            "lacks",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20),
                default=list,
                help_text="Values of catalog.index.Lack: not to be had here.",
                size=None,
            ),
        ),
    ]
