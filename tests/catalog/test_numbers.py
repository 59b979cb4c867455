"""How pages write the catalog's numbers."""

import pytest

from catalog.templatetags.catalog_numbers import token_size


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (None, "–"),
        (1_000_000, "1M"),
        (1_050_000, "1.05M"),
        (1_047_576, "1.05M"),
        (400_000, "400K"),
        (131_072, "131.1K"),
        (32_768, "32.8K"),
        (4_096, "4,096"),
        (2_000, "2K"),
    ],
)
def test_sizes_are_written_in_one_form(tokens: int | None, text: str) -> None:
    assert token_size(tokens) == text
