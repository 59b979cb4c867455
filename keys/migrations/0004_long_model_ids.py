"""A test call's model may be an inference profile's ARN."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0003_names_without_case")]

    operations = [
        migrations.AlterField("testcall", "model", models.CharField(blank=True, max_length=300)),
    ]
