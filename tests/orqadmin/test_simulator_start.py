"""When ``manage.py up`` starts the simulator."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from orqadmin.management.commands.up import Once, simulator_is_wanted
from teams.models import Workspace
from tests.factories import make_provider_key


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def say(said: list[str]) -> Callable[[str], None]:
    return Once(said.append)


def test_it_waits_for_a_workspace_that_connects_it(workspace: Workspace, say: Callable[[str], None]) -> None:
    make_provider_key(workspace)

    assert not simulator_is_wanted(say)


def test_a_port_that_is_taken_is_told_once_and_waited_for(
    workspace: Workspace, settings: Any, say: Callable[[str], None], said: list[str]
) -> None:
    make_provider_key(workspace, provider="simulated")
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.SIMULATOR_PORT = port = other.getsockname()[1]

        assert not simulator_is_wanted(say)
        assert not simulator_is_wanted(say)

    assert simulator_is_wanted(say)
    assert said == [f"Port {port} is taken; set ORQADMIN_SIMULATOR_PORT. Simulated Anthropic waits for it."]
