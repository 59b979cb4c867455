"""A stored key that HTTP cannot carry: the client is told what to do, and nothing goes out."""

from datetime import timedelta

import pytest

from keys.services import add_version, promote_version
from providers.secret import Secret
from tests.router.conftest import Rig, stub, wait_for

__all__ = ["stub"]


@pytest.mark.parametrize("character", ["\n", "\r\nx-injected: 1", "\0", "€"])
def test_a_key_that_no_header_can_carry_is_refused_by_name(rig: Rig, character: str) -> None:
    version = add_version(rig.provider_key, secret=Secret(f"sk-ant-{character}-0123456789"), actor=None)
    promote_version(version, grace=timedelta(0), actor=None)
    wait_for(lambda: _sees_version(rig, version.number))

    response = rig.post(
        "/v3/router/chat/completions",
        {"model": "anthropic/claude-sonnet-4-6", "messages": [{"role": "user", "content": "Hello"}]},
    )

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "provider_credential_invalid"
    assert "Paste them again" in response.json()["error"]["message"]
    assert not rig.stub.requests
    [attempt] = rig.ledger()
    assert (attempt.error_code, attempt.certainty, attempt.status) == ("provider_credential_invalid", "exact", None)


def _sees_version(rig: Rig, number: int) -> bool | None:
    from router import app

    current = app._gateway.holder.current if app._gateway else None
    keys = current.provider_keys.get((rig.workspace.pk, "anthropic"), ()) if current else ()
    return any(version.number == number for key in keys for version in key.versions) or None
