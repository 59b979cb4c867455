"""The provider page we implement, and the code blocks in it.

The page lies beside the repository as plain text, in which a code block has lost its frame: it is known by how its
first line begins, and ends where its brackets or its body are closed and no further statement follows.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "../shared/reference/seed-anthropic-provider-page.txt"

_FIRST_LINES = {
    "shell": re.compile(r"curl "),
    "javascript": re.compile(r"import |// "),
    "json": re.compile(r"\{$"),
    "http": re.compile(r"POST https://|Authorization: "),
    "install": re.compile(r"npm install "),
}
_FURTHER_LINES = {
    "javascript": re.compile(r"(import|const|for await|console|//|model:)"),
    "http": re.compile(r"Content-Type: "),
    "install": re.compile(r"(#|yarn) "),
}
_NOTHING = re.compile(r"(?!)")
_HEADING = re.compile(r"[A-Z][\w ()-]{1,40}")


@dataclass(frozen=True)
class Block:
    """A code block. ``name`` is its section's title and its number there, ``line`` the page's line it begins on."""

    name: str
    kind: str
    text: str
    line: int

    @property
    def lines(self) -> range:
        return range(self.line, self.line + self.text.count("\n") + 1)


def read_blocks(page: str) -> list[Block]:
    """Return the page's code blocks in order."""
    lines, blocks, counts = page.splitlines(), [], Counter[str]()
    for kind, begin, end in _find_blocks(lines):
        section = re.sub(r"\W+", "-", _section_of(lines, begin).lower()).strip("-")
        counts[section] += 1
        blocks.append(Block(f"{section}-{counts[section]}", kind, "\n".join(lines[begin:end]), begin + 1))
    return blocks


def _find_blocks(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    at = 0
    while at < len(lines):
        kind = next((kind for kind, first in _FIRST_LINES.items() if first.match(lines[at])), None)
        if kind is None:
            at += 1
            continue
        end = _end_of_block(lines, at, kind)
        yield kind, at, end
        at = end


def _end_of_block(lines: list[str], begin: int, kind: str) -> int:
    further = _FURTHER_LINES.get(kind, _NOTHING)
    end = _end_of_statement(lines, begin, kind)
    while True:
        following = end
        while following < len(lines) and not lines[following]:
            following += 1
        if following == len(lines) or not further.match(lines[following]):
            return end
        end = _end_of_statement(lines, following, kind)


def _end_of_statement(lines: list[str], begin: int, kind: str) -> int:
    for end in range(begin + 1, len(lines) + 1):
        if _is_closed("\n".join(lines[begin:end]), kind):
            return end
    raise ValueError(f"the block on line {begin + 1} does not end")


def _is_closed(text: str, kind: str) -> bool:
    if kind == "shell":
        # Its last argument is a body in quotes. Counting quotes would not do: one block has an odd number of them.
        return text.endswith("}'")
    return sum(text.count(left) for left in "([{") == sum(text.count(right) for right in ")]}")


def _section_of(lines: list[str], at: int) -> str:
    """Return the last title above a line: a short line with nothing above or below it."""
    for above in range(at - 1, 0, -1):
        if _HEADING.fullmatch(lines[above]) and not lines[above - 1] and not lines[above + 1]:
            return lines[above]
    raise ValueError(f"line {at + 1} is in no section")
