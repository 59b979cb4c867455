"""Refuse gateway keys that end in a year that Python's dates may not reach."""

from datetime import UTC, datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("teams", "0004_bring_expiries_near")]

    operations = [
        migrations.AddConstraint(
            model_name="gatewaykey",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__lt", datetime(2200, 1, 2, tzinfo=UTC))),
                name="teams_gatewaykey_expires_in_our_age",
            ),
        ),
    ]
