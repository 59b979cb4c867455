"""Gateway keys over the REST API, where they are called ``api-keys``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Router
from pydantic import AwareDatetime, BaseModel

from teams.models import GatewayKey, GatewayKeyQuerySet
from teams.rest import ApiError, ApiRequest, Name, StrictBody, Timestamp
from teams.services import create_gateway_key, revoke_gateway_key
from usage.models import LastUse

router = Router(tags=["Gateway keys"])


class NewGatewayKey(StrictBody):
    name: Name
    expires_at: AwareDatetime | None = None


class GatewayKeyShown(BaseModel):
    """A gateway key without its text."""

    id: UUID
    name: str
    masked: str
    status: str
    owner: str | None
    expires_at: Timestamp | None
    created_at: Timestamp
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None


class GatewayKeyCreated(GatewayKeyShown):
    """A new gateway key; ``key`` is its text, in this answer and never again."""

    key: str


class GatewayKeyList(BaseModel):
    data: list[GatewayKeyShown]


@router.get("", response=GatewayKeyList)
def api_key_list(request: ApiRequest) -> GatewayKeyList:
    """Return all gateway keys, the newest first; expired and revoked ones too."""
    keys = list(_keys(request).order_by("-created_at", "pk"))
    used_at = dict(LastUse.objects.filter(key_id__in=[key.pk for key in keys]).values_list("key_id", "at"))
    return GatewayKeyList(data=[GatewayKeyShown(**_shown(key, used_at)) for key in keys])


@router.post("", response={201: GatewayKeyCreated})
def api_key_create(request: ApiRequest, body: NewGatewayKey) -> GatewayKeyCreated:
    """Make a key that works at once. ``key`` is its text: keep it, it is not shown again."""
    if body.expires_at and body.expires_at <= timezone.now():
        raise ApiError(422, "invalid_request", "This time has passed already.", field="expires_at")
    created = create_gateway_key(request.auth.workspace, name=body.name, expires_at=body.expires_at, actor=request.auth)
    return GatewayKeyCreated(**_shown(created.key, {}), key=created.token.text)


@router.post("/{key_id}/revoke", response={201: GatewayKeyShown})
def api_key_revoke(request: ApiRequest, key_id: UUID) -> GatewayKeyShown:
    """End a key for good; the gateway refuses it within a second."""
    key = revoke_gateway_key(get_object_or_404(_keys(request), pk=key_id), actor=request.auth)
    return GatewayKeyShown(**_shown(key, dict(LastUse.objects.filter(key_id=key.pk).values_list("key_id", "at"))))


def _keys(request: ApiRequest) -> GatewayKeyQuerySet:
    return GatewayKey.objects.in_workspace(request.auth.workspace).for_clients().select_related("owner")


def _shown(key: GatewayKey, used_at: Mapping[UUID, datetime]) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "masked": key.masked,
        "status": key.status,
        "owner": key.owner.email if key.owner else None,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
        "last_used_at": used_at.get(key.pk),
    }
