"""Which providers a workspace's keys reach, as far as the last checks and calls tell."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from django.utils import timezone

from keys.models import KeyVersion, SetAside, TestCall
from keys.status import status_of_call
from teams.models import Workspace


class Connection(StrEnum):
    """What a provider's keys in use come to: one that does not fail is enough."""

    CONNECTED = "connected"
    FAILING = "failing"


def connections(workspace: Workspace) -> Mapping[str, Connection]:
    """Return the providers that have an enabled key with a version in use. Three queries."""
    in_use = (
        KeyVersion.objects.in_workspace(workspace)
        .active()
        .filter(provider_key__enabled=True)
        .values_list("pk", "number", "provider_key_id", "provider_key__provider")
    )
    last_calls = _last_calls([version for version, *_ in in_use])
    set_aside = _set_aside([key for _, _, key, _ in in_use])
    found: dict[str, Connection] = {}
    for version, number, key, provider in in_use:
        fails = (key, number) in set_aside or status_of_call(last_calls.get(version)).is_failing
        if found.get(provider) != Connection.CONNECTED:
            found[provider] = Connection.FAILING if fails else Connection.CONNECTED
    return found


def _last_calls(versions: list[int]) -> dict[int, TestCall]:
    done = TestCall.objects.filter(version__in=versions, state=TestCall.State.DONE)
    done = done.select_related("version__provider_key")
    return {call.version_id: call for call in done.order_by("version_id", "-queued_at").distinct("version_id")}


def _set_aside(keys: list[UUID]) -> set[tuple[UUID, int]]:
    """Return the keys and numbers of the versions that no model is called with for now."""
    noted = SetAside.objects.filter(provider_key__in=keys, model="", until__gt=timezone.now())
    return set(noted.values_list("provider_key_id", "version"))
