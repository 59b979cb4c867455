"""A made-up ledger of any size, to see and measure the dashboards with.

PostgreSQL draws it, so that a million rows take a minute.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from catalog.prices import Price, PriceTable, Rates
from usage.partitions import ensure_partitions

PROVIDER = "anthropic"
# The most used first.
MODELS = ("claude-sonnet-4-6", "claude-haiku-4-5", "claude-opus-4-6")
_NANO_PER_RATE = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn: ``rows`` attempts of one workspace, spread over the ``days`` before ``until``."""

    workspace: UUID
    provider_keys: list[UUID]
    gateway_keys: list[UUID]
    rows: int
    days: int
    until: datetime


def seed_attempts(plan: Plan, prices: PriceTable) -> int:
    """Write ``plan.rows`` settled attempts to the ledger, not to its sums; return how many were written."""
    begin = plan.until - timedelta(days=plan.days)
    ensure_partitions(begin + timedelta(days=day) for day in range(plan.days + 2))
    parameters: dict[str, Any] = {
        "workspace": plan.workspace,
        "provider": PROVIDER,
        "provider_keys": plan.provider_keys,
        "gateway_keys": plan.gateway_keys,
        "rows": plan.rows,
        "begin": begin,
        "days": plan.days,
        "until": plan.until,
        **_price_lists([prices.at(PROVIDER, model, plan.until) for model in MODELS]),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(_INSERT, parameters)
        return int(cursor.rowcount)


def _price_lists(prices: list[Price]) -> dict[str, list[Any]]:
    """Return per class the models' rates in nano-dollars a token, in the order of MODELS."""
    classes = Rates.__dataclass_fields__
    rates = {
        f"{name}_rates": [rate and rate * _NANO_PER_RATE for rate in (getattr(price.base, name) for price in prices)]
        for name in classes
    }
    return {"models": list(MODELS), "price_ids": [price.id for price in prices], **rates}


# Calls cluster around noon; few applications make most of them, each with one dialect, mostly one model and one
# provider key; sizes are log-normal, for a product of uniform
# draws is nearly so. One call in forty fails, one in a hundred is left by its client.
_INSERT = """
    INSERT INTO usage_attempt (
        id, request_id, attempt, kind, dialect, workspace_id, project_id, gateway_key_id, provider_key_id,
        provider_key_version, provider, region, model_asked, model, model_served, identity, session, tags, stream,
        state, certainty, status, error_code, final, started_at, ended_at, latency_ms, ttft_ms,
        uncached_input_tokens, cache_read_input_tokens, cache_write_5m_input_tokens, cache_write_1h_input_tokens,
        output_tokens, reasoning_output_tokens, web_searches,
        uncached_input_cost_nano, cache_read_input_cost_nano, cache_write_5m_input_cost_nano,
        cache_write_1h_input_cost_nano, output_cost_nano, cache_savings_nano, is_unpriced, price_id,
        upstream_request_id
    )
    WITH drawn AS MATERIALIZED (
        SELECT number, md5(random()::text) AS hex, random() AS fate, random() < 0.7 AS stream,
            least(
                %(begin)s + floor(random() * %(days)s) * interval '1 day'
                    + (random() + random() + random()) / 3 * interval '1 day',
                %(until)s - interval '1 second'
            ) AS started_at,
            floor(power(random(), 3) * cardinality(%(gateway_keys)s::uuid[]))::int AS app,
            random() AS choice,
            (30 / (0.02 + random() * random()))::bigint AS uncached,
            CASE WHEN random() < 0.7 THEN (2000 / (0.05 + random()))::bigint ELSE 0 END AS cache_read,
            CASE WHEN random() < 0.2 THEN (800 / (0.05 + random()))::bigint ELSE 0 END AS cache_write_5m,
            CASE WHEN random() < 0.05 THEN (900 / (0.05 + random()))::bigint ELSE 0 END AS cache_write_1h,
            (40 / (0.03 + random() * random()))::bigint AS output,
            random() AS thinking
        FROM generate_series(1, %(rows)s) AS number
    ), ended AS (
        SELECT *,
            1 + (app + CASE WHEN choice < 0.9 THEN 0 ELSE 1 END) %% cardinality(%(models)s::text[]) AS model,
            1 + (app + CASE WHEN choice < 0.05 THEN 1 ELSE 0 END) %% cardinality(%(provider_keys)s::uuid[])
                AS provider_key,
            CASE WHEN fate < 0.96 THEN 200 WHEN fate < 0.975 THEN 429 WHEN fate < 0.985 THEN 529
                WHEN fate < 0.995 THEN 200 WHEN fate < 0.999 THEN 400 END AS status,
            CASE WHEN fate >= 0.985 AND fate < 0.995 THEN 'estimated' WHEN fate >= 0.999 THEN 'unknown'
                ELSE 'exact' END AS certainty,
            CASE WHEN fate < 0.96 THEN '' WHEN fate < 0.975 THEN 'rate_limit_exceeded'
                WHEN fate < 0.985 THEN 'provider_overloaded' WHEN fate < 0.995 THEN ''
                WHEN fate < 0.999 THEN 'invalid_request_body' ELSE 'gateway_stopped' END AS error_code,
            fate < 0.96 OR fate >= 0.985 AND fate < 0.995 AS is_ok
        FROM drawn
    ), sized AS (
        SELECT *, greatest(300, output * 9 + uncached / 20)::int AS latency_ms,
            CASE WHEN is_ok THEN uncached END AS uncached_tokens,
            CASE WHEN is_ok THEN cache_read END AS read_tokens,
            CASE WHEN is_ok THEN cache_write_5m END AS write_5m_tokens,
            CASE WHEN is_ok THEN cache_write_1h END AS write_1h_tokens,
            CASE WHEN is_ok THEN output END AS output_tokens
        FROM ended
    ), priced AS (
        SELECT *,
            round(coalesce(uncached_tokens, 0) * (%(uncached_input_rates)s::numeric[])[model]) AS uncached_nano,
            round(coalesce(read_tokens, 0) * (%(cache_read_input_rates)s::numeric[])[model]) AS read_nano,
            round(coalesce(write_5m_tokens, 0) * (%(cache_write_5m_input_rates)s::numeric[])[model]) AS write_5m_nano,
            round(coalesce(write_1h_tokens, 0) * (%(cache_write_1h_input_rates)s::numeric[])[model]) AS write_1h_nano,
            round(coalesce(output_tokens, 0) * (%(output_rates)s::numeric[])[model]) AS output_nano,
            round(coalesce(read_tokens + write_5m_tokens + write_1h_tokens, 0)
                * (%(uncached_input_rates)s::numeric[])[model]) AS if_uncached_nano
        FROM sized
    )
    SELECT
        (lpad(to_hex(floor(extract(epoch FROM started_at) * 1000)::bigint), 12, '0')
            || '7' || substr(hex, 1, 3) || '8' || substr(hex, 4, 15))::uuid,
        hex, 1, 'live', (ARRAY['messages', 'chat', 'responses'])[1 + app %% 3], %(workspace)s, NULL,
        (%(gateway_keys)s::uuid[])[1 + app], (%(provider_keys)s::uuid[])[provider_key], 1, %(provider)s, '',
        %(provider)s || '/' || (%(models)s::text[])[model], (%(models)s::text[])[model], (%(models)s::text[])[model],
        'user-' || substr(hex, 1, 2), 'session-' || substr(hex, 1, 4), '{}', stream,
        'settled', certainty, status, error_code, true, started_at, started_at + latency_ms * interval '1 ms',
        latency_ms, CASE WHEN is_ok AND stream THEN least(latency_ms, 250 + latency_ms / 20) END,
        uncached_tokens, read_tokens, write_5m_tokens, write_1h_tokens, output_tokens,
        CASE WHEN thinking < 0.3 THEN output_tokens / 3 ELSE output_tokens * 0 END, output_tokens * 0,
        uncached_nano, read_nano, write_5m_nano, write_1h_nano, output_nano,
        if_uncached_nano - read_nano - write_5m_nano - write_1h_nano, output_nano IS NULL,
        (%(price_ids)s::bigint[])[model],
        CASE WHEN status IS NULL THEN '' ELSE 'req_' || hex END
    FROM priced
    ON CONFLICT (id) DO NOTHING
"""
