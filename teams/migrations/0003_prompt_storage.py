"""Let a workspace keep prompts and answers, for so many days."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("teams", "0002_projects_and_allowed_regions")]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="store_prompts",
            field=models.BooleanField(default=False, help_text="Keep prompts and answers, sealed."),
        ),
        migrations.AddField(
            model_name="workspace",
            name="prompt_retention_days",
            field=models.PositiveSmallIntegerField(default=7),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(("prompt_retention_days__range", (1, 90))),
                name="teams_workspace_prompt_retention",
            ),
        ),
    ]
