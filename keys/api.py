"""Provider keys over the REST API: store, test, rotate and revoke; a secret goes in and never comes out."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, BeforeValidator, SecretStr, WithJsonSchema

from catalog.index import is_passable_id
from catalog.providers import PROVIDERS, Provider
from catalog.queries import load_index
from keys.credentials import CredentialInvalid, SettingInvalid, make_simulated_secret, read_credentials
from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.services import (
    NotCallable,
    add_version,
    create_provider_key,
    promote_version,
    request_test_call,
    revoke_version,
    use_provider_key_again,
    versions_with_same_secret,
)
from providers.secret import Secret
from teams.rest import ApiError, ApiRequest, Line, Name, StrictBody, Timestamp
from usage.models import LastUse

router = Router(tags=["Provider keys"])

GRACES = {"0s": timedelta(0), "1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


def _as_text(value: Any) -> Any:
    # A key file may come as the JSON object that it is.
    return json.dumps(value) if isinstance(value, dict) else value


CredentialValue = Annotated[
    SecretStr,
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "password", "writeOnly": True}, {"type": "object"}]}),
]
Credentials = dict[str, CredentialValue]
When = Mapping[tuple[UUID, int], datetime]


class NewProviderKey(StrictBody):
    provider: str
    name: Name
    credentials: Credentials = {}
    base_url: Line = ""
    settings: dict[str, Line] = {}


class NewVersion(StrictBody):
    credentials: Credentials = {}


class Promotion(StrictBody):
    grace: Literal["0s", "1h", "24h", "7d"] = "24h"


class NewTestCall(StrictBody):
    """``model`` is for messages: ``provider/model``, or without its provider. ``version``: the one in use."""

    kind: Literal["check", "message"] = "check"
    model: Line = ""
    version: int | None = None


class VersionShown(BaseModel):
    """One secret of a provider key; ``hint`` is its last four characters."""

    provider_key_id: UUID
    number: int
    state: str
    hint: str
    created_at: Timestamp
    promoted_at: Timestamp | None
    draining_until: Timestamp | None
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None


class VersionCreated(VersionShown):
    """A new version; ``warnings`` are in words, such as that another key holds the same secret."""

    warnings: list[str]


class SetAsideShown(BaseModel):
    """A version that the gateway leaves out until ``until``, for one model or (null) for all."""

    version: int
    model: str | None
    outcome: str
    detail: str
    since: Timestamp
    until: Timestamp


class ProviderKeyShown(BaseModel):
    """A provider key with its versions, the newest first, and never a secret."""

    id: UUID
    provider: str
    name: str
    base_url: str | None
    settings: dict[str, Any]
    enabled: bool
    order: int
    weight: int
    created_at: Timestamp
    active_version: int | None
    versions: list[VersionShown]
    set_asides: list[SetAsideShown]


class ProviderKeyCreated(ProviderKeyShown):
    """A new provider key; ``warnings`` are in words, such as that another key holds the same secret."""

    warnings: list[str]


class TestCallShown(BaseModel):
    """A call made to try a version; ``message`` says in one sentence what happened and what to do."""

    id: UUID
    version: int
    kind: str
    state: str
    model: str | None
    outcome: str | None
    latency_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    upstream_request_id: str | None
    message: str | None
    queued_at: str
    finished_at: str | None


class ProviderKeyList(BaseModel):
    data: list[ProviderKeyShown]


class VersionList(BaseModel):
    data: list[VersionShown]


class TestCallList(BaseModel):
    data: list[TestCallShown]


@router.get("", response=ProviderKeyList)
def provider_key_list(request: ApiRequest) -> ProviderKeyList:
    """Return all provider keys, in the order in which they are tried."""
    keys = list(_keys(request))
    used_at = _last_uses(keys)
    return ProviderKeyList(data=[ProviderKeyShown(**_shown(key, used_at)) for key in keys])


@router.post("", response={201: ProviderKeyCreated})
def provider_key_create(request: ApiRequest, body: NewProviderKey) -> ProviderKeyCreated:
    """Store a credential as version 1, in use at once; its free check is queued."""
    provider = _callable_provider(body.provider)
    secret = _read_credentials(provider, body.credentials, base_url=body.base_url)
    warnings = _warn_of_same_secret(request, secret)
    try:
        key = create_provider_key(
            request.auth.workspace,
            provider=provider.slug,
            name=body.name,
            secret=secret,
            base_url=body.base_url,
            key_settings=body.settings,
            actor=request.auth,
        )
    except SettingInvalid as error:
        raise ApiError(422, "invalid_request", str(error), field=f"settings.{error.field}") from None
    return ProviderKeyCreated(**_shown(key, {}), warnings=warnings)


@router.get("/{key_id}", response=ProviderKeyShown)
def provider_key_get(request: ApiRequest, key_id: UUID) -> ProviderKeyShown:
    """Return one provider key."""
    key = _key(request, key_id)
    return ProviderKeyShown(**_shown(key, _last_uses([key])))


@router.post("/{key_id}/test", response={201: TestCallShown})
def provider_key_test(request: ApiRequest, key_id: UUID, body: NewTestCall | None = None) -> dict[str, Any]:
    """Queue a check (free) or a message (costs under a cent); ``test-calls`` tells how it went."""
    body = body or NewTestCall()
    version = _version_to_test(_key(request, key_id), body.version)
    model = _model_to_test(version.provider_key, body)
    call = request_test_call(version, kind=TestCall.Kind(body.kind), model=model, actor=request.auth)
    return call.as_dict()


@router.get("/{key_id}/test-calls", response=TestCallList)
def provider_key_test_calls(
    request: ApiRequest, key_id: UUID, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> dict[str, Any]:
    """Return the test calls of all versions, the newest first."""
    calls = TestCall.objects.filter(version__provider_key=_key(request, key_id)).select_related("version")
    return {"data": [call.as_dict() for call in calls[:limit]]}


@router.post("/{key_id}/use-again", response={201: ProviderKeyShown})
def provider_key_use_again(request: ApiRequest, key_id: UUID) -> ProviderKeyShown:
    """Use what was set aside of this key again, at once; what still fails is set aside again."""
    use_provider_key_again(_key(request, key_id), actor=request.auth)
    key = _key(request, key_id)
    return ProviderKeyShown(**_shown(key, _last_uses([key])))


@router.get("/{key_id}/versions", response=VersionList)
def version_list(request: ApiRequest, key_id: UUID) -> VersionList:
    """Return the versions, the newest first."""
    key = _key(request, key_id)
    used_at = _last_uses([key])
    return VersionList(data=[VersionShown(**_version_shown(version, used_at)) for version in key.versions.all()])


@router.post("/{key_id}/versions", response={201: VersionCreated})
def version_create(request: ApiRequest, key_id: UUID, body: NewVersion) -> VersionCreated:
    """Store a new secret as a draft beside the one in use; its free check is queued."""
    key = _key(request, key_id)
    secret = _read_credentials(key.provider_info, body.credentials, base_url=key.base_url)
    warnings = _warn_of_same_secret(request, secret, but_not=key)
    version = add_version(key, secret=secret, actor=request.auth)
    return VersionCreated(**_version_shown(version, {}), warnings=warnings)


@router.post("/{key_id}/versions/{number}/promote", response={201: VersionShown})
def version_promote(request: ApiRequest, key_id: UUID, number: int, body: Promotion | None = None) -> VersionShown:
    """Send traffic with this version from now on; the one in use stands by as fallback for ``grace``."""
    grace = GRACES[(body or Promotion()).grace]
    version = promote_version(_version(request, key_id, number), grace=grace, actor=request.auth)
    return VersionShown(**_version_shown(version, _last_uses([version.provider_key])))


@router.post("/{key_id}/versions/{number}/revoke", response={201: VersionShown})
def version_revoke(request: ApiRequest, key_id: UUID, number: int) -> VersionShown:
    """End a version here; it stays valid at the provider until it is deleted there. A repeat changes nothing."""
    version = revoke_version(_version(request, key_id, number), actor=request.auth)
    return VersionShown(**_version_shown(version, _last_uses([version.provider_key])))


def _keys(request: ApiRequest) -> QuerySet[ProviderKey]:
    return ProviderKey.objects.in_workspace(request.auth.workspace).prefetch_related("versions", "set_asides")


def _key(request: ApiRequest, key_id: UUID) -> ProviderKey:
    return get_object_or_404(_keys(request), pk=key_id)


def _version(request: ApiRequest, key_id: UUID, number: int) -> KeyVersion:
    versions = KeyVersion.objects.in_workspace(request.auth.workspace).select_related("provider_key")
    return get_object_or_404(versions, provider_key=key_id, number=number)


def _callable_provider(slug: str) -> Provider:
    provider = PROVIDERS.get(slug)
    if provider is None:
        known = ", ".join(each.slug for each in PROVIDERS.values() if each.is_callable)
        raise ApiError(422, "invalid_request", f"There is no such provider. Use one of: {known}.", field="provider")
    if not provider.is_callable:
        raise NotCallable(f"{provider.name} is coming; the gateway cannot call it yet. It will need {provider.needs}.")
    return provider


def _read_credentials(provider: Provider, given: Credentials, *, base_url: str) -> Secret:
    """Return the secret in ``given``. A simulated provider needs none and gets one made up."""
    if provider.is_simulated and not given:
        return make_simulated_secret()
    known = [field.name for field in provider.credential_fields] or ["api_key"]
    for name in given:
        if name not in known:
            message = f"{provider.name} takes {', '.join(known)}."
            raise ApiError(422, "invalid_request", message, field=f"credentials.{name}")
    if not given:
        raise ApiError(422, "invalid_request", "This field is required.", field=f"credentials.{known[0]}")
    typed = {name: value.get_secret_value() for name, value in given.items()}
    try:
        return read_credentials(provider, typed, base_url=base_url)
    except CredentialInvalid as error:
        raise ApiError(422, "invalid_credential", str(error), field=f"credentials.{error.field}") from None


def _warn_of_same_secret(request: ApiRequest, secret: Secret, *, but_not: ProviderKey | None = None) -> list[str]:
    same = versions_with_same_secret(request.auth.workspace, secret, but_not=but_not)
    return [f"“{version.provider_key.name}” holds the same secret, as version {version.number}." for version in same]


def _version_to_test(key: ProviderKey, number: int | None) -> KeyVersion:
    if number is not None:
        return get_object_or_404(key.versions, number=number)
    version = key.versions.active().first()
    if version is None:
        raise ApiError(409, "no_active_version", "No version is in use. Name one as “version”.")
    return version


def _model_to_test(key: ProviderKey, body: NewTestCall) -> str:
    if body.kind == "check":
        return ""
    if not body.model:
        raise ApiError(422, "invalid_request", "Name the model to send the message to.", field="model")
    name = body.model.removeprefix(key.provider_info.prefix)
    entry = load_index().find(key.provider, name)
    if entry is None and is_passable_id(key.provider, name):
        return name
    if entry is None:
        raise ApiError(422, "model_not_found", f"{key.provider_info.name} has no such model.", field="model")
    return entry.upstream_id


def _last_uses(keys: Iterable[ProviderKey]) -> When:
    uses = LastUse.objects.filter(key_id__in=[key.pk for key in keys])
    return {(use.key_id, use.version): use.at for use in uses}


def _shown(key: ProviderKey, used_at: When) -> dict[str, Any]:
    versions = list(key.versions.all())
    active = [version.number for version in versions if version.state == KeyVersion.State.ACTIVE]
    return {
        "id": key.pk,
        "provider": key.provider,
        "name": key.name,
        "base_url": key.base_url or None,
        "settings": key.settings,
        "enabled": key.enabled,
        "order": key.order,
        "weight": key.weight,
        "created_at": key.created_at,
        "active_version": active[0] if active else None,
        "versions": [_version_shown(version, used_at) for version in versions],
        "set_asides": [_set_aside_shown(set_aside) for set_aside in key.set_asides.all()],
    }


def _set_aside_shown(set_aside: SetAside) -> dict[str, Any]:
    return {
        "version": set_aside.version,
        "model": set_aside.model or None,
        "outcome": set_aside.outcome,
        "detail": set_aside.detail,
        "since": set_aside.since,
        "until": set_aside.until,
    }


def _version_shown(version: KeyVersion, used_at: When) -> dict[str, Any]:
    return {
        "provider_key_id": version.provider_key_id,
        "number": version.number,
        "state": version.state,
        "hint": version.hint,
        "created_at": version.created_at,
        "promoted_at": version.promoted_at,
        "draining_until": version.draining_until,
        "revoked_at": version.revoked_at,
        "last_used_at": used_at.get((version.provider_key_id, version.number)),
    }
