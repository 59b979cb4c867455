"""What may be typed as a name: what the REST API takes."""

import pytest
from django.core.exceptions import ValidationError

from teams.names import NameField


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" Support bot ", "Support bot"),
        ("Support\N{NO-BREAK SPACE}bot", "Support bot"),
        ("Support\tbot", "Support bot"),
        ("Ünï 漢字 🤖", "Ünï 漢字 🤖"),
        ("x" * 100, "x" * 100),
    ],
)
def test_a_name_is_taken_with_plain_spaces(typed: str, name: str) -> None:
    assert NameField().clean(typed) == name


@pytest.mark.parametrize(
    "typed", ["", " ", "x" * 101, "a\0b", "a\N{ZERO WIDTH JOINER}b", "a\N{RIGHT-TO-LEFT OVERRIDE}b"]
)
def test_what_cannot_be_seen_is_no_name(typed: str) -> None:
    with pytest.raises(ValidationError):
        NameField().clean(typed)
