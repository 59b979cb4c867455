"""What people type about provider keys, beside the credentials themselves (see ``keys.credential_forms``)."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from catalog.index import is_passable_id
from catalog.models import Offering
from catalog.prices import IN_REGION
from catalog.providers import Provider
from keys.credential_forms import CredentialForm, read_settings_of, setting_form_fields
from keys.credentials import OriginNotAllowed, check_base_url, make_simulated_secret
from keys.models import ProviderKey
from keys.services import allowed_origins
from providers import bedrock
from providers.base import Target
from providers.registry import PROVIDER_APIS
from teams.names import NameField

GRACE_CHOICES = [("0", "End it now"), ("1", "1 hour"), ("24", "24 hours"), ("168", "7 days")]
_WHERE_BEDROCK_SERVES = (
    "Calls stay in the region's area (us, eu, jp, au, us-gov); from other regions they go where the model's id "
    "says, mostly anywhere. Under Advanced, Inference profile chooses otherwise."
)
SMALLEST_FIRST = ("haiku", "nano", "mini")


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


class NewKeyForm(BaseUrlMixin, CredentialForm):
    """A provider key with its first secret and its settings."""

    name = NameField(widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))

    def __init__(self, *args: Any, provider: Provider, **options: Any) -> None:
        super().__init__(*args, provider=provider, **options)
        self.fields["name"].widget.attrs["placeholder"] = f"{provider.name} Production"
        self.fields["base_url"].widget.attrs["placeholder"] = provider.default_origin
        self.fields.update(setting_form_fields(provider))
        if "project_id" in self.fields:
            # The key file names it.
            self.fields["project_id"].required = False
        if "inference_profile" in self.fields:
            self.fields["region"].help_text = _WHERE_BEDROCK_SERVES
            self.fields["inference_profile"].help_text = "Empty: by the region, as said there."
        self.order_fields(["name", *(name for name in self.fields if name != "base_url")])

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("secret") is not None:
            values["settings"] = _kept_to_its_area(read_settings_of(self, self.provider, values["secret"]))
        return values


class SimulatedSecretForm(forms.Form):
    """A secret of the simulated provider: there is nothing to paste, we make it ourselves."""

    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        return {**(super().clean() or {}), "secret": make_simulated_secret()}


class NewSimulatedKeyForm(SimulatedSecretForm):
    """A key of the simulated provider with its first secret."""

    name = NameField(widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))

    def clean(self) -> dict[str, Any]:
        return {**super().clean(), "base_url": "", "settings": {}}


class EditKeyForm(BaseUrlMixin, CredentialForm):
    """What can be changed about a provider key. The secret is asked for only when its calls move to a new origin."""

    name = NameField()
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

    CHANGES = ("name", "order", "weight", "rotate_every_days", "notes", "base_url")

    def __init__(self, *args: Any, key: ProviderKey, **options: Any) -> None:
        initial = {field: getattr(key, field) for field in self.CHANGES} | key.settings
        super().__init__(*args, provider=key.provider_info, is_required=False, initial=initial, **options)
        self.key = key
        self.fields.update(setting_form_fields(self.provider))
        if "project_id" in self.fields:
            # The key file, which would tell it, is not at hand here.
            self.fields["project_id"].help_text = ""
        self.fields["base_url"].widget.attrs["placeholder"] = key.provider_info.default_origin

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        values["settings"] = read_settings_of(self, self.provider)
        if values["secret"] and "base_url" in values and not self._moves(values["base_url"]):
            message = "The origin stays the same, so no secret is needed. To replace it, use Rotate."
            self.add_error(self.first_credential_field, message)
        return values

    def changes(self) -> dict[str, Any]:
        """Return the new values of the fields that ``edit_provider_key`` sets."""
        return {field: self.cleaned_data[field] for field in (*self.CHANGES, "settings")}

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
    """Which model a test message goes to: one that the key can call from where it is, or an id typed in."""

    model = forms.CharField(label="Model", max_length=300)

    def __init__(self, *args: Any, key: ProviderKey, **options: Any) -> None:
        super().__init__(*args, **options)
        self.key = key
        self.offered = _models_to_try(key)
        self.fields["model"].initial = next(iter(self.offered), "")

    @property
    def takes_any_id(self) -> bool:
        """Whether the provider has models that no catalog lists."""
        return is_passable_id(self.key.provider, "any-model")

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        if model not in self.offered and not is_passable_id(self.key.provider, model):
            raise forms.ValidationError("Choose a model of this provider.")
        return model


def _kept_to_its_area(settings: dict[str, str]) -> dict[str, str]:
    """Return the ``settings`` of a new key; who chooses a region of Bedrock's means its area, where it has profiles."""
    is_left_open = "region" in settings and not settings.get("inference_profile")
    if is_left_open and bedrock.has_own_profiles(settings["region"]):
        return settings | {"inference_profile": "geographic"}
    return settings


def _models_to_try(key: ProviderKey) -> dict[str, str]:
    """Return the upstream ids that ``key`` can call and what they are called, the smallest model first."""
    now = timezone.now()
    offered = Offering.objects.listed().filter(provider=key.provider).select_related("model")
    in_use = [each for each in offered if each.retires_on is None or each.retires_on > now.date()]
    # The message is there to see that the key works; the cheapest answer shows that.
    in_use.sort(key=lambda each: (_size(each.model.slug), each.region == IN_REGION, each.model.rank, each.pk))
    names: dict[str, str] = {}
    for each in in_use:
        if each.upstream_id not in names and _is_callable(key, each.upstream_id):
            names[each.upstream_id] = f"{each.model.name}, {each.region}" if each.region else each.model.name
    return names


def _size(slug: str) -> int:
    return next((rank for rank, word in enumerate(SMALLEST_FIRST) if word in slug), len(SMALLEST_FIRST))


def _is_callable(key: ProviderKey, upstream_id: str) -> bool:
    api, target = PROVIDER_APIS[key.provider], Target(key.url, key.settings)
    try:
        api.build_request(api.build_test_message(upstream_id, target), target)
    except ValueError:
        return False
    return True
