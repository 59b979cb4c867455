"""Every feature through every dialect to every provider, whole and streamed, on real sockets, down to the ledger."""

import os
from typing import Any

import pytest

from tests.clouds import PREFIXES, as_messages
from tests.features import FEATURES, Feature
from tests.gateway import Gateway, counts_in_answer, counts_in_row
from tests.matrix import table
from tests.matrix.table import BYTES_ONLY, NOT_THERE, WORKS, Cell
from tests.replies import read_reply
from tests.simulator.recorder import Recorder

PATHS = {
    "chat": "/v3/router/chat/completions",
    "responses": "/v3/router/responses",
    "messages": "/v3/anthropic/v1/messages",
}
COUNTS = {
    "uncached_input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write_5m": "cache_write_5m_input_tokens",
    "cache_write_1h": "cache_write_1h_input_tokens",
    "output": "output_tokens",
}
# What these two do not know passes on the native endpoint as all does, and they say so themselves.
NOT_IN_CLOUDS = {"cache_control at top level", "cache_control at top level, 1h"}
seen: dict[Cell, str] = {}


def cases() -> list[Any]:
    return [
        pytest.param(feature, dialect, id=f"{feature.name}-{dialect}")
        for feature in FEATURES
        for dialect in feature.dialects
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("cloud", PREFIXES)
@pytest.mark.parametrize(("feature", "dialect"), cases())
def test_feature(
    gateway: Gateway, provider: Recorder, feature: Feature, dialect: str, cloud: str, stream: bool
) -> None:
    model = PREFIXES[cloud] + feature.model
    body = feature.body(dialect, model, stream=stream, nonce=f"{dialect} {cloud} {stream}")
    provider.script(feature.scripted)

    response = gateway.post(PATHS[dialect], body)

    cell = (feature.name, dialect, cloud, stream)
    lacking = feature.lacking.get(cloud, {})
    refused = {**feature.refused, **lacking}
    if dialect in refused:
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, refused[dialect])
        assert not provider.exchanges
        seen[cell] = f"400: {error['param']}"
    elif feature.needs_urls and cloud != "anthropic":
        assert response.status_code == 400
        # The native endpoint leaves it to the provider to say so.
        assert bool(provider.exchanges) == (dialect == "messages")
        seen[cell] = BYTES_ONLY
    elif dialect == "messages" and (lacking or (feature.name in NOT_IN_CLOUDS and cloud != "anthropic")):
        assert (response.status_code, provider.one().status) == (400, 400)
        assert response.content == provider.one().answer
        seen[cell] = NOT_THERE
    else:
        assert response.status_code == 200, response.text
        reply = read_reply(dialect, response.content)
        feature.check(dialect, reply)
        feature.sent(provider.one().json)
        row = counts_in_row(gateway.new_row())
        assert row == counts_in_answer(as_messages(provider.one().answer))
        assert row == {column: reply.usage[name] for name, column in COUNTS.items()}
        seen[cell] = WORKS


def test_table_in_the_docs_is_what_was_seen() -> None:
    if seen.keys() != table.expected_cells():
        pytest.skip("not every cell was tested in this run")
    if os.environ.get(table.WRITES):
        table.write(table.render(seen))
    assert table.read() == table.render(seen), f"run {table.WRITES}=1 pytest tests/matrix"
