"""Say how each model is told not to think."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_takes_sampling")]

    operations = [
        migrations.AddField(
            "model",
            "thinking_off",
            models.CharField(
                default="disabled",
                help_text="How it is told not to think, a value of catalog.index.ThinkingOff.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            "model",
            "thinking_off_up_to",
            models.CharField(
                blank=True,
                default="",
                help_text="The highest effort at which it can be told so; empty: any.",
                max_length=10,
            ),
        ),
    ]
