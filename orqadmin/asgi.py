"""The ASGI application: the gateway's paths go to ``router``, all others to Django.

``app`` serves both in one process; ``web`` is Django alone, for deployments that run them apart.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")

from django.core.asgi import get_asgi_application

web = get_asgi_application()

from router.app import GATEWAY_PREFIXES  # noqa: E402  # Django is set up by now
from router.app import app as gateway  # noqa: E402
from router.asgi_types import Receive, Scope, Send  # noqa: E402


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Send each connection where it belongs; only the gateway takes part in start-up and shutdown."""
    if scope["type"] == "lifespan" or scope["path"].startswith(GATEWAY_PREFIXES):
        await gateway(scope, receive, send)
    else:
        await web(scope, receive, send)
