"""Looks for a secret wherever the product leaves something: every column, Redis value, file, log line and page.

A secret is looked for as it is and in the spellings that JSON, HTML, URLs, hex and base64 give it; in base64 at each
of the three places it can have within a longer text.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

import redis
from django.conf import settings
from django.db import connection


def spellings_of(secret: str) -> dict[str, bytes]:
    """Return each way to write ``secret``, by what it is called. Base64 and hex are those of the text itself."""
    plain = secret.encode()
    spellings = {
        "plain": plain,
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON, not only ASCII": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "JSON twice": json.dumps(json.dumps(secret))[3:-3].encode(),
        "HTML": escape(secret).encode(),
        "repr": repr(secret)[1:-1].encode(),
        "URL": quote(secret, safe="").encode(),
        "URL, lower case": quote(secret, safe="").lower().encode(),
        "form": quote_plus(secret).encode(),
        "hex": plain.hex().encode(),
        "hex, upper case": plain.hex().upper().encode(),
        "backwards": plain[::-1],
    }
    # Within JSON within base64, as a message of the broker.
    for name, text in (("", plain), (" of JSON", spellings["JSON"])):
        for offset in range(3):
            for alphabet, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
                spellings[f"{alphabet}{name} at {offset}"] = _inner_base64(text, offset, encode)
    return spellings


def _inner_base64(text: bytes, offset: int, encode: object) -> bytes:
    """Return the characters of base64 that ``text`` alone decides when ``offset`` bytes stand in front of it."""
    assert callable(encode)
    encoded: bytes = encode(b"\x00" * offset + text)
    # A character holds six bits: those that share bits with what stands in front or behind are left out.
    first = -(-offset * 8 // 6)
    last = (offset + len(text)) * 8 // 6
    return encoded[first:last]


def leaks_in(content: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the spellings in which one of ``secrets`` stands in ``content``."""
    return [name for secret in secrets for name, spelling in spellings_of(secret).items() if spelling in content]


def database_columns() -> Iterator[tuple[str, bytes]]:
    """Yield every table and column of the database with all its values as text; binary ones as hex and as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        for table, column, data_type in cursor.fetchall():
            cursor.execute(f'SELECT "{column}"::text FROM "{table}" WHERE "{column}" IS NOT NULL')
            text = "\n".join(value for (value,) in cursor.fetchall())
            yield f"{table}.{column}", text.encode()
            if data_type == "bytea":
                cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
                yield f"{table}.{column} (bytes)", b"\n".join(bytes(value) for (value,) in cursor.fetchall())


def redis_values() -> Iterator[tuple[str, bytes]]:
    """Yield every key in every database of Redis, and what it holds: cache entries and the broker's messages."""
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        pool = server.connection_pool.connection_kwargs
        for database in {int(name[2:]) for name in server.info("keyspace")} | {pool.get("db", 0)}:
            server.execute_command("SELECT", database)
            for key in server.keys("*"):
                yield f"redis {database} {key!r}", key + b"\n" + _value_of(server, key)
        server.execute_command("SELECT", pool.get("db", 0))


def _value_of(server: "redis.Redis[bytes]", key: bytes) -> bytes:
    readers = {
        b"string": lambda: [server.get(key)],
        b"list": lambda: server.lrange(key, 0, -1),
        b"set": lambda: server.smembers(key),
        b"zset": lambda: server.zrange(key, 0, -1),
        b"hash": lambda: [part for pair in server.hgetall(key).items() for part in pair],
        b"stream": lambda: [part for _, fields in server.xrange(key) for pair in fields.items() for part in pair],
    }
    return b"\n".join(part or b"" for part in readers[server.type(key)]())


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below ``folder`` and what it holds."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
