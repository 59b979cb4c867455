from django.db import migrations, models

ADD = """
ALTER TABLE usage_attempt
    ADD COLUMN queue_ms integer,
    ADD COLUMN route text NOT NULL DEFAULT '',
    ADD COLUMN connect_ms integer,
    ADD COLUMN first_byte_ms integer;
"""
DROP = """
ALTER TABLE usage_attempt
    DROP COLUMN queue_ms, DROP COLUMN route, DROP COLUMN connect_ms, DROP COLUMN first_byte_ms;
"""


class Migration(migrations.Migration):
    """What an attempt's time went into, and the route it was asked for by; on all partitions, existing ones too."""

    dependencies = [("usage", "0004_find_what_went_wrong")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, DROP)],
            state_operations=[
                migrations.AddField("attempt", "queue_ms", models.IntegerField(null=True)),
                migrations.AddField("attempt", "route", models.CharField(max_length=200, default="")),
                migrations.AddField("attempt", "connect_ms", models.IntegerField(null=True)),
                migrations.AddField("attempt", "first_byte_ms", models.IntegerField(null=True)),
            ],
        ),
    ]
