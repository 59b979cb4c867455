"""Tell the gateways when something they hold in memory has changed."""

from django.db import migrations

TABLES = [
    "teams_workspace",
    "teams_gatewaykey",
    "teams_gatewaykeysecret",
    "keys_providerkey",
    "keys_keyversion",
    "catalog_model",
    "catalog_offering",
    "catalog_price",
]

CREATE_FUNCTION = """
CREATE FUNCTION router_snapshot_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO router_snapshotversion AS counter (id, version) VALUES (1, 1)
    ON CONFLICT (id) DO UPDATE SET version = counter.version + 1;
    PERFORM pg_notify('orqadmin_snapshot', '');
    RETURN NULL;
END
$$;
"""

CREATE_TRIGGER = """
CREATE TRIGGER router_snapshot_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION router_snapshot_changed();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("router", "0001_initial"),
        ("teams", "0001_initial"),
        ("keys", "0001_initial"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(CREATE_FUNCTION, "DROP FUNCTION router_snapshot_changed"),
        *(
            migrations.RunSQL(
                CREATE_TRIGGER.format(table=table), f"DROP TRIGGER router_snapshot_changed ON {table}"
            )
            for table in TABLES
        ),
    ]
