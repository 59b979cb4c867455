"""What the workspace's provider keys let it call."""

from collections import defaultdict

from catalog.targets import Reach
from keys.connections import Connection, connections
from keys.models import KeyVersion, ProviderKey
from providers.base import Target
from teams.models import Workspace


def workspace_reach(workspace: Workspace) -> Reach:
    """Return what can be called, as far as the workspace's allowed regions let it."""
    keys = ProviderKey.objects.in_workspace(workspace).filter(enabled=True, versions__state=KeyVersion.State.ACTIVE)
    targets: dict[str, list[Target]] = defaultdict(list)
    for key in keys:
        targets[key.provider].append(Target(key.url, key.settings))
    failing = {provider for provider, state in connections(workspace).items() if state == Connection.FAILING}
    return Reach(targets, [workspace.allowed_regions], failing)
