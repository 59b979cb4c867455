"""What holds for every template."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_button_says_what_it_does(template: Path) -> None:
    buttons = re.findall(r"<button\b[^>]*>", template.read_text())

    assert [button for button in buttons if not re.search(r'\stype="(submit|button)"', button)] == []
