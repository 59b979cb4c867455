"""What a workspace's provider keys reach, as far as the last checks and calls tell."""

from collections import defaultdict

from catalog.targets import Reach
from keys.models import ProviderKey
from keys.states import key_states
from providers.base import Target
from teams.models import Workspace


def workspace_reach(workspace: Workspace) -> Reach:
    """Return what the enabled keys with a version in use can call, as far as the workspace's allowed regions let them.

    A provider fails if each of its keys does. At most five queries.
    """
    targets: dict[str, list[Target]] = defaultdict(list)
    working: set[str] = set()
    for state in key_states(list(ProviderKey.objects.in_workspace(workspace).filter(enabled=True))):
        if state.in_use is None:
            continue
        targets[state.key.provider].append(Target(state.key.url, state.key.settings))
        if not state.status.is_failing:
            working.add(state.key.provider)
    return Reach(targets, [workspace.allowed_regions], targets.keys() - working)
