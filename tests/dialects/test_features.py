"""Every feature through the translation alone, with the simulator behind it: dialect by dialect, whole and streamed."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from providers.sse import SSEDecoder
from router.dialects import DIALECTS
from router.dialects.base import ModelFacts, RequestRefused
from simulator.app import Simulator
from tests.dialects.samples import (
    ADAPTIVE,
    ALWAYS_THINKS,
    BUDGET_ONLY,
    NO_SAMPLING,
    THINKS_BETWEEN_TOOLS,
    make_context,
    stream_of,
)
from tests.features import FEATURES, Feature
from tests.replies import read_reply

FACTS = {
    "claude-sonnet-4-6": ADAPTIVE,
    "claude-haiku-4-5-20251001": BUDGET_ONLY,
    "claude-sonnet-4-0": BUDGET_ONLY,
    "claude-opus-4-8": NO_SAMPLING,
    "claude-opus-5-5": ALWAYS_THINKS,
    "claude-sonnet-5-5": THINKS_BETWEEN_TOOLS,
}
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def cases(*, refused: bool) -> list[Any]:
    return [
        pytest.param(feature, dialect, id=f"{feature.name}-{dialect}")
        for feature in FEATURES
        for dialect in feature.dialects
        if (dialect in feature.refused) == refused
    ]


def facts_for(feature: Feature) -> ModelFacts:
    return FACTS[feature.model]


def call_simulator(body: dict[str, Any]) -> bytes:
    async def post() -> httpx.Response:
        headers = {"x-api-key": "sk-ant-sim-acme", "anthropic-version": "2023-06-01"}
        transport = httpx.ASGITransport(app=Simulator())
        async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
            return await client.post("/v1/messages", json=body, headers=headers)

    response = asyncio.run(post())
    assert response.status_code == 200, response.text
    return response.content


@STREAM_OR_NOT
@pytest.mark.parametrize(("feature", "name"), cases(refused=False))
def test_feature(feature: Feature, name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    parsed = dialect.parse(json.dumps(feature.body(name, f"anthropic/{feature.model}", stream=stream)).encode())
    sent = dialect.to_messages(parsed, facts_for(feature))
    feature.sent(sent)
    if feature.scripted is not None:
        answer = stream_of(feature.scripted) if stream else json.dumps(feature.scripted).encode()
    else:
        answer = call_simulator({"model": feature.model, **sent})

    context = make_context(parsed)
    if stream:
        renderer = dialect.stream_renderer(context)
        rendered = b"".join(map(renderer.feed, SSEDecoder().events(answer))) + renderer.finish()
    else:
        rendered = dialect.render_answer(answer, context)

    feature.check(name, read_reply(name, rendered))


@pytest.mark.parametrize(("feature", "name"), cases(refused=True))
def test_refused(feature: Feature, name: str) -> None:
    dialect = DIALECTS[name]
    raw = json.dumps(feature.body(name, f"anthropic/{feature.model}", stream=False)).encode()

    with pytest.raises(RequestRefused) as refused:
        dialect.to_messages(dialect.parse(raw), facts_for(feature))

    assert (refused.value.status, refused.value.param) == (400, feature.refused[name])
