"""Every code block of the provider page runs against this gateway, unedited but for the host.

It runs three times: as it stands, and with its models at AWS Bedrock and at Google Vertex AI. The model behind all of
them is the simulator. After each block the ledger has the usage that the simulator reported.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clouds import PREFIXES, as_messages
from tests.gateway import Gateway, counts_in_answer, counts_in_chat, counts_in_response, counts_in_row
from tests.node import node_command
from tests.seed.conftest import environment
from tests.seed.page import PAGE, Block, read_blocks
from tests.simulator.recorder import Recorder

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the seed page is not beside this repository")

HOST = "https://api.orq.ai"
BLOCKS = {block.name: block for block in (read_blocks(PAGE.read_text()) if PAGE.exists() else [])}
CHAT = "/v3/router/chat/completions"
RESPONSES = "/v3/router/responses"
LONG_TEXT = "Everything that our interface can do. " * 500

WHOLE = {
    "quick-start-1": "shell",
    "chat-completion-1": "shell",
    "streaming-1": "javascript",
    "prompt-caching-1": "shell",
    "prompt-caching-3": "shell",
    "prompt-caching-4": "shell",
    "prompt-caching-5": "shell",
    "prompt-caching-6": "shell",
    "extended-thinking-1": "shell",
    "extended-thinking-2": "shell",
    "extended-thinking-3": "javascript",
    "adaptive-thinking-1": "shell",
    "vision-capabilities-1": "javascript",
    "vision-capabilities-2": "javascript",
    "pdf-input-1": "javascript",
    "tool-use-function-calling-1": "javascript",
    "multi-provider-strategy-1": "javascript",
}
FRAGMENTS = {
    "provider-options-1": "javascript",
    "prerequisites-1": "http",
    "prerequisites-2": "http",
    "prerequisites-3": "install",
    "prompt-caching-2": "json",
    "token-management-1": "javascript",
}
# Blocks that cannot run as they stand, by name, and why.
EXPECTED_FAILURES = {
    "prompt-caching-5": "the page's shell quoting ends at the apostrophe of “Python's”, so no shell runs it",
}
# These name a file by URL, and Bedrock and Vertex AI take bytes only.
NAMES_A_URL = {"vision-capabilities-1", "pdf-input-1"}
# What must have reached the provider, beside what every block is checked for.
IMAGE_TEXT = {"type": "text", "text": "What's in this image?"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SENT: dict[str, dict[str, Any]] = {
    "streaming-1": {"stream": True},
    "extended-thinking-1": {"thinking": {"type": "enabled", "budget_tokens": 8000}, "max_tokens": 16000},
    "extended-thinking-2": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Design a rate limiting system"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "...", "signature": "..."},
                    {"type": "text", "text": "Here's a distributed rate limiting design..."},
                ],
            },
            {"role": "user", "content": [{"type": "text", "text": "How would you handle 10M req/s?"}]},
        ]
    },
    "extended-thinking-3": {"thinking": {"type": "enabled", "budget_tokens": 8000}},
    "adaptive-thinking-1": {"thinking": {"type": "adaptive"}},
    "vision-capabilities-1": {
        "messages": [
            {
                "role": "user",
                "content": [
                    IMAGE_TEXT,
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/image.jpg"}},
                ],
            }
        ]
    },
    "vision-capabilities-2": {
        "messages": [
            {
                "role": "user",
                "content": [
                    IMAGE_TEXT,
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                ],
            }
        ]
    },
    "pdf-input-1": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Summarize this document"},
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/document.pdf"}},
                ],
            }
        ]
    },
    "tool-use-function-calling-1": {
        "tools": [
            {
                "name": "get_weather",
                "description": "Get current weather for a location",
                "input_schema": {
                    "type": "object",
                    "properties": {"location": {"type": "string"}},
                    "required": ["location"],
                },
            }
        ]
    },
}


def runnable() -> list[Any]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=EXPECTED_FAILURES[name]))
        if name in EXPECTED_FAILURES
        else name
        for name in WHOLE
    ]


@pytest.fixture
def run(gateway: Gateway, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Run a block's text as its kind is run, and return what it printed."""

    def run_text(text: str, kind: str) -> str:
        text = text.replace(HOST, gateway.url)
        if kind == "shell":
            if shutil.which("curl") is None:
                pytest.skip("there is no curl here")
            command, folder = ["sh", "-c", text], tmp_path
        else:
            folder = request.getfixturevalue("node_modules")
            (folder / "block.mjs").write_text(text)
            command = [*(node_command("node") or ()), "block.mjs"]
        ended = subprocess.run(
            command, cwd=folder, env=environment(gateway.token, tmp_path), capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run_text


def test_every_block_of_the_page_is_known_by_name() -> None:
    assert {name: block.kind for name, block in BLOCKS.items()} == WHOLE | FRAGMENTS


def test_no_line_of_code_is_left_over() -> None:
    covered = {line for block in BLOCKS.values() for line in block.lines}
    looks_like_code = re.compile(r"\s+(?!\d+\.|•)\S|.*[{\[;\\]$|(curl|import|const|npm|yarn|POST) |\w+: \"")

    left = [text for line, text in enumerate(PAGE.read_text().splitlines(), 1) if line not in covered]

    assert [text for text in left if looks_like_code.match(text)] == []


def at(provider: str, text: str) -> str:
    """Return a block's text with its models at ``provider``."""
    return text.replace('"anthropic/', f'"{PREFIXES[provider]}').replace('"aws/anthropic/', f'"{PREFIXES[provider]}')


@pytest.mark.parametrize("cloud", PREFIXES)
@pytest.mark.parametrize("name", runnable())
def test_block_runs_and_is_counted(run: Any, gateway: Gateway, provider: Recorder, name: str, cloud: str) -> None:
    if cloud != "anthropic" and name in NAMES_A_URL:
        pytest.skip("its provider takes files as bytes only: see the test of the refusal")
    block, text = BLOCKS[name], at(cloud, BLOCKS[name].text)

    printed = run(text, block.kind)

    row, exchange = gateway.new_row(), provider.one()
    answer = as_messages(exchange.answer)
    assert (exchange.status, row.status, row.certainty, row.error_code) == (200, 200, "exact", "")
    assert counts_in_row(row) == counts_in_answer(answer)
    assert row.output_tokens > 0
    assert (row.model_asked, row.provider) == (re.search(r'"?model"?: "(.+)"', text)[1], cloud)
    assert row.cost_nano > 0
    check_printed(block, printed, answer)
    assert exchange.request.count(b'"cache_control"') == block.text.count("cache_control")
    sent = expected_at(cloud, SENT.get(name, {}))
    assert {key: exchange.json.get(key) for key in sent} == sent


def expected_at(cloud: str, sent: dict[str, Any]) -> dict[str, Any]:
    """Return what must have reached ``cloud``: Bedrock is told to stream by the address, not in the body."""
    return {} if cloud == "aws" and "stream" in sent else sent


@pytest.mark.parametrize("cloud", ["aws", "google"])
@pytest.mark.parametrize("name", sorted(NAMES_A_URL))
def test_file_by_url_is_refused_where_bytes_are_wanted(
    gateway: Gateway, provider: Recorder, request: pytest.FixtureRequest, tmp_path: Path, name: str, cloud: str
) -> None:
    folder = request.getfixturevalue("node_modules")
    text = at(cloud, BLOCKS[name].text).replace(HOST, gateway.url)
    (folder / "block.mjs").write_text(text)

    ended = subprocess.run(
        [*(node_command("node") or ()), "block.mjs"],
        cwd=folder,
        env=environment(gateway.token, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode != 0
    assert "BadRequestError: 400" in ended.stderr
    assert "base64" in ended.stderr
    assert not provider.exchanges


def check_printed(block: Block, printed: str, answer: bytes) -> None:
    """What a block prints is what the provider said, and the usage in it the provider's."""
    if block.kind == "shell":
        reply = json.loads(printed)
        count = counts_in_response if RESPONSES in block.text else counts_in_chat
        assert count(reply["usage"]) == counts_in_answer(answer)
    elif "process.stdout.write" in block.text:
        assert printed == "".join(text_deltas(answer))
    elif "console.log" in block.text:
        assert printed == json.loads(answer)["content"][0]["text"] + "\n"
    else:
        assert printed == ""


def text_deltas(stream: bytes) -> list[str]:
    events = [json.loads(line.removeprefix("data: ")) for line in stream.decode().splitlines() if line[:5] == "data:"]
    return [event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"]


def test_conversation_block_runs_once_its_apostrophe_is_quoted(run: Any, gateway: Gateway, provider: Recorder) -> None:
    block = BLOCKS["prompt-caching-5"]

    run(block.text.replace("Python's", "Python'\\''s"), block.kind)

    assert counts_in_row(gateway.new_row()) == counts_in_answer(provider.one().answer)
    marked = provider.one().json["messages"][2]["content"]
    assert marked == [{"type": "text", "text": "What are its main features?", "cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize("cloud", PREFIXES)
def test_cached_documents_are_written_once_and_then_read(run: Any, gateway: Gateway, cloud: str) -> None:
    block = BLOCKS["prompt-caching-4"]
    text = at(cloud, block.text).replace("[Large documentation content here...]", LONG_TEXT)

    usages = [json.loads(run(text, block.kind))["usage"] for _ in range(2)]

    first, second = gateway.new_rows(2)
    assert first.cache_write_5m_input_tokens == second.cache_read_input_tokens > 2_048
    assert (first.cache_read_input_tokens, second.cache_write_5m_input_tokens) == (0, 0)
    assert [counts_in_chat(usage) for usage in usages] == [counts_in_row(first), counts_in_row(second)]


def test_prompt_below_the_minimum_is_processed_at_full_cost(run: Any, gateway: Gateway) -> None:
    for _ in range(2):
        run(BLOCKS["prompt-caching-1"].text, "shell")

    for row in gateway.new_rows(2):
        assert (row.cache_read_input_tokens, row.cache_write_5m_input_tokens) == (0, 0)


def test_fallbacks_answer_in_order_when_models_are_overloaded(
    run: Any, gateway: Gateway, provider: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = BLOCKS["multi-provider-strategy-1"]

    monkeypatch.setattr(provider, "failing_models", {"claude-sonnet-4-6"})
    run(block.text, block.kind)
    monkeypatch.setattr(provider, "failing_models", {"claude-sonnet-4-6", "global.anthropic.claude-sonnet-4-6"})
    run(block.text, block.kind)

    served = [(row.attempt, row.provider, row.model, row.status) for row in gateway.new_rows(5)]
    first, second = (1, "anthropic", "claude-sonnet-4-6", 529), (2, "aws", "claude-sonnet-4-6", 200)
    assert served == [first, second, first, (*second[:3], 503), (3, "anthropic", "claude-opus-4-6", 200)]


@pytest.mark.parametrize(
    "model",
    ["anthropic/claude-sonnet-4-6", "aws/anthropic/claude-sonnet-4-6", "google/anthropic/claude-opus-4-6"],
)
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
def test_model_string_answers(gateway: Gateway, path: str, model: str) -> None:
    assert f'model: "{model}"' in BLOCKS["provider-options-1"].text.splitlines()
    said = {"input": "Hello"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hello"}]}

    assert gateway.post(path, {"model": model, **said}).status_code == 200


def test_model_strings_are_all_tested() -> None:
    assert len(re.findall("^model:", BLOCKS["provider-options-1"].text, re.MULTILINE)) == 3


def test_endpoint_and_required_headers(gateway: Gateway) -> None:
    method, url = BLOCKS["prerequisites-1"].text.split()
    headers = dict(line.split(": ", 1) for line in BLOCKS["prerequisites-2"].text.splitlines())
    headers["Authorization"] = headers["Authorization"].replace("$ORQ_API_KEY", gateway.token)
    body = json.dumps({"model": "anthropic/claude-sonnet-4-6", "input": "Hello"})

    response = gateway.request(method, url.removeprefix(HOST), headers=headers, content=body)

    assert response.status_code == 200
    assert list(headers) == ["Authorization", "Content-Type"]


def test_package_to_install_is_the_one_the_blocks_ran_with() -> None:
    commands = [line for line in BLOCKS["prerequisites-3"].text.splitlines() if not line.startswith("#")]
    wanted = json.loads((Path(__file__).parent / "package.json").read_text())["devDependencies"]

    assert [command.split()[-1] for command in commands] == list(wanted) * 2


@pytest.mark.parametrize("cloud", PREFIXES)
@pytest.mark.parametrize("place", ["part", "top level"])
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
def test_cache_control_of_an_hour_is_taken(
    gateway: Gateway, provider: Recorder, path: str, place: str, cloud: str
) -> None:
    fragment = json.loads(BLOCKS["prompt-caching-2"].text)
    kind, field = ("input_text", "input") if path == RESPONSES else ("text", "messages")
    part = {"type": kind, "text": f"{path} {place} {cloud} {LONG_TEXT}"} | (fragment if place == "part" else {})
    model = f"{PREFIXES[cloud]}claude-sonnet-4-6"
    body = {"model": model, field: [{"role": "user", "content": [part]}]}

    response = gateway.post(path, body | (fragment if place == "top level" else {}))

    assert response.status_code == 200
    assert provider.one().json["messages"][0]["content"][0]["cache_control"] == fragment["cache_control"]
    row = gateway.new_row()
    assert row.cache_write_1h_input_tokens > 2_048
    assert row.cache_write_5m_input_tokens == 0


def test_suggested_max_tokens_are_taken_by_each_of_the_latest_models(gateway: Gateway) -> None:
    limits = {int(number) for number in re.findall(r": (\d+),", BLOCKS["token-management-1"].text)}
    models = re.findall(r"^(claude-[\w-]+?)(?:1M|200K)[A-Z]", PAGE.read_text(), re.MULTILINE)

    statuses = []
    for model in models:
        said = {"model": f"anthropic/{model}", "messages": [{"role": "user", "content": "Hello"}]}
        statuses += [gateway.post(CHAT, said | {"max_tokens": limit}).status_code for limit in limits]

    assert (len(models), limits) == (5, {500, 1024, 2048, 4096})
    assert statuses == [200] * 20
