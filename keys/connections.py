"""What a workspace's provider keys reach, as far as the last checks and calls tell."""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum

from catalog.targets import Reach
from keys.models import KeyVersion, ProviderKey
from keys.states import key_states
from providers.base import Target
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


def workspace_reach(workspace: Workspace) -> Reach:
    """Return what can be called, as far as the workspace's allowed regions let it."""
    keys = ProviderKey.objects.in_workspace(workspace).filter(enabled=True, versions__state=KeyVersion.State.ACTIVE)
    targets: dict[str, list[Target]] = defaultdict(list)
    for key in keys:
        targets[key.provider].append(Target(key.url, key.settings))
    failing = {provider for provider, state in connections(workspace).items() if state == Connection.FAILING}
    return Reach(targets, [workspace.allowed_regions], failing)
