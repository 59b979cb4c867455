"""What the provider page we implement says of models stands in the catalog word for word."""

import re
from pathlib import Path

import pytest

from catalog.files import ListedModel, model_string, read_catalog_files
from catalog.index import Capability
from catalog.providers import PROVIDERS

PAGE = Path(__file__).resolve().parents[2] / "../shared/reference/seed-anthropic-provider-page.txt"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the seed page is not beside this repository")

MODELS = {model.slug: model for model in read_catalog_files().models}


def section(begin: str, end: str) -> list[str]:
    """Return the page's lines between two others."""
    lines = PAGE.read_text().splitlines()
    start = lines.index(begin) + 1
    return lines[start : lines.index(end, start)]


def size(tokens: int) -> str:
    return f"{tokens // 1_000_000}M" if tokens % 1_000_000 == 0 else f"{tokens // 1000}K"


def row(model: ListedModel) -> str:
    # The page's text lost its cell borders.
    return f"{model.slug}{size(model.context_tokens)}{model.strengths}{model.best_for}"


def test_the_table_of_latest_models_leads_the_catalog_as_it_stands():
    table = [line for line in section("Latest Models", "Provider Options") if line]

    assert table[0] == "ModelContextStrengthsBest For"
    assert [row(model) for model in MODELS.values()][: len(table) - 1] == table[1:]


def test_the_provider_options_and_their_model_strings():
    lines = section("Provider Options", "Using the AI Gateway")
    strings = re.findall(r'model: "(.+)"', "\n".join(lines))
    prefixes = [line.split(":")[0].strip(" •") for line in lines if "•" in line]
    offered = {model_string(model, offering) for model in MODELS.values() for offering in model.offerings}

    assert prefixes == [PROVIDERS[slug].prefix for slug in ("anthropic", "aws", "google")]
    assert len(strings) == 3
    assert set(strings) <= offered


def test_the_smallest_prompts_that_are_cached():
    lines = section("ModelMinimum tokens", "Use Cases")
    names = {model.name.removeprefix("Claude "): model for model in MODELS.values()}

    assert len(lines) == 5
    for line in lines:
        models, tokens = re.fullmatch(r"Claude (.+?)(\d,\d{3})", line).groups()
        for name in models.split(", "):
            assert names[name].min_cacheable_tokens == int(tokens.replace(",", "")), name


def test_thinking_as_the_page_supports_it():
    text = PAGE.read_text()

    assert "budget_tokens is available on Claude Opus 4.5, Sonnet 4.5, and newer models" in text
    assert "Adaptive thinking is available on Claude Opus 4.6 and Claude Sonnet 4.6" in text
    for slug in ("claude-opus-4-5", "claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-4-6"):
        assert Capability.THINKING_ENABLED in MODELS[slug].capabilities
    for slug in ("claude-opus-4-6", "claude-sonnet-4-6"):
        assert Capability.THINKING_ADAPTIVE in MODELS[slug].capabilities
    for slug in ("claude-opus-4-5", "claude-sonnet-4-5"):
        assert Capability.THINKING_ADAPTIVE not in MODELS[slug].capabilities


def test_all_models_from_claude_3_on_see_images():
    claude = {slug: model for slug, model in MODELS.items() if slug.startswith("claude-")}
    blind = {slug for slug, model in claude.items() if Capability.VISION not in model.capabilities}

    assert "All Claude 3+ models support image analysis" in PAGE.read_text()
    assert blind == {"claude-2.0", "claude-2.1"}
