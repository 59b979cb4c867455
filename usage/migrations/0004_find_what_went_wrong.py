from django.db import migrations

CREATE = """
CREATE INDEX usage_attempt_failed ON usage_attempt (workspace_id, id DESC) WHERE error_code <> '';
CREATE INDEX usage_attempt_unknown ON usage_attempt (workspace_id, id DESC) WHERE certainty = 'unknown';
"""
DROP = "DROP INDEX usage_attempt_failed, usage_attempt_unknown"


class Migration(migrations.Migration):
    """Failed and unsettled attempts are few; without these a list of them would read the whole ledger."""

    dependencies = [("usage", "0003_search_requests")]

    operations = [migrations.RunSQL(CREATE, DROP)]
