"""The REST API as a script sees it: one management key, and mallory's of another workspace."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from teams.models import Workspace
from tests.factories import make_management_key


@dataclass
class Api:
    """Calls ``/api/v1`` with ``token``, JSON in and out; other headers by their names."""

    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=Client)

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", query, headers=self._headers(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        data = "" if body is None else body
        return self.client.post(f"/api/v1{path}", data, content_type="application/json", headers=self._headers(headers))

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.client.patch(f"/api/v1{path}", body, content_type="application/json", headers=self._headers({}))

    def delete(self, path: str) -> HttpResponse:
        return self.client.delete(f"/api/v1{path}", headers=self._headers({}))

    def _headers(self, extra: dict[str, str]) -> dict[str, str]:
        bearer = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {**bearer, **self.headers, **extra}


@pytest.fixture
def api(workspace: Workspace) -> Api:
    return Api(make_management_key(workspace).token.text)


@pytest.fixture
def mallorys_api(other_workspace: Workspace) -> Api:
    return Api(make_management_key(other_workspace).token.text)
