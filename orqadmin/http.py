"""What every request passes through, and what every page is given."""

from collections.abc import Callable, ItemsView
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.views.debug import SafeExceptionReporterFilter

from orqadmin.checklist import checklist_for
from orqadmin.navigation import navigation_for

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_FORWARDED_HEADERS = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP")


class TrustedProxyMiddleware:
    """Believe forwarding headers only from ORQADMIN_TRUSTED_PROXIES; from others they are dropped."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = request.META.get("REMOTE_ADDR", "")
        if _is_trusted(peer):
            client = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()
            request.META["REMOTE_ADDR"] = client or peer
        else:
            for header in _FORWARDED_HEADERS:
                request.META.pop(header, None)
        return self.get_response(request)


class NoVariablesFilter(SafeExceptionReporterFilter):
    """Error reports without local variables, POST data or settings: any of them can hold a secret."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return {}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: TracebackType
    ) -> ItemsView[str, Any]:
        return {}.items()

    def get_safe_settings(self) -> dict[str, Any]:
        return {}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give templates the workspace and the member's role, where the URL has them; sidebar and first steps on demand."""
    return {
        "workspace": getattr(request, "workspace", None),
        "membership": getattr(request, "membership", None),
        "navigation": partial(navigation_for, request),
        "checklist": partial(checklist_for, request),
        "public_url": settings.PUBLIC_URL,
    }


def _is_trusted(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in settings.TRUSTED_PROXIES)
