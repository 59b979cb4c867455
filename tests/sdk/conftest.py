"""The makers' own clients, pointed at a gateway in front of the simulator, which serves a whole module of tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from orq_ai_sdk import Orq

from tests.clouds import PREFIXES, as_messages, connect_clouds, simulated_token_service
from tests.gateway import Gateway, connected_gateway, counts_in_answer, transactional_db
from tests.router.conftest import wait_for
from tests.simulator.recorder import Recorder
from tests.simulator.running import Running

__all__ = ["transactional_db"]

PROVIDER_SECRET = "sk-ant-sim-acme"


@dataclass
class Simulated:
    """A gateway and the simulator behind it."""

    gateway: Gateway
    provider: Recorder

    def __post_init__(self) -> None:
        self.openai_settings = self._settings("/v3/router", api_key=self.gateway.token)
        self.anthropic_settings = self._settings("/v3/anthropic", auth_token=self.gateway.token)

    def _settings(self, path: str, **credential: str) -> dict[str, Any]:
        # Retries would hide what a single call comes to.
        return {"base_url": self.gateway.url + path, "max_retries": 0, **credential}


def counts_told(provider: Recorder) -> dict[str, int | None]:
    """Return the five counts in the one answer that the simulator gave, in whichever provider's form."""
    return counts_in_answer(as_messages(provider.one().answer))


@pytest.fixture(scope="module")
def module_simulated(transactional_db: None, tmp_path_factory: Any) -> Iterator[Simulated]:
    recorder, folder = Recorder(), tmp_path_factory.mktemp("gateway")
    with (
        Running(recorder) as simulator,
        simulated_token_service(simulator.origin),
        connected_gateway(simulator.origin, PROVIDER_SECRET, folder) as gateway,
    ):
        connect_clouds(gateway.workspace, simulator.origin)
        wait_for(
            lambda: gateway.request("GET", "/v3/router/models/google/anthropic/claude-sonnet-4-6").is_success or None
        )
        yield Simulated(gateway, recorder)


@pytest.fixture
def simulated(module_simulated: Simulated) -> Simulated:
    """The module's gateway and simulator, with nothing of earlier tests to be seen."""
    module_simulated.gateway.forget_rows()
    module_simulated.provider.forget()
    return module_simulated


@pytest.fixture
def gateway(simulated: Simulated) -> Gateway:
    return simulated.gateway


@pytest.fixture
def provider(simulated: Simulated) -> Recorder:
    return simulated.provider


@pytest.fixture(params=PREFIXES)
def model(request: pytest.FixtureRequest) -> str:
    """Claude Sonnet 4.6 at each of the three providers."""
    return f"{PREFIXES[request.param]}claude-sonnet-4-6"


@pytest.fixture
def openai_sdk(simulated: Simulated) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(**simulated.openai_settings) as client:
        yield client


@pytest.fixture
def anthropic_sdk(simulated: Simulated) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(**simulated.anthropic_settings) as client:
        yield client


@pytest.fixture
def orq_sdk(simulated: Simulated) -> Iterator[Orq]:
    with Orq(server_url=simulated.gateway.url, api_key=simulated.gateway.token) as client:
        yield client
