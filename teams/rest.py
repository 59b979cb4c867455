"""What the routers of the REST API share: who calls, what a body may hold, and how a refusal is said."""

from datetime import datetime
from hmac import compare_digest
from typing import Annotated

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from teams.models import GatewayKey, GatewayKeySecret
from teams.tokens import MalformedToken, TokenKind, hash_token, read_public_id


class ApiRequest(HttpRequest):
    """A request that ``ManagementKeyAuth`` let in; ``auth`` is the key it came with, which acts as an admin."""

    auth: GatewayKey


class ApiError(Exception):
    """A refusal as the caller reads it; ``field`` is the dotted path of the value at fault, '' if there is none."""

    def __init__(self, status: int, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field


class ManagementKeyAuth(HttpBearer):
    """Lets in ``Authorization: Bearer mk-orq-…`` and nothing else: no session cookie, no gateway key."""

    def authenticate(self, request: HttpRequest, token: str) -> GatewayKey:
        return authenticate_management_key(token.strip())


def authenticate_management_key(text: str) -> GatewayKey:
    """Return the management key whose text this is, its workspace with it.

    Raises ApiError (401) for a gateway key, text that is no key, and a key that is unknown, revoked or expired.
    """
    if text.startswith(TokenKind.GATEWAY):
        raise ApiError(
            401,
            "management_key_required",
            "This is a gateway key: it calls models. The REST API takes a management key (mk-orq-…), which "
            "`manage.py create_management_key` makes.",
        )
    try:
        public_id = read_public_id(text, TokenKind.MANAGEMENT)
    except MalformedToken:
        raise ApiError(401, "invalid_api_key", "This is not a management key (mk-orq-…). Copy it again.") from None
    key = (
        GatewayKey.objects.select_related("workspace")
        .filter(kind=GatewayKey.Kind.MANAGEMENT, public_id=public_id, revoked_at=None)
        .first()
    )
    if key is None or not _holds(key, hash_token(text)):
        raise ApiError(401, "invalid_api_key", "This management key is unknown or was revoked.")
    if key.status == "expired":
        raise ApiError(401, "expired_api_key", "This management key has expired. Create a new one.")
    return key


def _holds(key: GatewayKey, presented: bytes) -> bool:
    in_grace = Q(grace_until=None) | Q(grace_until__gt=timezone.now())
    stored = GatewayKeySecret.objects.filter(in_grace, key=key).values_list("sha256", flat=True)
    return any(compare_digest(presented, bytes(sha256)) for sha256 in stored)


class StrictBody(BaseModel):
    """A request body in which every name is known: what a caller may set is written down, field by field."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _printable(text: str) -> str:
    # Line breaks would forge log lines, and PostgreSQL's text holds no NUL.
    if not text.isprintable():
        raise PydanticCustomError("unprintable", "This has characters that cannot be shown.")
    return text


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)]
# ISO 8601 with its offset written out, as everywhere in this API.
Timestamp = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str)]


def refuse_unknown_parameters(request: HttpRequest, known: type[BaseModel]) -> None:
    """Raise ApiError for the first query parameter that ``known`` has no field for: a typo must not mean "all"."""
    names = [field.alias or name for name, field in known.model_fields.items()]
    for name in request.GET:
        if name not in names:
            message = f"There is no such parameter. There are: {', '.join(names)}."
            raise ApiError(422, "invalid_request", message, field=name)
