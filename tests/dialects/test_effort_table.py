"""What the page says of each model's efforts is what the code does with the catalog's data."""

from tests.dialects.effort_table import current_table, render_table


def test_page_has_the_table_of_today() -> None:
    assert current_table() == render_table(), "run: python -m tests.dialects.effort_table"
