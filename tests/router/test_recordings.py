"""Real exchanges with the Messages API, replayed: the ledger has their usage, the client their bytes."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers.sse import SSEDecoder
from tests.router.conftest import Rig
from tests.stub import Reply

RECORDINGS = Path(__file__).resolve().parents[2] / "../shared/recordings"


def _recorded() -> list[Path]:
    found = []
    for path in sorted(RECORDINGS.glob("anthropic-messages-*.json")):
        if "messages" in (json.loads(path.read_text())["request"].get("json") or {}):
            found.append(path)
    return found


def _usage(body: str) -> dict[str, Any]:
    """The provider's usage, read independently of the product: the last word on each field counts."""
    if not body.startswith(("event:", "data:")):
        return json.loads(body).get("usage") or {}
    usage: dict[str, Any] = {}
    for event in SSEDecoder().events(body.encode()):
        reported = event.get("message", {}).get("usage") or event.get("usage") or {}
        usage |= {name: value for name, value in reported.items() if value is not None}
    return usage


def _expected(usage: dict[str, Any]) -> dict[str, int | None]:
    if not usage:
        return dict.fromkeys(["uncached", "read", "write_5m", "write_1h", "output"])
    written = usage.get("cache_creation_input_tokens") or 0
    written_1h = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    return {
        "uncached": usage["input_tokens"],
        "read": usage.get("cache_read_input_tokens") or 0,
        "write_5m": written - written_1h,
        "write_1h": written_1h,
        "output": usage["output_tokens"],
    }


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside this checkout")
@pytest.mark.parametrize("path", _recorded(), ids=lambda path: path.stem)
def test_ledger_has_the_recorded_usage_and_the_client_the_recorded_bytes(rig: Rig, path: Path) -> None:
    recording = json.loads(path.read_text())
    rig.stub.replies.append(Reply.of_recording(path))
    body = recording["response"]["body"]

    response = rig.post("/v3/anthropic/v1/messages", recording["request"]["json"])

    [row] = rig.ledger()
    counted = {
        "uncached": row.uncached_input_tokens,
        "read": row.cache_read_input_tokens,
        "write_5m": row.cache_write_5m_input_tokens,
        "write_1h": row.cache_write_1h_input_tokens,
        "output": row.output_tokens,
    }
    assert response.status_code == row.status == recording["response"]["status"]
    assert response.content == body.encode()
    assert counted == _expected(_usage(body))
