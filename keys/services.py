"""Changes to provider keys: store, rotate, test, disable, delete.

Each locks the key's row, checks, saves and writes the audit event in one transaction; work for later is queued
by name on commit, and losing that message only delays it. All but creating raise KeyDeleted for a key that is gone.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from keys.calling import TestResult as TestResult
from keys.calling import perform_test_call as perform_test_call
from keys.credentials import check_base_url, hint_of, read_settings
from keys.crypto import SealContext
from keys.keyrings import keyring as keyring
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.set_asides import clear_set_aside as clear_set_aside
from keys.set_asides import end_disproved, end_set_asides, end_set_asides_of_version
from keys.set_asides import note_set_aside as note_set_aside
from providers.base import Outcome
from providers.secret import Secret
from teams.audit import Actor, record_event
from teams.models import Workspace

logger = logging.getLogger(__name__)

# A call still marked as running after this long lost its worker.
TEST_CALL_LOST_AFTER = timedelta(seconds=60)


class KeysError(Exception):
    """A change to a provider key that cannot be made; the text is for people."""


class NameTaken(KeysError):
    """Another key of this provider has the name."""


class KeyDeleted(KeysError):
    """The provider key was deleted; nothing can be done to it any more."""


class VersionRevoked(KeysError):
    """The version was revoked; it can neither be switched to nor tested."""


class SecretRequired(KeysError):
    """The origin changed: the stored secret may not go there, it must be pasted again."""


class NotCallable(KeysError):
    """The gateway cannot call this provider yet."""


def allowed_origins() -> frozenset[str]:
    """Return the origins, beside each provider's own, that keys may be sent to."""
    return frozenset(settings.ALLOWED_ORIGINS)


@transaction.atomic
def create_provider_key(
    workspace: Workspace,
    *,
    provider: str,
    name: str,
    secret: Secret,
    actor: Actor | None,
    base_url: str = "",
    key_settings: Mapping[str, Any] | None = None,
) -> ProviderKey:
    """Store a credential as version 1, in use at once, and queue its free check.

    Raises NameTaken, NotCallable, OriginNotAllowed or SettingInvalid.
    """
    key = ProviderKey(
        workspace=workspace,
        provider=provider,
        name=name,
        base_url=check_base_url(provider, base_url, allowed_origins=allowed_origins()),
    )
    if not key.provider_info.is_callable:
        raise NotCallable(f"{key.provider_info.name} is coming; the gateway cannot call it yet.")
    key.settings = read_settings(key.provider_info, key_settings or {}, secret)
    last = ProviderKey.objects.in_workspace(workspace).filter(provider=provider).aggregate(last=Max("order"))["last"]
    key.order = 0 if last is None else last + 1
    _save_named(key)
    version = _add_version(key, secret, state=KeyVersion.State.ACTIVE)
    record_event(actor, "provider_key.create", key, workspace=workspace, after=_shown(key))
    request_test_call(version, kind=TestCall.Kind.CHECK, actor=actor)
    return key


@transaction.atomic
def add_version(key: ProviderKey, *, secret: Secret, actor: Actor | None) -> KeyVersion:
    """Store a new secret beside the one in use, as a draft, and queue its free check."""
    key = _locked(key)
    version = _add_version(key, secret, state=KeyVersion.State.DRAFT)
    record_event(actor, "provider_key.add_version", key, workspace=key.workspace, after={"version": version.number})
    request_test_call(version, kind=TestCall.Kind.CHECK, actor=actor)
    return version


@transaction.atomic
def promote_version(version: KeyVersion, *, grace: timedelta, actor: Actor | None) -> KeyVersion:
    """Send traffic with ``version`` from now on and let the one in use stand by as fallback for ``grace``.

    Raises VersionRevoked if it was revoked before its row could be locked. The version in use already stays so.
    """
    key = _locked(version.provider_key)
    version = key.versions.get(pk=version.pk)
    if version.is_revoked:
        raise VersionRevoked("This version was revoked. Paste the secret as a new version instead.")
    if version.state == KeyVersion.State.ACTIVE:
        return version
    now = timezone.now()
    for old in key.versions.active():
        old.state, old.draining_until = KeyVersion.State.DRAINING, now + grace
        if not grace:
            old.state, old.draining_until, old.revoked_at = KeyVersion.State.REVOKED, None, now
        old.save(update_fields=["state", "draining_until", "revoked_at"])
    version.state, version.promoted_at, version.draining_until = KeyVersion.State.ACTIVE, now, None
    version.save(update_fields=["state", "promoted_at", "draining_until"])
    end_set_asides(key)
    record_event(
        actor,
        "provider_key.switch",
        key,
        workspace=key.workspace,
        after={"version": version.number, "grace_s": int(grace.total_seconds())},
    )
    return version


@transaction.atomic
def revoke_version(version: KeyVersion, *, actor: Actor | None) -> KeyVersion:
    """End ``version`` here; it stays valid at the provider until it is deleted there. A repeat changes nothing."""
    key = _locked(version.provider_key)
    version = key.versions.get(pk=version.pk)
    if version.is_revoked:
        return version
    version.state, version.revoked_at, version.draining_until = KeyVersion.State.REVOKED, timezone.now(), None
    version.save(update_fields=["state", "revoked_at", "draining_until"])
    end_set_asides_of_version(version)
    record_event(actor, "provider_key.revoke_version", key, workspace=key.workspace, after={"version": version.number})
    return version


def end_drained_versions() -> int:
    """Revoke the fallback versions whose time is up; return how many."""
    due = KeyVersion.objects.draining().filter(draining_until__lte=timezone.now()).select_related("provider_key")
    return len([version for version in due if _end_drained(version)])


@transaction.atomic
def _end_drained(version: KeyVersion) -> bool:
    # Asked again under the lock: somebody may have switched back to it, or prolonged it, since it was found.
    try:
        _locked(version.provider_key)
    except KeyDeleted:
        return False
    is_due = KeyVersion.objects.draining().filter(pk=version.pk, draining_until__lte=timezone.now()).exists()
    if is_due:
        revoke_version(version, actor=None)
    return is_due


@transaction.atomic
def edit_provider_key(
    key: ProviderKey, *, changes: Mapping[str, Any], actor: Actor | None, secret: Secret | None = None
) -> ProviderKey:
    """Set the fields in ``changes``: name, base_url, settings, order, weight, notes, rotate_every_days.

    A base URL of another origin needs ``secret`` again, which becomes a new version in use.
    Raises NameTaken, OriginNotAllowed, SecretRequired or SettingInvalid.
    """
    key = _locked(key)
    before, origin_before = _shown(key), key.sealed_origin
    for name, value in changes.items():
        setattr(key, name, value)
    key.base_url = check_base_url(key.provider, key.base_url, allowed_origins=allowed_origins())
    key.settings = read_settings(key.provider_info, key.settings)
    moved = key.sealed_origin != origin_before
    if moved and secret is None:
        raise SecretRequired("Paste the API key again: a stored key is never sent to a new address.")
    _save_named(key)
    if moved and secret is not None:
        # The versions so far are bound to the old address and would not open any more.
        for old in key.versions.exclude(state=KeyVersion.State.REVOKED):
            revoke_version(old, actor=actor)
        version = _add_version(key, secret, state=KeyVersion.State.ACTIVE)
        request_test_call(version, kind=TestCall.Kind.CHECK, actor=actor)
    end_set_asides(key)
    record_event(actor, "provider_key.edit", key, workspace=key.workspace, before=before, after=_shown(key))
    return key


@transaction.atomic
def set_provider_key_enabled(key: ProviderKey, *, enabled: bool, actor: Actor | None) -> ProviderKey:
    """Let the gateway use ``key``, or not."""
    key = _locked(key)
    key.enabled = enabled
    key.save(update_fields=["enabled"])
    if enabled:
        end_set_asides(key)
    record_event(actor, f"provider_key.{'enable' if enabled else 'disable'}", key, workspace=key.workspace)
    return key


@transaction.atomic
def use_provider_key_again(key: ProviderKey, *, actor: Actor | None) -> int:
    """Let the gateway use what it had set aside of ``key``, at once; return how many rows that ended."""
    key = _locked(key)
    ended = end_set_asides(key)
    if ended:
        record_event(actor, "provider_key.use_again", key, workspace=key.workspace)
    return ended


@transaction.atomic
def delete_provider_key(key: ProviderKey, *, actor: Actor | None) -> None:
    """Take ``key`` out of service and wipe its secrets; its row stays, for the history that names it."""
    key = _locked(key)
    now = timezone.now()
    key.versions.update(
        state=KeyVersion.State.REVOKED, revoked_at=now, draining_until=None, ciphertext=b"", wrapped_data_key=b""
    )
    key.deleted_at, key.enabled = now, False
    key.save(update_fields=["deleted_at", "enabled"])
    end_set_asides(key)
    record_event(actor, "provider_key.delete", key, workspace=key.workspace, before=_shown(key))


def versions_with_same_secret(
    workspace: Workspace, secret: Secret, *, but_not: ProviderKey | None = None
) -> list[KeyVersion]:
    """Return the versions in use here that hold the very same secret, newest first."""
    same = (
        KeyVersion.objects.in_workspace(workspace)
        .filter(fingerprint=keyring().fingerprint(secret, workspace.pk))
        .exclude(state=KeyVersion.State.REVOKED)
        .select_related("provider_key")
    )
    return list(same.exclude(provider_key=but_not) if but_not else same)


@transaction.atomic
def request_test_call(version: KeyVersion, *, kind: TestCall.Kind, actor: Actor | None, model: str = "") -> TestCall:
    """Queue a test call. The row is what counts: a lost message is published again by beat.

    Raises VersionRevoked.
    """
    key = _locked(version.provider_key)
    version.refresh_from_db()
    if version.is_revoked:
        raise VersionRevoked("This version was revoked; there is nothing left to test.")
    call = TestCall.objects.create(version=version, kind=kind, model=model)
    if kind == TestCall.Kind.MESSAGE:
        record_event(actor, "provider_key.test_message", key, workspace=key.workspace, after={"model": model})
    transaction.on_commit(lambda: publish_test_call(call))
    return call


def publish_test_call(call: TestCall) -> None:
    """Tell a worker about ``call``; with the broker away, beat tells it later."""
    try:
        current_app.send_task("keys.run_test_call", args=[str(call.pk)], retry=False)
    except Exception as error:  # kombu raises whatever its transport does
        logger.warning("Test call %s waits for the broker: %s", call.pk, type(error).__name__)


def publish_waiting_test_calls() -> int:
    """Publish again the calls nobody has run; return how many."""
    TestCall.objects.waiting(for_at_least=TEST_CALL_LOST_AFTER).filter(
        state=TestCall.State.RUNNING, started_at__lte=timezone.now() - TEST_CALL_LOST_AFTER
    ).update(state=TestCall.State.QUEUED)
    waiting = TestCall.objects.waiting(for_at_least=timedelta(seconds=15)).filter(state=TestCall.State.QUEUED)
    for call in waiting:
        publish_test_call(call)
    return len(waiting)


def claim_test_call(call_id: str) -> TestCall | None:
    """Mark a queued call as running and return it; None if another worker has it or had it."""
    claimed = TestCall.objects.filter(pk=call_id, state=TestCall.State.QUEUED).update(
        state=TestCall.State.RUNNING, started_at=timezone.now()
    )
    if not claimed:
        return None
    return TestCall.objects.select_related("version__provider_key__workspace").get(pk=call_id)


@transaction.atomic
def finish_test_call(call: TestCall, result: TestResult) -> TestCall:
    """Store what ``perform_test_call`` found."""
    call.state, call.finished_at = TestCall.State.DONE, timezone.now()
    call.outcome, call.message = result.outcome, result.message
    call.latency_ms, call.upstream_request_id = result.latency_ms, result.upstream_request_id[:200]
    if result.counts.is_known:
        call.input_tokens, call.output_tokens = result.counts.input_total, result.counts.output
    call.save()
    if result.outcome == Outcome.OK:
        end_disproved(call)
    return call


def _locked(key: ProviderKey) -> ProviderKey:
    locked = ProviderKey.objects.select_for_update().select_related("workspace").get(pk=key.pk)
    if locked.deleted_at:
        raise KeyDeleted(f"“{locked.name}” was deleted meanwhile.")
    return locked


def _save_named(key: ProviderKey) -> None:
    try:
        with transaction.atomic():
            key.save()
    except IntegrityError:
        raise NameTaken(f"A key named “{key.name}” exists already for this provider. Choose another name.") from None


def _add_version(key: ProviderKey, secret: Secret, *, state: KeyVersion.State) -> KeyVersion:
    number = (key.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    context = SealContext(key.workspace_id, key.pk, key.provider, key.sealed_origin, number)
    sealed = keyring().seal(secret, context)
    return KeyVersion.objects.create(
        provider_key=key,
        number=number,
        state=state,
        ciphertext=sealed.ciphertext,
        wrapped_data_key=sealed.wrapped_data_key,
        master_key_id=sealed.master_key_id,
        hint=hint_of(key.provider, secret),
        fingerprint=keyring().fingerprint(secret, key.workspace_id),
        promoted_at=timezone.now() if state == KeyVersion.State.ACTIVE else None,
    )


def _shown(key: ProviderKey) -> dict[str, Any]:
    fields = ("name", "provider", "base_url", "settings", "order", "weight", "enabled", "rotate_every_days", "notes")
    return {field: getattr(key, field) for field in fields}
