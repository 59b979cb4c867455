"""Keep which versions the gateway leaves out for a while, and why."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

OUTCOMES = [
    "ok",
    "invalid_credential",
    "no_permission",
    "model_not_available",
    "no_credit",
    "rate_limited",
    "overloaded",
    "unreachable",
    "timeout",
    "provider_error",
    "misconfigured",
    "invalid_request",
]


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SetAside",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(help_text="The version's number.")),
                ("model", models.CharField(blank=True, max_length=300)),
                ("outcome", models.CharField(choices=[(value, value) for value in OUTCOMES], max_length=30)),
                ("detail", models.CharField(blank=True, max_length=300)),
                ("since", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("until", models.DateTimeField()),
                (
                    "provider_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="set_asides", to="keys.providerkey"
                    ),
                ),
            ],
            options={"ordering": ["provider_key", "version", "model"]},
        ),
        migrations.AddConstraint(
            model_name="setaside",
            constraint=models.UniqueConstraint(fields=["provider_key", "version", "model"], name="keys_setaside_once"),
        ),
    ]
