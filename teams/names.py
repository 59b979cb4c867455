"""What people call things, as forms take it."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class NameField(forms.CharField):
    """A name by the REST API's rule: one line of characters that can be shown.

    A no-break space, a tab or a line break becomes a space: nobody sees that it is none.
    """

    def __init__(self, *, label: str = "Name", **options: Any) -> None:
        super().__init__(label=label, max_length=100, **options)

    def to_python(self, value: str | None) -> str:
        return super().to_python(re.sub(r"\s", " ", value or "")) or ""

    def validate(self, value: str) -> None:
        super().validate(value)
        if not value.isprintable():
            raise ValidationError("This has characters that cannot be shown. Type it again.")
