"""Say which models can be made to call a tool."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_thinking_off")]

    operations = [
        migrations.AddField(
            "model",
            "forces_tools",
            models.BooleanField(default=True, help_text="Whether it can be made to call a tool."),
        ),
    ]
