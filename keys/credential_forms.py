"""The fields of a provider's credential and settings, made from what the catalog says it takes.

A secret goes into a form and never comes out of one: its field is rendered empty whatever was typed. With scripts the
field keeps its text all the same, for an answer of 422 replaces only the slots for errors (see base.html's
``htmx-config`` and components/_form_attributes.html); without scripts it has to be pasted again.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from catalog.providers import CredentialField, Provider
from catalog.providers import CredentialForm as Way
from keys.credentials import CredentialInvalid, SettingInvalid, read_credentials, read_settings
from providers.secret import Secret
from providers.vertex_account import LONGEST_KEY_FILE

# "off" and not "new-password": a password manager should neither fill nor offer to keep it.
_TYPED = {"autocomplete": "off", "spellcheck": "false", "data-1p-ignore": True}


class HiddenTextarea(forms.Textarea):
    """A text area that is always rendered empty."""

    def format_value(self, value: Any) -> str:
        return ""


class CredentialForm(forms.Form):
    """A form with a provider's credential; ``cleaned_data["secret"]`` is a Secret, or None where none was typed.

    A field that holds a file's text has a second one beside it, ``…_file``, to choose the file itself. ``base_url`` is
    where the key's calls go, for a form that does not ask for it.
    """

    use_required_attribute = False

    def __init__(
        self, *args: Any, provider: Provider, is_required: bool = True, base_url: str = "", **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.provider, self.is_required, self.stored_base_url = provider, is_required, base_url
        if len(self.ways) > 1:
            self.fields["way"] = forms.ChoiceField(
                label="Credential",
                choices=[(way.slug, way.label) for way in self.ways],
                initial=self.ways[0].slug,
                required=False,
                widget=forms.RadioSelect,
            )
        for field in provider.credential_fields:
            self.fields[_name(field)] = _text_field(field, provider)
            if field.is_file:
                self.fields[_file_name(field)] = forms.FileField(label="Or choose the file", required=False)

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways to prove who calls, of which one is taken."""
        return self.provider.credential_forms

    @property
    def first_credential_field(self) -> str:
        """The name of the field that a complaint about the credential as a whole stands at."""
        fields = self.provider.credential_fields
        return _name(fields[0]) if fields else "base_url"

    @property
    def way_fields(self) -> list[tuple[Way, list[forms.BoundField]]]:
        """Each way with its bound fields, for the page."""
        return [(way, [self[name] for field in way.fields for name in _names(field)]) for way in self.ways]

    @property
    def setting_fields(self) -> list[forms.BoundField]:
        """The bound fields of the settings that a key cannot do without, for the page."""
        names = [field.name for field in self.provider.setting_fields if field.is_required]
        return [self[name] for name in names if name in self.fields]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        """The bound fields of the settings that most people leave alone."""
        names = [field.name for field in self.provider.setting_fields if not field.is_required]
        return [self[name] for name in names if name in self.fields]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        typed = {field.name: self._typed(field, values) for field in self._fields_of_way(values)}
        for field in self.provider.credential_fields:
            for name in _names(field):
                values.pop(name, None)
        values["secret"] = self._read(typed, values) if any(typed.values()) or self.is_required else None
        return values

    def _fields_of_way(self, values: Mapping[str, Any]) -> tuple[CredentialField, ...]:
        chosen = [way for way in self.ways if way.slug == values.get("way")] or self.ways[:1]
        return chosen[0].fields if chosen else ()

    def _typed(self, field: CredentialField, values: Mapping[str, Any]) -> str:
        file: UploadedFile[Any] | None = values.get(_file_name(field))
        if file is None:
            return str(values.get(_name(field)) or "")
        # One character more than is allowed is enough to be refused as too long.
        content: bytes = file.read(LONGEST_KEY_FILE + 1)
        return content.decode("utf-8", errors="replace")

    def _read(self, typed: Mapping[str, str], values: Mapping[str, Any]) -> Secret | None:
        try:
            return read_credentials(self.provider, typed, base_url=values.get("base_url") or self.stored_base_url)
        except CredentialInvalid as error:
            at_fault = [field for field in self.provider.credential_fields if field.name == error.field]
            self.add_error(_name(at_fault[0]) if at_fault else self.first_credential_field, str(error))
            return None


def setting_form_fields(provider: Provider) -> dict[str, forms.Field]:
    """Return the form fields of a provider's settings, by name."""
    return {field.name: _setting_field(field.name, provider) for field in provider.setting_fields}


def read_settings_of(form: forms.Form, provider: Provider, secret: Secret | None = None) -> dict[str, str]:
    """Return the settings typed into ``form``; what is wrong with one becomes its field's error."""
    given = {field.name: form.cleaned_data.get(field.name) or "" for field in provider.setting_fields}
    if any(field.name in form.errors for field in provider.setting_fields):
        return {}
    try:
        return read_settings(provider, given, secret)
    except SettingInvalid as error:
        form.add_error(error.field, str(error))
        return {}


def _name(field: CredentialField) -> str:
    # What most providers have one of, and most people know by no other name.
    return "secret" if field.name == "api_key" else field.name


def _file_name(field: CredentialField) -> str:
    return f"{field.name}_file"


def _names(field: CredentialField) -> list[str]:
    return [_name(field), _file_name(field)] if field.is_file else [_name(field)]


def _text_field(field: CredentialField, provider: Provider) -> forms.CharField:
    label = f"{provider.name} API Key" if field.name == "api_key" else field.label
    attributes = {**_TYPED, "placeholder": field.example}
    if field.is_file:
        widget: forms.Widget = HiddenTextarea(attrs={**attributes, "data-secret": True, "rows": 5})
    elif field.is_secret:
        widget = forms.PasswordInput(attrs={**attributes, "data-secret": True}, render_value=False)
    else:
        widget = forms.TextInput(attrs=attributes)
    return forms.CharField(label=label, required=False, strip=False, widget=widget)


def _setting_field(name: str, provider: Provider) -> forms.Field:
    field = next(each for each in provider.setting_fields if each.name == name)
    common: dict[str, Any] = {"label": field.label, "required": field.is_required, "help_text": field.note}
    if not field.choices:
        return forms.CharField(max_length=100, widget=forms.TextInput(attrs=_TYPED), **common)
    empty = ("", "Choose…" if field.is_required else "Not set")
    labels = [(value, field.in_words(value)) for value in field.choices]
    return forms.ChoiceField(choices=[empty, *labels], **common)
