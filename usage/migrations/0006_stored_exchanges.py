from django.db import migrations, models

# Ciphertext cannot be compressed: PostgreSQL need not try.
NOT_COMPRESSED = """
ALTER TABLE usage_storedexchange
    ALTER COLUMN sealed_request SET STORAGE EXTERNAL, ALTER COLUMN sealed_answer SET STORAGE EXTERNAL;
"""


class Migration(migrations.Migration):
    """Prompts and answers of workspaces that want them kept, sealed."""

    dependencies = [("usage", "0005_phases_and_route")]

    operations = [
        migrations.CreateModel(
            name="StoredExchange",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("request_id", models.CharField(max_length=40)),
                ("workspace_id", models.UUIDField()),
                ("gateway_key_id", models.UUIDField(null=True)),
                ("prompt_key_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("sealed_request", models.BinaryField()),
                ("sealed_answer", models.BinaryField()),
                ("request_bytes", models.BigIntegerField()),
                ("answer_bytes", models.BigIntegerField()),
                ("is_request_cut", models.BooleanField()),
                ("is_answer_cut", models.BooleanField()),
            ],
            options={
                "indexes": [models.Index(fields=["workspace_id", "request_id"], name="usage_exchange_request")],
            },
        ),
        migrations.RunSQL(NOT_COMPRESSED, migrations.RunSQL.noop),
    ]
