"""What the page says of each recording is what the tests do with it."""

from tests.recordings.library import all_recordings, needs_recordings
from tests.recordings.scope import GROUPS, group_of
from tests.recordings.table import current_table, render_table

pytestmark = needs_recordings


def test_page_has_the_table_of_today() -> None:
    assert current_table() == render_table(), "run: python -m tests.recordings.table"


def test_every_group_holds_a_recording() -> None:
    assert {group.what for group in GROUPS} == {group_of(recording).what for recording in all_recordings()}
