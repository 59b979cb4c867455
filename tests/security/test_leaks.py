"""The search for leaks finds what is there, in each spelling and each place; else its silence would mean nothing."""

import base64
import json
import random
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import redis
from django.conf import settings
from django.core.cache import cache

from teams.audit import record_event
from teams.models import GatewayKeySecret, Workspace
from tests.factories import make_gateway_key
from tests.security.leaks import database_columns, files_below, leaks_in, redis_values, spellings_of

CANARY = 'sk-ant-api03-canary-"<&%+/=\\é'


@pytest.mark.parametrize(
    "content",
    [
        CANARY.encode(),
        f"before{CANARY}after".encode(),
        json.dumps({"key": CANARY}).encode(),
        json.dumps({"body": json.dumps({"key": CANARY})}).encode(),
        escape(f"<b>{CANARY}").encode(),
        quote(CANARY, safe="").encode(),
        quote_plus(CANARY).encode(),
        repr({"key": CANARY}).encode(),
        CANARY.encode().hex().encode(),
        CANARY.encode()[::-1],
        *(base64.b64encode(b"x" * offset + CANARY.encode() + b"y" * 5) for offset in range(6)),
        *(base64.urlsafe_b64encode(b"x" * offset + CANARY.encode() + b"y" * 4) for offset in range(6)),
        *(base64.b64encode(b"x" * offset + json.dumps([CANARY]).encode()) for offset in range(3)),
    ],
)
def test_finds_each_spelling(content: bytes) -> None:
    assert leaks_in(content, [CANARY])


def test_finds_nothing_in_other_text() -> None:
    noise = random.Random(5).randbytes(200_000)

    assert not leaks_in(noise + base64.b64encode(noise) + noise.hex().encode(), [CANARY])


def test_each_spelling_is_long_enough_to_be_no_accident() -> None:
    assert min(map(len, spellings_of(CANARY).values())) >= 16


def test_finds_it_in_a_text_column(workspace: Workspace) -> None:
    record_event(None, "test", workspace, workspace=workspace, after={"key": CANARY})

    assert [name for name, content in database_columns() if leaks_in(content, [CANARY])] == ["teams_auditevent.after"]


def test_finds_it_in_a_binary_column(workspace: Workspace) -> None:
    GatewayKeySecret.objects.create(key=make_gateway_key(workspace).key, sha256=CANARY.encode())

    leaking = {name for name, content in database_columns() if leaks_in(content, [CANARY])}

    assert leaking == {"teams_gatewaykeysecret.sha256", "teams_gatewaykeysecret.sha256 (bytes)"}


def test_finds_it_in_the_cache() -> None:
    cache.set("tests:leak", {"key": CANARY})
    try:
        assert [name for name, content in redis_values() if leaks_in(content, [CANARY])]
    finally:
        cache.delete("tests:leak")


@pytest.mark.parametrize("kind", ["list", "set", "zset", "hash", "stream"])
def test_finds_it_in_each_type_of_redis(kind: str) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        key, value = f"tests:leak:{kind}", base64.b64encode(CANARY.encode())
        match kind:
            case "list":
                server.rpush(key, value)
            case "set":
                server.sadd(key, value)
            case "zset":
                server.zadd(key, {value: 1})
            case "hash":
                server.hset(key, "field", value)
            case "stream":
                server.xadd(key, {"field": value})
        try:
            assert [name for name, content in redis_values() if leaks_in(content, [CANARY])] == [f"redis 0 b'{key}'"]
        finally:
            server.delete(key)


def test_finds_it_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "0001.log").write_bytes(b"\x00\x01" + CANARY.encode())

    assert [name for name, content in files_below(tmp_path) if leaks_in(content, [CANARY])] == ["deep/0001.log"]
