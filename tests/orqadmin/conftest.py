"""A place for data directories."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose path is short enough for sockets, below none that is closed to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="orqadmin-") as folder:
        yield Path(folder)
