"""Let keys that were to end in 2200 or later never end: beyond the year 9999 such a row cannot even be read."""

from datetime import UTC, datetime
from typing import Any

from django.db import migrations


def forget_far_ends(apps: Any, schema_editor: Any) -> None:
    far = apps.get_model("teams", "GatewayKey").objects.filter(expires_at__gte=datetime(2200, 1, 2, tzinfo=UTC))
    far.update(expires_at=None)


class Migration(migrations.Migration):
    dependencies = [("teams", "0003_prompt_storage")]

    operations = [migrations.RunPython(forget_far_ends, migrations.RunPython.noop)]
