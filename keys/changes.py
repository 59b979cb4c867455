"""What was done to a provider key, in words for its page. Pure."""

from collections.abc import Mapping
from typing import Final

from teams.models import AuditEvent

_WORDS: Final[Mapping[str, str]] = {
    "create": "Added",
    "add_version": "Added version {version}",
    "switch": "Switched to version {version}",
    "revoke_version": "Revoked version {version}",
    "edit": "Edited",
    "enable": "Enabled",
    "disable": "Disabled",
    "use_again": "Used again what was set aside",
    "test_message": "Sent a test message to {model}",
    "delete": "Deleted",
}
_NAMES: Final[Mapping[str, str]] = {"base_url": "base URL", "rotate_every_days": "rotation"}


def change_words(event: AuditEvent) -> str:
    """Say what ``event`` tells of a provider key; an action without words stays as it is."""
    words = _WORDS.get(event.action.removeprefix("provider_key."))
    if words is None:
        return event.action
    said = words.format_map({"version": "?", "model": "?", **event.after})
    changed = [name for name, value in event.after.items() if event.before and event.before.get(name) != value]
    return f"{said}: {', '.join(_NAMES.get(name, name) for name in changed)}" if changed else said
