"""The form field in which people choose allowed regions."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from catalog.regions import REGION_CHOICES, read_regions


@dataclass(frozen=True)
class RegionChoice:
    """A box to tick."""

    value: str
    label: str
    id: str
    is_chosen: bool


@dataclass(frozen=True)
class RegionGroup:
    """Boxes under one heading."""

    label: str
    choices: list[RegionChoice]

    @property
    def chosen(self) -> int:
        """How many are ticked."""
        return sum(choice.is_chosen for choice in self.choices)


class RegionsBoundField(BoundField):
    """Gives templates the boxes in their groups (components/_regions.html)."""

    @property
    def groups(self) -> list[RegionGroup]:
        chosen = set(self.value() or ())
        return [
            RegionGroup(
                label,
                [RegionChoice(value, text, f"{self.auto_id}_{value}", value in chosen) for value, text in choices],
            )
            for label, choices in REGION_CHOICES
        ]


class RegionsField(forms.MultipleChoiceField):
    """Areas and regions, none of which must be chosen; its value is a list as the models keep it."""

    bound_field_class = RegionsBoundField

    def __init__(self, **options: Any) -> None:
        help_text = "None chosen: everywhere. An area covers its regions, and never an endpoint that may leave it."
        defaults = {"label": "Allowed regions", "help_text": help_text}
        super().__init__(required=False, choices=REGION_CHOICES, **defaults | options)

    def clean(self, value: Any) -> list[str]:
        return read_regions(super().clean(value))
