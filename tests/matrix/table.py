"""The table of features in ``docs/compatibility.md``, made of what the tests of the matrix have seen.

    ORQADMIN_WRITE_FEATURE_TABLE=1 pytest tests/matrix

runs them and writes the table.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clouds import PREFIXES
from tests.features import FEATURES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- features: made by tests/matrix -->", "<!-- /features -->"
WRITES = "ORQADMIN_WRITE_FEATURE_TABLE"
DIALECTS = ("chat", "responses", "messages")

WORKS, BYTES_ONLY, NOT_THERE = "yes", "400: bytes only", "400 of the provider"
NO_WORDS, UNTESTED = "–", "untested"

# What was seen of each way to ask for a feature: (feature, dialect, provider, streamed or not).
Cell = tuple[str, str, str, bool]


def expected_cells() -> set[Cell]:
    """Return every cell that there is to be seen."""
    return {
        (feature.name, dialect, cloud, stream)
        for feature in FEATURES
        for dialect in feature.dialects
        for cloud in PREFIXES
        for stream in (False, True)
    }


def render(seen: Mapping[Cell, str]) -> str:
    """Return the table; what was not seen says so."""
    columns = [(dialect, cloud) for dialect in DIALECTS for cloud in PREFIXES]
    lines = [
        "| feature | " + " | ".join(f"{dialect} {cloud}/" for dialect, cloud in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for feature in FEATURES:
        cells = [
            _cell(seen, feature.name, dialect, cloud) if dialect in feature.dialects else NO_WORDS
            for dialect, cloud in columns
        ]
        lines.append(f"| {feature.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def read() -> str:
    """Return the table as the page has it."""
    return DOCS.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def write(table: str) -> None:
    """Put ``table`` into the page."""
    before, _, rest = DOCS.read_text().partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}")


def _cell(seen: Mapping[Cell, str], feature: str, dialect: str, cloud: str) -> str:
    ways: Sequence[str] = [seen.get((feature, dialect, cloud, stream), UNTESTED) for stream in (False, True)]
    return ways[0] if ways[0] == ways[1] else f"{ways[0]}; streamed: {ways[1]}"
