"""Which providers a workspace's keys reach, as far as the last checks and calls tell."""

from collections.abc import Mapping
from enum import StrEnum

from keys.models import ProviderKey
from keys.states import key_states
from teams.models import Workspace


class Connection(StrEnum):
    """What a provider's keys in use come to: one that does not fail is enough."""

    CONNECTED = "connected"
    FAILING = "failing"


def connections(workspace: Workspace) -> Mapping[str, Connection]:
    """Return the providers that have an enabled key with a version in use. At most five queries."""
    found: dict[str, Connection] = {}
    for state in key_states(list(ProviderKey.objects.in_workspace(workspace).filter(enabled=True))):
        provider = state.key.provider
        if state.in_use and found.get(provider) != Connection.CONNECTED:
            found[provider] = Connection.FAILING if state.status.is_failing else Connection.CONNECTED
    return found
