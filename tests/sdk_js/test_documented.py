"""docs/clients.md is true: its examples run as they stand but for the host, and it names the versions tried."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.snippets import build_snippets, claude_code_snippet
from tests.gateway import Gateway
from tests.node import node_command

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/clients.md").read_text()
HOST = "https://gateway.example.com"
FENCE = re.compile(r"(<!-- not run: \w+ -->\n)?```(\w+)\n(.*?)\n```", re.DOTALL)
ANSWER = "This answer is simulated."


@dataclass(frozen=True)
class Example:
    """A code block of the page."""

    kind: str
    code: str
    is_run: bool


def read_examples() -> Iterator[Example]:
    for mark, kind, code in FENCE.findall(PAGE):
        yield Example(kind, code, not mark)


RUN = [example for example in read_examples() if example.is_run]


@pytest.mark.parametrize("example", RUN, ids=lambda example: f"{example.kind}-{RUN.index(example)}")
def test_example_runs(example: Example, gateway: Gateway, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = tmp_path
    if example.kind == "javascript":
        folder = request.getfixturevalue("folder")
    elif example.kind == "sh" and shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    code = example.code.replace(HOST, gateway.url)

    ended = subprocess.run(
        command_for(example.kind, code, folder),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "ORQ_API_KEY": gateway.token},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    assert ANSWER in ended.stdout
    assert gateway.new_row().certainty == "exact"


def command_for(kind: str, code: str, folder: Path) -> list[str]:
    if kind == "sh":
        return ["sh", "-c", code]
    if kind == "python":
        return [sys.executable, "-c", code]
    (folder / "example.mjs").write_text(code)
    return [*(node_command("node") or ()), "example.mjs"]


def test_examples_are_those_of_the_key_created_page() -> None:
    codes = {example.code for example in read_examples()}
    model = "anthropic/claude-sonnet-4-6"

    shown = [*build_snippets(model, HOST), claude_code_snippet(model, HOST)]

    assert {snippet.code for snippet in shown} <= codes


@pytest.mark.parametrize("package", ["openai", "anthropic", "orq-ai-sdk"])
def test_python_versions_are_those_locked(package: str) -> None:
    locked = re.search(rf"^{package}==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)

    assert locked is not None
    assert f"| {locked[1]} |" in PAGE


@pytest.mark.parametrize("folder", ["sdk_js", "seed", "claude_code"])
def test_npm_versions_are_those_locked(folder: str) -> None:
    listed: dict[str, Any] = json.loads((ROOT / "tests" / folder / "package.json").read_text())

    versions = listed["devDependencies"].values()
    assert [version for version in versions if not re.search(rf"\| [^|]*\b{re.escape(version)}\b[^|]* \|", PAGE)] == []
