"""Say which models take temperature, top_p and top_k."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_efforts_and_places")]

    operations = [
        migrations.AddField(
            "model",
            "takes_sampling",
            models.BooleanField(default=True, help_text="Whether it takes temperature, top_p and top_k."),
        ),
    ]
