"""What the page's code blocks run on: the simulator behind a gateway, and node with the package they import."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import transactional_db
from tests.node import fetch_packages
from tests.sdk.conftest import gateway, module_simulated, provider, simulated

__all__ = ["gateway", "module_simulated", "provider", "simulated", "transactional_db"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: Any) -> Path:
    """A folder in which ``import OpenAI from "openai"`` works."""
    return fetch_packages(HERE, tmp_path_factory.mktemp("node"))


def environment(token: str, home: Path) -> dict[str, str]:
    """Return the environment of someone who followed the page: the key is in it, and no proxy."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "*", "ORQ_API_KEY": token}
