"""The table of recordings in docs/compatibility.md, made from the scope: ``python -m tests.recordings.table``."""

from collections import Counter
from pathlib import Path

from tests.recordings.library import Recording, all_recordings
from tests.recordings.requests import native_body
from tests.recordings.scope import GROUPS, Group, Use, group_of

PAGE = Path(__file__).resolve().parents[2] / "docs/compatibility.md"
BEGIN, END = "<!-- recordings: made by tests/recordings/table.py -->", "<!-- end of recordings -->"
_HEAD = "| recorded | exchanges | in scope | how, or why not |\n|---|---|---|---|"


def render_table() -> str:
    """Return the table: a row for each group that has recordings, what is in scope first."""
    counts = Counter(map(group_of, all_recordings()))
    rows = [_row(group, counts[group]) for use in Use for group in GROUPS if group.use is use and counts[group]]
    in_scope = sum(number for group, number in counts.items() if group.use is not Use.LEFT_OUT)
    return "\n".join([_HEAD, *rows, f"| all | {counts.total()} | {in_scope} | |"])


def current_table() -> str:
    """Return the table as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def _row(group: Group, number: int) -> str:
    unasked = sum(map(_lacks_request, (each for each in all_recordings() if group_of(each) is group)))
    how = f"{group.how}; of {unasked} only the answer, for the request was not kept" if unasked else group.how
    return f"| {group.what} | {number} | {group.use} | {how} |"


def _lacks_request(recording: Recording) -> bool:
    return group_of(recording).use is Use.REPLAYED and native_body(recording) is None


if __name__ == "__main__":
    page = PAGE.read_text()
    PAGE.write_text(page.replace(current_table(), render_table()))
