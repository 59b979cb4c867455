"""The one statement that writes attempts to the ledger and adds them to the 15-minute rollup.

Both happen or neither does, and a repeat changes nothing: an id that is settled already is left alone, and only
rows this statement settled are added. Rows arrive as JSON, one object each.
"""

from usage.models import DIMENSIONS, LATENCY_BOUNDS_MS, SUMS

# Column and SQL type of a ledger row, in the order of the table.
COLUMNS: dict[str, str] = {
    "id": "uuid",
    "request_id": "text",
    "attempt": "smallint",
    "kind": "text",
    "dialect": "text",
    "workspace_id": "uuid",
    "project_id": "uuid",
    "gateway_key_id": "uuid",
    "provider_key_id": "uuid",
    "provider_key_version": "integer",
    "provider": "text",
    "region": "text",
    "model_asked": "text",
    "model": "text",
    "model_served": "text",
    "identity": "text",
    "session": "text",
    "tags": "text[]",
    "stream": "boolean",
    "state": "text",
    "certainty": "text",
    "status": "smallint",
    "error_code": "text",
    "final": "boolean",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "latency_ms": "integer",
    "ttft_ms": "integer",
    "uncached_input_tokens": "bigint",
    "cache_read_input_tokens": "bigint",
    "cache_write_5m_input_tokens": "bigint",
    "cache_write_1h_input_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_output_tokens": "bigint",
    "web_searches": "integer",
    "uncached_input_cost_nano": "bigint",
    "cache_read_input_cost_nano": "bigint",
    "cache_write_5m_input_cost_nano": "bigint",
    "cache_write_1h_input_cost_nano": "bigint",
    "output_cost_nano": "bigint",
    "cache_savings_nano": "bigint",
    "is_unpriced": "boolean",
    "price_id": "bigint",
    "upstream_request_id": "text",
    "queue_ms": "integer",
    "route": "text",
    "connect_ms": "integer",
    "first_byte_ms": "integer",
}

# What each sum of the rollup is, said over ledger rows.
_SUM_OF_ROWS: dict[str, str] = {
    "requests": "count(*) FILTER (WHERE final)",
    "attempts": "count(*)",
    "errors": "count(*) FILTER (WHERE error_code <> '')",
    "unknown": "count(*) FILTER (WHERE certainty = 'unknown')",
    "estimated": "count(*) FILTER (WHERE certainty = 'estimated')",
    "partial": "count(*) FILTER (WHERE certainty = 'partial')",
    "unpriced": "count(*) FILTER (WHERE is_unpriced)",
}

BUCKET_SQL = "date_bin('15 minutes', started_at, timestamptz '2000-01-01 00:00:00+00')"
STATUS_CLASS_SQL = "CASE WHEN status IS NULL THEN 'none' ELSE (status / 100) || 'xx' END"


def histogram_sql(milliseconds: str) -> str:
    """Return SQL that counts ``milliseconds`` (an expression) into the histogram's buckets."""
    bounds = "{" + ",".join(map(str, LATENCY_BOUNDS_MS)) + "}"
    position = f"width_bucket({milliseconds}, '{bounds}'::int[])"
    counts = (f"count(*) FILTER (WHERE {position} = {index})" for index in range(len(LATENCY_BOUNDS_MS) + 1))
    return f"ARRAY[{', '.join(counts)}]::bigint[]"


def rollup_select_sql(source: str) -> str:
    """Return SQL that sums the settled attempts of ``source`` (a table, or a subquery's name) into rollup rows."""
    dimensions = ", ".join(STATUS_CLASS_SQL if name == "status_class" else name for name in DIMENSIONS)
    sums = ", ".join(_SUM_OF_ROWS.get(name, f"coalesce(sum({name}), 0)") for name in SUMS)
    groups = ", ".join(str(position) for position in range(1, len(DIMENSIONS) + 3))
    return (
        f"SELECT workspace_id, {BUCKET_SQL}, {dimensions}, {sums}, {histogram_sql('latency_ms')} "  # noqa: S608
        f"FROM {source} WHERE state = 'settled' GROUP BY {groups} ORDER BY {groups}"
    )


def rollup_insert_sql(select: str) -> str:
    """Return SQL that adds the rollup rows of ``select`` to those that are there."""
    added = ", ".join(f"{name} = usage_rollup.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO usage_rollup (workspace_id, bucket, {', '.join(DIMENSIONS)}, {', '.join(SUMS)}, "  # noqa: S608
        f"latency_histogram) {select} "
        f"ON CONFLICT (workspace_id, bucket, {', '.join(DIMENSIONS)}) DO UPDATE SET {added}, "
        "latency_histogram = ARRAY(SELECT a + b FROM unnest(usage_rollup.latency_histogram, "
        "excluded.latency_histogram) WITH ORDINALITY AS pair(a, b, position) ORDER BY position)"
    )


def _record_sql() -> str:
    names = ", ".join(COLUMNS)
    typed = ", ".join(f"{name} {sql_type}" for name, sql_type in COLUMNS.items())
    settled = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")
    return f"""
        WITH incoming AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(%s) AS row ({typed}, local_day date, time_zone text)
        ), written AS (
            INSERT INTO usage_attempt ({names}) SELECT {names} FROM incoming ORDER BY id
            ON CONFLICT (id) DO UPDATE SET {settled}
            WHERE usage_attempt.state = 'open' AND excluded.state = 'settled'
            RETURNING *
        ), rolled AS (
            {rollup_insert_sql(rollup_select_sql("written"))}
        ), days AS (
            -- DO UPDATE rather than DO NOTHING: it locks the row, so that a day being summed waits for us.
            INSERT INTO usage_daystate (workspace_id, day, time_zone, stale_since)
            SELECT workspace_id, local_day, time_zone, now() FROM written JOIN incoming USING (id, workspace_id)
            WHERE written.state = 'settled' AND time_zone IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (workspace_id, day, time_zone) DO UPDATE SET stale_since = excluded.stale_since
        ), used AS (
            INSERT INTO usage_lastuse (key_id, version, at)
            SELECT key_id, version, max(started_at) FROM (
                SELECT gateway_key_id AS key_id, 0 AS version, started_at FROM written
                WHERE gateway_key_id IS NOT NULL
                UNION ALL SELECT provider_key_id, provider_key_version, started_at FROM written
            ) AS uses GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (key_id, version) DO UPDATE SET at = greatest(usage_lastuse.at, excluded.at)
        )
        SELECT count(*) FROM written WHERE state = 'settled'
    """  # noqa: S608  # built from the constants above


RECORD_SQL = _record_sql()
