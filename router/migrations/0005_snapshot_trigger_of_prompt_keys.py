"""Tell the gateways when the key that stored prompts are sealed with has changed, too."""

from django.db import migrations

CREATE_TRIGGER = """
CREATE TRIGGER router_snapshot_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON keys_promptkey
FOR EACH STATEMENT EXECUTE FUNCTION router_snapshot_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("router", "0004_snapshot_trigger_of_set_asides"), ("keys", "0005_prompt_keys")]

    operations = [migrations.RunSQL(CREATE_TRIGGER, "DROP TRIGGER router_snapshot_changed ON keys_promptkey")]
