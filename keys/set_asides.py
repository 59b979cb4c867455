"""Keys that the gateway leaves out for a while because their provider refused them.

Shared by all gateways and shown on the BYOK pages. A row is a fact about one version of a key, for all models or for
one; it ends when a call succeeds, when somebody changes the key, or when its time is up and the next call is the probe.
"""

from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from providers.base import Outcome

LONGEST_DETAIL = 300


@transaction.atomic
def note_set_aside(
    key_id: UUID, version: int, model: str, outcome: Outcome, detail: str, until: datetime
) -> SetAside | None:
    """Leave version number ``version`` of the key out until ``until``, for ``model`` (the upstream's id; '' for all).

    A repeat that says nothing new writes nothing, so that no gateway reloads. None if the version takes no more calls.
    """
    usable = [KeyVersion.State.ACTIVE, KeyVersion.State.DRAINING]
    key = ProviderKey.objects.select_for_update().filter(pk=key_id, deleted_at=None).first()
    if key is None or not key.versions.filter(number=version, state__in=usable).exists():
        return None
    noted = key.set_asides.filter(version=version, model=model).first()
    if noted is None:
        return SetAside.objects.create(
            provider_key=key,
            version=version,
            model=model,
            outcome=outcome,
            detail=detail[:LONGEST_DETAIL],
            until=until,
        )
    if noted.outcome != outcome or noted.until < until:
        noted.outcome, noted.detail, noted.until = outcome, detail[:LONGEST_DETAIL], max(until, noted.until)
        noted.save(update_fields=["outcome", "detail", "until"])
    return noted


def clear_set_aside(key_id: UUID, version: int, model: str = "") -> int:
    """Use the version again, for ``model`` and for what holds for all models; return how many rows that ended.

    A call that succeeded with one model disproves what was noted for all of them.
    """
    return _end(SetAside.objects.filter(provider_key=key_id, version=version, model__in={"", model}))


def end_set_asides(key: ProviderKey) -> int:
    """Use every version of ``key`` again; return how many rows that ended."""
    return _end(key.set_asides.all())


def end_set_asides_of_version(version: KeyVersion) -> int:
    """Forget what was noted of ``version``; return how many rows that were."""
    return _end(SetAside.objects.filter(provider_key=version.provider_key_id, version=version.number))


def end_disproved(call: TestCall) -> int:
    """End what a test call that went well has disproved; return how many rows that were.

    A check proves the credential and nothing about credit or models; a message proves all it took.
    """
    version = call.version
    if call.kind == TestCall.Kind.MESSAGE:
        return clear_set_aside(version.provider_key_id, version.number, call.model)
    noted = SetAside.objects.filter(provider_key=version.provider_key_id, version=version.number)
    return _end(noted.filter(outcome=Outcome.INVALID_CREDENTIAL))


def _end(set_asides: models.QuerySet[SetAside]) -> int:
    # Asked first: a DELETE that finds nothing would make every gateway reload all the same.
    ids = list(set_asides.values_list("pk", flat=True))
    return SetAside.objects.filter(pk__in=ids).delete()[0] if ids else 0
