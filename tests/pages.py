"""What tests of pages share: a browser's form post with and without scripts, and reading what a page says."""

import html
import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from teams.models import User


def signed_in(user: User) -> Client:
    """Return a client with a session of ``user``."""
    client = Client()
    client.force_login(user)
    return client


def text_of(response: HttpResponse) -> str:
    """Return what a page says: no tags, entities resolved, one space between words."""
    content = re.sub(r"<(script|style|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def post_by_htmx(client: Client, path: str, data: dict[str, Any]) -> HttpResponse:
    """Send a form as htmx does."""
    return client.post(path, data, headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{path}"})
