"""The filters above the list of models."""

from typing import Any

from django import forms

from catalog.browsing import Filters
from catalog.index import Capability
from catalog.providers import PROVIDERS


class ModelFilterForm(forms.Form):
    """Narrows the list; a value it does not know is as good as none."""

    q = forms.CharField(
        required=False,
        max_length=100,
        label="Search models",
        widget=forms.SearchInput(attrs={"class": "input", "placeholder": "Search models"}),
    )
    provider = forms.ChoiceField(
        required=False,
        label="Provider",
        choices=[("", "All providers"), *((each.slug, each.label) for each in PROVIDERS.values())],
        widget=forms.Select(attrs={"class": "input"}),
    )
    capability = forms.ChoiceField(
        required=False,
        label="Capability",
        choices=[("", "Any capability"), *((str(each), each.label) for each in Capability)],
        widget=forms.Select(attrs={"class": "input"}),
    )
    context = forms.ChoiceField(
        required=False,
        label="Context",
        choices=[("", "Any context"), ("200000", "200K tokens and more"), ("1000000", "1M tokens and more")],
        widget=forms.Select(attrs={"class": "input"}),
    )
    connected = forms.BooleanField(required=False, label="Works with our keys")

    def filters(self) -> Filters:
        """Return what was asked for."""
        self.is_valid()
        asked: dict[str, Any] = self.cleaned_data
        return Filters(
            text=asked.get("q", ""),
            provider=asked.get("provider", ""),
            capability=asked.get("capability", ""),
            min_context=int(asked.get("context") or 0),
            connected_only=asked.get("connected", False),
        )
