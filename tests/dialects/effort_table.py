"""The table of efforts in docs/compatibility.md, made from the catalog: ``python -m tests.dialects.effort_table``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from router.dialects.base import ModelFacts, RequestRefused
from router.dialects.thinking import EFFORTS, effort_level, thinking_for_effort

ROOT = Path(__file__).resolve().parents[2]
CATALOG, PAGE = ROOT / "catalog/claude.json", ROOT / "docs/compatibility.md"
BEGIN, END = "<!-- efforts: made by tests/dialects/effort_table.py -->", "<!-- end of efforts -->"
_THINKING = {"thinking_enabled": "enabled", "thinking_adaptive": "adaptive"}


def render_table() -> str:
    """Return the table, one row for the models that take each effort alike."""
    models: dict[tuple[str, ...], list[str]] = {}
    for model in json.loads(CATALOG.read_text())["models"]:
        models.setdefault(tuple(_cells(_facts(model))), []).append(model["slug"].removeprefix("claude-"))
    lines = [f"| claude-… | {' | '.join(EFFORTS)} |", "|---" * (len(EFFORTS) + 1) + "|"]
    lines += [f"| {', '.join(names)} | {' | '.join(cells)} |" for cells, names in models.items()]
    return "\n".join(lines)


def current_table() -> str:
    """Return the table as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def _facts(model: dict[str, Any]) -> ModelFacts:
    return ModelFacts(
        max_output_tokens=model["max_output_tokens"] or model["default_max_tokens"],
        thinking=frozenset(kind for name, kind in _THINKING.items() if name in model["capabilities"]),
        efforts=frozenset(model["efforts"]),
        thinking_off=frozenset([model.get("thinking_off", "disabled")]) - {"never"},
    )


def _cells(facts: ModelFacts) -> Iterator[str]:
    for effort in EFFORTS:
        try:
            thinking = thinking_for_effort(effort, facts, None, path="reasoning_effort", tools_under_way=False)
        except RequestRefused:
            yield "refused"
            continue
        level = effort_level(effort, facts, thinking)
        kind = thinking["type"] if thinking else "left out" if level else "–"
        if kind == "enabled" and thinking:
            yield f"budget {thinking['budget_tokens']:,}"
        else:
            yield f"{kind}, {level}" if level else kind


if __name__ == "__main__":
    page = PAGE.read_text()
    PAGE.write_text(page.replace(current_table(), render_table()))
