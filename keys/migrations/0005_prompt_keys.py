"""Seal the stored prompts of each workspace with a data key of its own."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0004_long_model_ids"), ("teams", "0003_prompt_storage")]

    operations = [
        migrations.CreateModel(
            name="PromptKey",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("wrapped_data_key", models.BinaryField()),
                ("master_key_id", models.CharField(db_index=True, max_length=40)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="prompt_key", to="teams.workspace"
                    ),
                ),
            ],
        ),
    ]
