"""The cast: alice owns the workspace, bob is on her team, mallory owns another one and may see nothing of theirs."""

import pytest

from teams.models import Role, User, Workspace
from tests.factories import make_member, make_workspace


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_workspace()


@pytest.fixture
def alice(workspace: Workspace) -> User:
    return make_member(workspace, "alice@example.com", Role.OWNER)


@pytest.fixture
def bob(workspace: Workspace) -> User:
    return make_member(workspace, "bob@example.com", Role.DEVELOPER)


@pytest.fixture
def other_workspace(db: None) -> Workspace:
    return make_workspace(slug="umbrella", name="Umbrella")


@pytest.fixture
def mallory(other_workspace: Workspace) -> User:
    return make_member(other_workspace, "mallory@example.com", Role.OWNER)
