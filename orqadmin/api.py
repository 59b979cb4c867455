"""The REST API under ``/api/v1``: its routers, and the one envelope in which every error is said.

``{"error": {"code", "message", "field"?}}``. What is not yours does not exist: its 404 is that of a wrong id.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

import catalog.api
import catalog.regions
import catalog.routes
import keys.api
import keys.services
import teams.api
import teams.scopes
import teams.services
import usage.api
import usage.report_sql
from keys.credentials import CredentialInvalid, OriginNotAllowed
from teams.rest import ApiError, ManagementKeyAuth

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]

# What the services refuse, as this API says it: status, code, and the field at fault.
_REFUSALS: dict[type[Exception], tuple[int, str, str]] = {
    CredentialInvalid: (422, "invalid_credential", "credentials.api_key"),
    OriginNotAllowed: (422, "origin_not_allowed", "base_url"),
    keys.services.KeyDeleted: (404, "not_found", ""),
    keys.services.NotCallable: (422, "provider_not_available", "provider"),
    keys.services.NameTaken: (409, "name_taken", "name"),
    keys.services.VersionRevoked: (409, "version_revoked", ""),
    catalog.regions.UnknownRegion: (422, "invalid_request", "allowed_regions"),
    catalog.routes.NameTaken: (409, "name_taken", "name"),
    catalog.routes.RouteError: (422, "invalid_request", ""),
    teams.scopes.BadModelPattern: (422, "invalid_request", "models_allowed"),
    teams.services.NameTaken: (409, "name_taken", "name"),
    teams.services.KeyRevoked: (409, "key_revoked", ""),
    teams.services.ScopeWidened: (403, "forbidden", ""),
    teams.services.ProjectArchived: (409, "project_archived", "project"),
    usage.report_sql.UnknownDimension: (422, "invalid_request", "group_by"),
    usage.report_sql.BadFilter: (422, "invalid_request", ""),
    usage.report_sql.BadRange: (422, "invalid_request", "from"),
    usage.report_sql.ReportTooLarge: (422, "report_too_large", ""),
}
_IN_OTHER_WORDS = {"missing": "This field is required.", "extra_forbidden": "There is no such field."}


class StrictParser(Parser):
    """Reads bodies as JSON by RFC 8259: no NaN, no lone surrogates, no bottomless nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        return msgspec.json.decode(request.body)


class RestApi(NinjaAPI):
    """NinjaAPI, but every answer below its prefix has the envelope and is kept by no cache."""

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, app_name, namespace = super().urls
        patterns.append(path("<path:rest>", _not_found, name="not-found"))
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _answered_here(pattern.callback)
        return patterns, app_name, namespace

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**options)
        schema["components"]["schemas"]["Error"] = _ERROR_SCHEMA
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"]["default"] = {"description": "Refused", "content": content}
        return schema


_ERROR_SCHEMA = {
    "title": "Error",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": "string", "description": "Dotted path of the value at fault."},
            },
        },
    },
}


def error_response(status: int, code: str, message: str, *, field: str = "") -> JsonResponse:
    """Return a refusal in the envelope; ``field`` stands in it only where one value is at fault."""
    error = {"code": code, "message": message} | ({"field": field} if field else {})
    response = JsonResponse({"error": error}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _not_found(request: HttpRequest, **_: Any) -> HttpResponse:
    return error_response(404, "not_found", "There is nothing here.")


def _answered_here(view: View) -> View:
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            response = _not_found(request)
        if isinstance(response, HttpResponseNotAllowed):
            allowed = response["Allow"]
            response = error_response(405, "method_not_allowed", f"This address takes {allowed}.")
            response["Allow"] = allowed
        response["Cache-Control"] = "no-store"
        return response

    return answered


api = RestApi(
    title="orqadmin",
    version="1",
    description="Provider keys, gateway keys, projects, models, routes and usage of one workspace, "
    "by a management key (mk-orq-…).",
    urls_namespace="api",
    docs_url=None,
    auth=ManagementKeyAuth(),
    parser=StrictParser(),
)
api.add_router("/provider-keys", keys.api.router)
api.add_router("/api-keys", teams.api.router)
api.add_router("/projects", teams.api.projects_router)
api.add_router("/models", catalog.api.router)
api.add_router("/routes", catalog.api.routes_router)
api.add_router("/usage", usage.api.usage_router)
api.add_router("/requests", usage.api.requests_router)


@api.exception_handler(ApiError)
def _on_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error_response(error.status, error.code, error.message, field=error.field)


def _on_refusal(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    status, code, field = next(said for kind, said in _REFUSALS.items() if isinstance(error, kind))
    # One error can be about several values, and then says which.
    return error_response(status, code, str(error), field=getattr(error, "field", field))


for refusal in _REFUSALS:
    api.add_exception_handler(refusal, _on_refusal)


@api.exception_handler(ValidationError)
def _on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    source, *where = first["loc"]
    if source == "path":
        return _not_found(request)
    # A body's values stand below the name of the view's argument, which means nothing to the caller.
    field = ".".join(map(str, where[1:] if source == "body" else where))
    message = _IN_OTHER_WORDS.get(first["type"], f"{first['msg'].rstrip('.')}.")
    return error_response(422, "invalid_request", message, field=field)


@api.exception_handler(AuthenticationError)
def _on_unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return error_response(401, "authentication_required", "Send a management key: “Authorization: Bearer mk-orq-…”.")


@api.exception_handler(HttpError)
def _on_unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    return error_response(error.status_code, "invalid_json", "The body is not JSON.")


@api.exception_handler(RequestDataTooBig)
def _on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return error_response(413, "request_too_large", "The body is too large.")


@api.exception_handler(Http404)
def _on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return _not_found(request)


@api.exception_handler(Exception)
def _on_failure(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return error_response(500, "internal_error", "Something went wrong here. Whoever runs this server finds it logged.")
