"""What people type about provider keys.

A secret goes into a form and never comes out of one: its field is rendered empty whatever was typed. With scripts the
field keeps its text all the same, for an answer of 422 replaces only the slots for errors (see base.html's
``htmx-config`` and components/_form_attributes.html); without scripts it has to be pasted again.
"""

from datetime import timedelta
from typing import Any

from django import forms

from catalog.models import Offering
from catalog.providers import Provider
from keys.credentials import CredentialInvalid, OriginNotAllowed, check_base_url, make_simulated_secret, read_credential
from keys.models import ProviderKey
from keys.services import allowed_origins
from providers.secret import Secret

GRACE_CHOICES = [("0", "End it now"), ("1", "1 hour"), ("24", "24 hours"), ("168", "7 days")]


class SecretField(forms.CharField):
    """Text that no page ever shows again."""

    def __init__(self, **options: Any) -> None:
        # "off" and not "new-password": a password manager should neither fill nor offer to keep it.
        attributes = {"autocomplete": "off", "spellcheck": "false", "data-secret": True, "data-1p-ignore": True}
        widget = forms.PasswordInput(attrs=attributes, render_value=False)
        super().__init__(strip=False, widget=widget, **options)


class SecretForm(forms.Form):
    """A form with a secret for one provider; ``cleaned_data["secret"]`` is a Secret, or None where none was typed."""

    use_required_attribute = False

    secret = SecretField(label="API key", error_messages={"required": "Paste the API key."})

    def __init__(self, *args: Any, provider: Provider, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provider = provider
        self.fields["secret"].label = f"{provider.name} API Key"
        self.fields["secret"].widget.attrs["placeholder"] = provider.credential_fields[0].example

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        typed = values.pop("secret", "")
        values["secret"] = self._read_secret(typed, base_url=values.get("base_url", "")) if typed else None
        return values

    def _read_secret(self, typed: str, *, base_url: str) -> Secret | None:
        try:
            return read_credential(self.provider.slug, typed, base_url=base_url)
        except CredentialInvalid as error:
            self.add_error("secret", str(error))
            return None


class BaseUrlMixin(forms.Form):
    """A form with an address of one's own for the calls."""

    provider: Provider

    base_url = forms.CharField(
        label="Base URL",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Only for a proxy that this server allows. Empty: the provider's own address.",
    )

    def clean_base_url(self) -> str:
        try:
            return check_base_url(self.provider.slug, self.cleaned_data["base_url"], allowed_origins=allowed_origins())
        except OriginNotAllowed as error:
            raise forms.ValidationError(str(error)) from None


class NewKeyForm(BaseUrlMixin, SecretForm):
    """A provider key with its first secret."""

    name = forms.CharField(
        label="Name", max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    field_order = ["name", "secret", "base_url"]

    def __init__(self, *args: Any, provider: Provider, **options: Any) -> None:
        super().__init__(*args, provider=provider, **options)
        self.fields["name"].widget.attrs["placeholder"] = f"{provider.name} Production"
        self.fields["base_url"].widget.attrs["placeholder"] = provider.default_origin


class SimulatedSecretForm(forms.Form):
    """A secret of the simulated provider: there is nothing to paste, we make it ourselves."""

    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        return {**(super().clean() or {}), "secret": make_simulated_secret()}


class NewSimulatedKeyForm(SimulatedSecretForm):
    """A key of the simulated provider with its first secret."""

    name = forms.CharField(
        label="Name", max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def clean(self) -> dict[str, Any]:
        return {**super().clean(), "base_url": ""}


class EditKeyForm(BaseUrlMixin, SecretForm):
    """What can be changed about a provider key. The secret is asked for only when its calls move to a new origin."""

    name = forms.CharField(label="Name", max_length=100)
    order = forms.IntegerField(
        label="Order", min_value=0, max_value=9999, help_text="Keys with a lower number are tried first."
    )
    weight = forms.IntegerField(
        label="Weight", min_value=1, max_value=9999, help_text="Its share among keys of the same order."
    )
    rotate_every_days = forms.IntegerField(
        label="Rotate every … days",
        required=False,
        min_value=1,
        max_value=3650,
        help_text="We remind you when the secret in use is older.",
    )
    notes = forms.CharField(label="Notes", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))

    field_order = ["name", "order", "weight", "rotate_every_days", "notes", "base_url", "secret"]
    CHANGES = ("name", "order", "weight", "rotate_every_days", "notes", "base_url")

    def __init__(self, *args: Any, key: ProviderKey, **options: Any) -> None:
        initial = {field: getattr(key, field) for field in self.CHANGES}
        super().__init__(*args, provider=key.provider_info, initial=initial, **options)
        self.key = key
        self.fields["secret"].required = False
        self.fields["secret"].help_text = "Needed only when the base URL moves to another origin."
        self.fields["base_url"].widget.attrs["placeholder"] = key.provider_info.default_origin

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values["secret"] and "base_url" in values and not self._moves(values["base_url"]):
            self.add_error("secret", "The origin stays the same, so no secret is needed. To replace it, use Rotate.")
        return values

    def changes(self) -> dict[str, Any]:
        """Return the new values of the fields that ``edit_provider_key`` sets."""
        return {field: self.cleaned_data[field] for field in self.CHANGES}

    def _moves(self, base_url: str) -> bool:
        there = ProviderKey(provider=self.key.provider, base_url=base_url)
        return there.sealed_origin != self.key.sealed_origin


class SwitchForm(forms.Form):
    """For how long the version in use stands by after a switch."""

    grace = forms.TypedChoiceField(
        label="The old version",
        choices=GRACE_CHOICES,
        initial="24",
        coerce=lambda hours: timedelta(hours=int(hours)),
        widget=forms.RadioSelect,
    )


class DeleteForm(forms.Form):
    """The name, typed, so that nobody deletes the wrong key."""

    use_required_attribute = False

    name = forms.CharField(label="Name", widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))

    def __init__(self, *args: Any, key: ProviderKey, **options: Any) -> None:
        super().__init__(*args, **options)
        self.key = key
        self.fields["name"].label = f"Type “{key.name}” to delete it"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.key.name:
            raise forms.ValidationError("This is not its name.")
        return name


class MessageForm(forms.Form):
    """Which model a test message goes to."""

    model = forms.ChoiceField(label="Model")

    def __init__(self, *args: Any, key: ProviderKey, **options: Any) -> None:
        super().__init__(*args, **options)
        offered = Offering.objects.listed().filter(provider=key.provider).select_related("model")
        # The smallest model first: the message is there to see that it works.
        ordered = sorted(offered, key=lambda each: ("haiku" not in each.model.slug, each.model.rank))
        self.fields["model"].choices = [(each.upstream_id, each.model.name) for each in ordered]  # type: ignore[attr-defined]
