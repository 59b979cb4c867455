"""Claude Code itself, pointed at the native endpoint, takes turns with tools; its own usage report is the ledger's.

The simulated model calls the tool that the prompt spells out, and answers its result with text.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import COUNTS, Gateway, counts_in_message
from tests.node import fetch_packages, node_command
from tests.simulator.recorder import Recorder
from usage.models import Attempt

HERE = Path(__file__).parent
SONNET = "claude-sonnet-4-6"
SECRET_WORD = "marmalade"


@dataclass(frozen=True)
class Report:
    """What Claude Code printed of a run, and the status it ended with."""

    said: dict[str, Any]
    status: int


Run = Callable[..., Report]


@pytest.fixture(scope="session")
def command() -> Sequence[str]:
    """How to start Claude Code. Its packages have hundreds of megabytes, so they stay beside this file."""
    folder = fetch_packages(HERE, HERE)
    return [*(node_command("node") or ()), str(folder / "node_modules/@anthropic-ai/claude-code/cli-wrapper.cjs")]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    note = work / "note.txt"
    note.write_text(f"The secret word is {SECRET_WORD}.\n")
    return note


@pytest.fixture
def run(command: Sequence[str], gateway: Gateway, note: Path, tmp_path: Path) -> Run:
    """Let Claude Code answer one prompt, with the tools named and no others."""

    def run_prompt(prompt: str, *, model: str, tools: str = "Read") -> Report:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "NO_PROXY": "*",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_BASE_URL": f"{gateway.url}/v3/anthropic",
            "ANTHROPIC_AUTH_TOKEN": gateway.token,
            "ANTHROPIC_MODEL": model,
        }
        options = ["--output-format", "json", "--tools", tools, "--allowedTools", tools, "--max-turns", "5"]
        ended = subprocess.run(
            [*command, "-p", prompt, *options],
            cwd=note.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.stdout, ended.stderr
        return Report(json.loads(ended.stdout), ended.returncode)

    return run_prompt


# The simulated Bedrock refuses every beta that it does not list. thinking-token-count-2026-05-13 is one that nobody has
# said is refused, so it goes on; Claude Code leaves that one out after a 400.
@pytest.mark.parametrize(
    ("model", "cloud", "refused"),
    [
        (SONNET, "anthropic", 0),
        (f"anthropic/{SONNET}", "anthropic", 0),
        (f"aws/anthropic/{SONNET}", "aws", 1),
        (f"google/anthropic/{SONNET}", "google", 0),
    ],
)
def test_turn_with_a_tool(
    run: Run, gateway: Gateway, provider: Recorder, note: Path, model: str, cloud: str, refused: int
) -> None:
    call = json.dumps({"file_path": str(note)})
    report = run(f"What does the note say? [[call: Read {call}]]", model=model)

    assert (report.status, report.said["is_error"], report.said["num_turns"]) == (0, False, 2)
    assert report.said["result"].startswith("This answer is simulated.")
    assert SECRET_WORD in json.dumps(tool_result(provider))
    rows = gateway.new_rows(2 + refused)
    assert {row.session for row in rows} == {report.said["session_id"]}
    assert {(row.model_asked, row.provider, row.dialect, row.certainty) for row in rows} == {
        (model, cloud, "messages", "exact")
    }
    assert [row.status for row in rows] == [400] * refused + [200, 200]
    assert summed(rows[refused:]) == counts_in_message(report.said["usage"])


def test_second_turn_reads_the_cache_that_the_first_wrote(run: Run, gateway: Gateway, note: Path) -> None:
    run(f"And the note? [[call: Read {json.dumps({'file_path': str(note)})}]]", model=f"anthropic/{SONNET}")

    first, second = gateway.new_rows(2)
    written = first.cache_write_5m_input_tokens + first.cache_write_1h_input_tokens
    assert second.cache_read_input_tokens == first.cache_read_input_tokens + written > 1_024


def test_command_is_run(run: Run, gateway: Gateway, note: Path) -> None:
    call = json.dumps({"command": "tr a-z A-Z < note.txt > loud.txt", "description": "Write it loud"})
    report = run(f"Write the note loud. [[call: Bash {call}]]", model=f"anthropic/{SONNET}", tools="Bash")

    assert report.said["permission_denials"] == []
    assert SECRET_WORD.upper() in (note.parent / "loud.txt").read_text()
    assert summed(gateway.new_rows(2)) == counts_in_message(report.said["usage"])


def test_wrong_key_is_told_at_once(
    run: Run, gateway: Gateway, provider: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "token", "sk-orq-nothing")

    report = run("Hello", model=f"anthropic/{SONNET}")

    assert (report.status, report.said["is_error"], report.said["api_error_status"]) == (1, True, 401)
    assert not provider.exchanges


def tool_result(provider: Recorder) -> dict[str, Any]:
    """Return the tool's result as the provider got it."""
    blocks = provider.exchanges[-1].json["messages"][-1]["content"]
    [result] = [block for block in blocks if block["type"] == "tool_result"]
    return result


def summed(rows: list[Attempt]) -> dict[str, int | None]:
    return {name: sum(getattr(row, name) for row in rows) for name in COUNTS}
