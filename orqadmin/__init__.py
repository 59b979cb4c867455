"""The project: settings, URLs, ASGI, Celery and the supervisor."""

from orqadmin.celery import app as celery_app

__all__ = ["celery_app"]
