"""A gateway for each module of replays."""

from collections.abc import Iterator

import pytest

from tests.gateway import transactional_db
from tests.recordings.replaying import Replayer, running_replayer

__all__ = ["transactional_db"]


@pytest.fixture(scope="module")
def replayer(transactional_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayer]:
    with running_replayer(tmp_path_factory.mktemp("gateway")) as running:
        yield running
