"""What people type about their account, their workspace and its gateway keys."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone

from teams.models import MAX_PROMPT_RETENTION_DAYS, User

_NAMES_OF_NO_PLACE = ("Etc/", "SystemV/", "posix/", "right/")


@cache
def time_zone_choices() -> list[tuple[str, str]]:
    """Return the IANA zones people live in, and UTC, as choices of a select."""
    names = (name for name in available_timezones() if "/" in name and not name.startswith(_NAMES_OF_NO_PLACE))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in sorted(names))]


class SetupForm(forms.Form):
    """All that the first start asks for."""

    use_required_attribute = False

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters, and not a common one.",
    )
    workspace_name = forms.CharField(
        label="Workspace name", max_length=100, widget=forms.TextInput(attrs={"autocomplete": "organization"})
    )
    time_zone = forms.ChoiceField(
        label="Time zone", choices=time_zone_choices, help_text="Days and months are counted in this zone."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if not self.is_bound:
            # Where scripts run, the page begins with the browser's zone instead of the server's.
            self.fields["time_zone"].widget.attrs["data-browser-time-zone"] = True

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "password" in values:
            try:
                validate_password(values["password"], User(email=values.get("email", "")))
            except ValidationError as error:
                self.add_error("password", error)
        return values


class AccountForm(forms.Form):
    """What a person sets for themselves."""

    time_zone = forms.ChoiceField(
        label="Your time zone",
        required=False,
        choices=lambda: [("", "As the workspace"), *time_zone_choices()],
        help_text="Times are shown to you in this zone.",
    )


class WorkspaceForm(forms.Form):
    """The workspace's settings."""

    use_required_attribute = False

    name = forms.CharField(label="Workspace name", max_length=100)
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=time_zone_choices,
        help_text="Days and months are counted in this zone, past ones too.",
    )


class PromptStorageForm(forms.Form):
    """Whether prompts and answers are kept, and for how long."""

    use_required_attribute = False

    store_prompts = forms.BooleanField(label="Store prompts and answers", required=False)
    retention_days = forms.IntegerField(
        label="Kept for, days",
        min_value=1,
        max_value=MAX_PROMPT_RETENTION_DAYS,
        help_text=f"1 to {MAX_PROMPT_RETENTION_DAYS}. A shorter time also holds for what is stored already.",
    )
    delete_stored = forms.BooleanField(label="When switching off: delete what is stored already", required=False)


class GatewayKeyForm(forms.Form):
    """A new gateway key."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name",
        max_length=100,
        widget=forms.TextInput(attrs={"placeholder": "Support bot, production", "autocomplete": "off"}),
        help_text="Say which application sends it; usage is listed by this name.",
    )
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Without one it works until it is revoked.",
    )

    def clean_expires_on(self) -> datetime | None:
        """Return when the last day ends in the viewer's zone."""
        last_day = self.cleaned_data["expires_on"]
        if last_day is None:
            return None
        expires_at = timezone.make_aware(datetime.combine(last_day + timedelta(days=1), datetime.min.time()))
        if expires_at <= timezone.now():
            raise ValidationError("This day is over. Choose today or a later day.")
        return expires_at
