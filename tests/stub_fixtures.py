"""The ``stub`` fixture; a conftest takes it by ``from tests.stub_fixtures import stub``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stub import Stub


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """A fresh upstream on a socket, with its log of the truth in the test's own folder."""
    with Stub(truth_path=tmp_path / "truth.jsonl") as running:
        yield running
