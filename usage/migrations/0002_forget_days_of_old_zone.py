from django.db import migrations

# Days are summed in the workspace's zone, so a new zone makes all of them wrong. A local day of any zone lies within a
# day of the same date in UTC: those dates are marked as stale, and the days that turn out empty do no harm.
CREATE = """
CREATE FUNCTION usage_forget_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM usage_daystate WHERE workspace_id = NEW.id;
    DELETE FROM usage_day WHERE workspace_id = NEW.id;
    INSERT INTO usage_daystate (workspace_id, day, time_zone, stale_since)
    SELECT DISTINCT NEW.id, utc.day + shift, NEW.time_zone, now()
    FROM (SELECT DISTINCT (bucket AT TIME ZONE 'UTC')::date AS day FROM usage_rollup WHERE workspace_id = NEW.id) AS utc
    CROSS JOIN generate_series(-1, 1) AS shift;
    RETURN NULL;
END $$;
CREATE TRIGGER usage_zone_changed AFTER UPDATE OF time_zone ON teams_workspace
FOR EACH ROW WHEN (OLD.time_zone <> NEW.time_zone) EXECUTE FUNCTION usage_forget_days();
"""
DROP = "DROP TRIGGER usage_zone_changed ON teams_workspace; DROP FUNCTION usage_forget_days;"


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial"), ("teams", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
