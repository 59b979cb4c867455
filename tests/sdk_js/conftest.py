"""What the packages for JavaScript run on: node, and the gateway in front of the simulator."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import transactional_db
from tests.node import fetch_packages
from tests.sdk.conftest import gateway, model, module_simulated, provider, simulated

__all__ = ["gateway", "model", "module_simulated", "provider", "simulated", "transactional_db"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def folder(tmp_path_factory: Any) -> Path:
    """A folder with the packages, and with the calls."""
    fetched = fetch_packages(HERE, tmp_path_factory.mktemp("sdk_js"))
    shutil.copy(HERE / "calls.mjs", fetched)
    return fetched
