"""In which state each provider key is now. Every page that speaks of one asks here, so that they agree."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max
from django.utils import timezone

from keys.keyrings import keyring
from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.status import Status, status_of_key
from usage.models import Rollup


@dataclass(frozen=True)
class KeyState:
    """A provider key, its version in use, and what checks, calls and the gateway tell of that.

    ``last_call`` is the newest finished test call of the version in use, else the one under way. ``set_asides`` are
    all that is noted of the key, also what is over; of a disabled key nothing, for there it does not matter.
    """

    key: ProviderKey
    in_use: KeyVersion | None
    last_call: TestCall | None
    status: Status
    set_asides: Sequence[SetAside]

    @property
    def left_out_for(self) -> list[SetAside]:
        """Why the gateway leaves the version in use out for now; what holds for all models comes first."""
        return [each for each in self.set_asides if self.in_use and _holds(each, self.in_use)]

    @property
    def age_days(self) -> int | None:
        """How many days ago the secret in use was stored: switching back to an old one makes it no younger."""
        return (timezone.now() - self.in_use.created_at).days if self.in_use else None

    @property
    def is_rotation_due(self) -> bool:
        days = self.key.rotate_every_days
        return days is not None and self.age_days is not None and self.age_days >= days


def key_states(keys: Sequence[ProviderKey]) -> list[KeyState]:
    """Return the state of each key, in the same order. At most four queries, however many there are."""
    if not keys:
        return []
    in_use = _versions_in_use(keys)
    calls = _last_calls(in_use.values())
    working = _worked_since(calls.values())
    set_asides = _set_asides(keys)
    return [_state_of(key, in_use.get(key.pk), calls=calls, working=working, noted=set_asides[key.pk]) for key in keys]


def _state_of(
    key: ProviderKey,
    in_use: KeyVersion | None,
    *,
    calls: Mapping[int, TestCall],
    working: Collection[int],
    noted: Sequence[SetAside],
) -> KeyState:
    last_call = calls.get(in_use.pk) if in_use else None
    status = status_of_key(
        key,
        in_use,
        last_call,
        master_key_ids=keyring().ids,
        set_asides=[each for each in noted if in_use and _holds(each, in_use)],
        has_worked_since=in_use is not None and in_use.pk in working,
    )
    return KeyState(key, in_use, last_call, status, noted)


def _holds(set_aside: SetAside, version: KeyVersion) -> bool:
    return set_aside.version == version.number and not set_aside.is_over


def _versions_in_use(keys: Sequence[ProviderKey]) -> dict[UUID, KeyVersion]:
    versions = KeyVersion.objects.active().filter(provider_key__in=keys)
    unsealed = versions.defer("ciphertext", "wrapped_data_key", "fingerprint")
    return {version.provider_key_id: version for version in unsealed}


def _last_calls(versions: Collection[KeyVersion]) -> dict[int, TestCall]:
    """Return the newest finished call of each version by its id, else the one under way."""
    calls = TestCall.objects.filter(version__in=versions).select_related("version__provider_key")
    # The states in the order of the alphabet begin with "done", and each has its newest call.
    newest = calls.order_by("version_id", "state", "-queued_at").distinct("version_id", "state")
    found: dict[int, TestCall] = {}
    for call in newest:
        found.setdefault(call.version_id, call)
    return found


def _worked_since(calls: Collection[TestCall]) -> set[int]:
    """Return the versions that requests succeeded with after these calls had failed, as the 15-minute sums tell.

    A success in the quarter hour of the failed call counts with the next one.
    """
    failed = {
        (call.version.provider_key_id, call.version.number): call for call in calls if call.is_done and not call.is_ok
    }
    if not failed:
        return set()
    successes = Rollup.objects.filter(
        workspace_id__in={call.version.provider_key.workspace_id for call in failed.values()},
        bucket__gt=min(map(_ended_at, failed.values())),
        provider_key_id__in={key for key, _ in failed},
        status_class="2xx",
    )
    newest = successes.values_list("provider_key_id", "provider_key_version").annotate(Max("bucket"))
    return {
        failed[key, number].version_id
        for key, number, bucket in newest
        if (key, number) in failed and bucket > _ended_at(failed[key, number])
    }


def _ended_at(call: TestCall) -> datetime:
    return call.finished_at or call.queued_at


def _set_asides(keys: Sequence[ProviderKey]) -> Mapping[UUID, list[SetAside]]:
    noted: dict[UUID, list[SetAside]] = defaultdict(list)
    for each in SetAside.objects.filter(provider_key__in=[key for key in keys if key.enabled]):
        noted[each.provider_key_id].append(each)
    return noted
