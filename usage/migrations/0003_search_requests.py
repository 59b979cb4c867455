from django.db import migrations, models

CREATE = """
CREATE INDEX usage_attempt_session ON usage_attempt (workspace_id, session, id DESC) WHERE session <> '';
CREATE INDEX usage_attempt_identity ON usage_attempt (workspace_id, identity, id DESC) WHERE identity <> '';
"""
DROP = "DROP INDEX usage_attempt_session, usage_attempt_identity"


class Migration(migrations.Migration):
    """What the list of requests is searched by, and refusals in the order of attempts, to be merged with them."""

    dependencies = [("usage", "0002_forget_days_of_old_zone")]

    operations = [
        migrations.RunSQL(CREATE, DROP),
        migrations.AlterModelOptions("refusal", {"ordering": ["-id"]}),
        migrations.AlterField("refusal", "id", models.UUIDField(primary_key=True, serialize=False)),
        migrations.RemoveIndex("refusal", "usage_refusal_recent"),
        migrations.AddIndex("refusal", models.Index(fields=["workspace_id", "-id"], name="usage_refusal_recent")),
    ]
