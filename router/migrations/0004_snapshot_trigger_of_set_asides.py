"""Tell the gateways when a key is set aside or used again, too."""

from django.db import migrations

CREATE_TRIGGER = """
CREATE TRIGGER router_snapshot_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON keys_setaside
FOR EACH STATEMENT EXECUTE FUNCTION router_snapshot_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("router", "0003_snapshot_triggers_of_routes"),
        ("keys", "0002_set_asides"),
    ]

    operations = [migrations.RunSQL(CREATE_TRIGGER, "DROP TRIGGER router_snapshot_changed ON keys_setaside")]
