"""Requests that take too long to arrive, or have too many headers, end; and nothing of them stays."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from tests.gateway import Gateway, connected_gateway, transactional_db
from tests.stub import Stub

__all__ = ["transactional_db"]

LONGEST_S = 0.3
PATHS = ["/v3/router/chat/completions", "/v3/router/responses", "/v3/anthropic/v1/messages"]


@pytest.fixture(scope="module")
def gateway(transactional_db: None, tmp_path_factory: Any) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        Stub() as upstream,
        override_settings(BODY_TIMEOUT_S=LONGEST_S),
        connected_gateway(upstream.origin, "sk-ant-api03-only-for-tests-0123456789", folder) as running,
    ):
        yield running


def connect(gateway: Gateway) -> socket.socket:
    host, port = gateway.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(gateway: Gateway, path: str, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: gateway", f"authorization: Bearer {gateway.token}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("begun", [b"", b'{"model":'])
def test_body_that_never_ends(gateway: Gateway, path: str, begun: bytes) -> None:
    with connect(gateway) as client:
        client.sendall(head(gateway, path, "content-length: 100") + begun)
        answer = client.recv(65536)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within 0.3 s" in answer


@pytest.mark.parametrize("path", PATHS)
def test_client_that_leaves_in_the_middle_of_its_body(gateway: Gateway, path: str) -> None:
    with connect(gateway) as client:
        client.sendall(head(gateway, path, "content-length: 100") + b'{"model":')

    assert gateway.request("GET", "/v3/router/models").status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_too_many_headers(gateway: Gateway, path: str) -> None:
    response = gateway.request("POST", path, headers={f"x-{number}": "1" for number in range(300)}, content=b"{}")

    assert response.status_code == 431
    assert "more than 200 headers" in response.json()["error"]["message"]
