"""What the page of a provider key says was done to it."""

from typing import Any

import pytest

from keys.changes import change_words
from teams.models import AuditEvent


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("create", {"after": {"name": "Production"}}, "Added"),
        ("add_version", {"after": {"version": 2}}, "Added version 2"),
        ("switch", {"after": {"version": 2, "grace_s": 0}}, "Switched to version 2"),
        ("revoke_version", {"after": {"version": 1}}, "Revoked version 1"),
        ("enable", {}, "Enabled"),
        ("test_message", {"after": {"model": "claude-{odd}"}}, "Sent a test message to claude-{odd}"),
        (
            "edit",
            {
                "before": {"name": "a", "weight": 1, "base_url": ""},
                "after": {"name": "a", "weight": 7, "base_url": "b"},
            },
            "Edited: weight, base URL",
        ),
        ("of_tomorrow", {}, "provider_key.of_tomorrow"),
    ],
)
def test_a_change_is_told_in_words(action: str, fields: dict[str, Any], words: str) -> None:
    assert change_words(AuditEvent(action=f"provider_key.{action}", **fields)) == words
