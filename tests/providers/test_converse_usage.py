"""The usage of Bedrock's Converse API reads into the same disjoint counts as that of Messages."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers.base import TokenCounts
from providers.converse import parse_converse_usage
from tests.providers import recordings
from tests.providers.recordings import needs_recordings

_ANSWERED = [
    path for path in recordings.paths("bedrock-converse-*.json") if recordings.load(path)["response"]["status"] == 200
]


def _recorded_usage(recording: dict[str, Any]) -> dict[str, Any]:
    stream_or_body = recordings.answer_bytes(recording)
    if "body_base64" not in recording["response"]:
        return json.loads(stream_or_body)["usage"]
    [metadata] = [
        payload for headers, payload in recordings.messages_in(stream_or_body) if headers[":event-type"] == "metadata"
    ]
    return json.loads(metadata)["usage"]


@needs_recordings
@pytest.mark.parametrize("path", _ANSWERED, ids=lambda path: path.stem)
def test_recorded_usage_is_read_and_adds_up(path: Path) -> None:
    usage = _recorded_usage(recordings.load(path))

    counts = parse_converse_usage(usage)

    by_ttl = {detail["ttl"]: detail["inputTokens"] for detail in usage.get("cacheDetails", [])}
    written, written_1h = usage.get("cacheWriteInputTokens", 0), by_ttl.get("1h", 0)
    assert counts == TokenCounts(
        usage["inputTokens"],
        usage.get("cacheReadInputTokens", 0),
        written - written_1h,
        written_1h,
        usage["outputTokens"],
    )
    assert counts.input_total + usage["outputTokens"] == usage["totalTokens"]


@pytest.mark.parametrize(
    ("details", "written", "expected"),
    [
        ([{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 12}], 42, (12, 30)),
        ([{"ttl": "1h", "inputTokens": 30}], 42, (12, 30)),
        ([{"ttl": "1h", "inputTokens": 42}], 42, (0, 42)),
        ([], 42, (42, 0)),
        (None, 42, (42, 0)),
        ("nonsense", 42, (42, 0)),
        ([None, {"ttl": []}, {"inputTokens": 3}, {"ttl": "1d", "inputTokens": 4}], 42, (42, 0)),
        ([{"ttl": "1h", "inputTokens": -1}], 42, (42, 0)),
    ],
)
def test_writes_are_split_by_their_time_to_live(details: object, written: int, expected: tuple[int, int]) -> None:
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": written, "cacheDetails": details}

    counts = parse_converse_usage(usage)

    assert (counts.cache_write_5m_input, counts.cache_write_1h_input) == expected


def test_older_names_of_the_cache_counts_will_do() -> None:
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokenCount": 3, "cacheWriteInputTokenCount": 4}

    assert parse_converse_usage(usage) == TokenCounts(1, 3, 4, 0, 2)


@pytest.mark.parametrize("usage", [None, {}, [], "x"])
def test_missing_usage_is_not_known(usage: object) -> None:
    assert parse_converse_usage(usage) == TokenCounts()
