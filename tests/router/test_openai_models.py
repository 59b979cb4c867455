"""What Claude Code asks of a model that OpenAI offers reaches it in a form that OpenAI takes."""

import json
from uuid import UUID

import httpx
import pytest

from catalog.files import read_catalog_files
from catalog.index import CatalogIndex
from catalog.queries import load_index
from catalog.services import sync_catalog
from providers.base import Outbound, Target
from providers.registry import PROVIDER_APIS
from router.dialects import MESSAGES
from router.headers import read_headers
from router.plan import Candidate, Offered
from router.snapshot import ProviderKeyEntry, VersionEntry
from router.translation import translate
from simulator.app import Simulator

pytestmark = pytest.mark.django_db

MODELS = [each.slug for each in read_catalog_files().models if each.offerings[0].provider == "openai"]
ASKED = {
    "max_tokens": 150_000,
    "messages": [{"role": "user", "content": "What's the weather in Tokyo?"}],
    "tools": [{"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}],
    "thinking": {"type": "enabled", "budget_tokens": 149_999},
    "temperature": 0.5,
    "top_p": 0.9,
    "stop_sequences": ["END"],
}


@pytest.fixture
def index() -> CatalogIndex:
    sync_catalog()
    return load_index()


def candidate_of(model: str, index: CatalogIndex) -> Candidate:
    """The model at OpenAI itself, as a plan has it."""
    offered = Offered("openai", PROVIDER_APIS["openai"], model, model, index.find("openai", model))
    key = ProviderKeyEntry(UUID(int=1), UUID(int=2), "one", "openai", Target(), 0, 1, [])
    return Candidate(offered, key, VersionEntry(1, b"", b"", None, None), "")


async def send(outbound: Outbound) -> httpx.Response:
    transport = httpx.ASGITransport(app=Simulator())
    headers = {**outbound.headers, "authorization": "Bearer sk-sim-acme"}
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        return await client.request(outbound.method, outbound.url, content=outbound.body)


@pytest.mark.parametrize("model", MODELS)
async def test_a_model_of_openai_takes_what_claude_code_asks(index: CatalogIndex, model: str) -> None:
    parsed = MESSAGES.parse(json.dumps({"model": f"openai/{model}", **ASKED}).encode())
    candidate = candidate_of(model, index)

    translation = await translate(MESSAGES, parsed, read_headers([]), candidate, is_count=False, fetcher=None)
    answer = await send(translation.outbound)

    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"
