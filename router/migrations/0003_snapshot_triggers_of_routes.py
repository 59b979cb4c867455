"""Tell the gateways when a route or a project has changed, too."""

from django.db import migrations

TABLES = ["catalog_route", "catalog_routetarget", "teams_project"]

CREATE_TRIGGER = """
CREATE TRIGGER router_snapshot_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION router_snapshot_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("router", "0002_snapshot_triggers"),
        ("teams", "0002_projects_and_allowed_regions"),
        ("catalog", "0002_routes"),
    ]

    operations = [
        migrations.RunSQL(CREATE_TRIGGER.format(table=table), f"DROP TRIGGER router_snapshot_changed ON {table}")
        for table in TABLES
    ]
