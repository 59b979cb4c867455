"""Test calls get what they are sent with: the stored key, or an access token for it."""

import pytest

from keys.access import get_access
from providers import anthropic, vertex
from providers.base import Outcome
from providers.secret import Secret
from providers.tokens import TokenRefused, TokenUnavailable
from tests.providers.vertex_keys import key_secret
from tests.stub import Reply, Stub
from tests.stub_fixtures import stub

__all__ = ["stub"]

GRANT = Reply.of_json({"access_token": "ya29.short", "expires_in": 3599, "token_type": "Bearer"})


def access(stub: Stub, secret: Secret | None = None) -> str:
    return get_access(vertex, secret or key_secret(), token_uri=f"{stub.origin}/token").reveal()


def test_api_key_is_sent_itself() -> None:
    secret = Secret("sk-ant-api03-only-for-tests")

    assert get_access(anthropic, secret) is secret


def test_service_account_is_exchanged_for_a_token(stub: Stub) -> None:
    stub.replies.append(GRANT)

    assert access(stub) == "ya29.short"
    [asked] = stub.requests
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"assertion=" in asked.body


def test_proxies_of_the_environment_are_not_used(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    stub.replies.append(GRANT)

    assert access(stub) == "ya29.short"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply.of_json({"error": "invalid_grant"}, status=400), Outcome.INVALID_CREDENTIAL),
        (Reply(302, {"location": "http://127.0.0.1:9/token"}), Outcome.MISCONFIGURED),
        (Reply(body=b"<html>"), Outcome.MISCONFIGURED),
    ],
    ids=["refused", "redirect", "html"],
)
def test_refusals_are_told_apart_from_failures(stub: Stub, reply: Reply, outcome: Outcome) -> None:
    stub.replies.append(reply)

    with pytest.raises(TokenRefused) as refused:
        access(stub)

    assert refused.value.outcome == outcome
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(503), Outcome.OVERLOADED),
        (Reply(cut_after=-1), Outcome.UNREACHABLE),
        (Reply(body=b" " * 100_000), Outcome.TIMEOUT),
    ],
    ids=["overloaded", "hangs up", "endless"],
)
def test_failures_may_pass(stub: Stub, reply: Reply, outcome: Outcome) -> None:
    stub.replies.append(reply)

    with pytest.raises(TokenUnavailable) as failed:
        access(stub)

    assert failed.value.outcome == outcome


def test_what_is_no_service_account_is_sent_nowhere(stub: Stub) -> None:
    with pytest.raises(TokenRefused, match="Paste the JSON key"):
        access(stub, Secret("{}"))

    assert not stub.requests
