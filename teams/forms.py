"""What people type about their account, their workspace and its gateway keys."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from catalog.region_field import RegionsField
from teams.models import LAST_EXPIRY_YEAR, MAX_PROMPT_RETENTION_DAYS, GatewayKey, Project, User, Workspace
from teams.names import NameField
from teams.scopes import BadModelPattern, read_model_patterns
from teams.services import KeyScope

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
    workspace_name = NameField(label="Workspace name", widget=forms.TextInput(attrs={"autocomplete": "organization"}))
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

    name = NameField(label="Workspace name")
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


class CallRulesForm(forms.Form):
    """What holds for every call of the workspace."""

    use_required_attribute = False

    allowed_regions = RegionsField()
    fetch_urls = forms.BooleanField(
        label="Fetch images and PDFs by URL for AWS Bedrock and Google Vertex AI",
        required=False,
        help_text="They take no addresses. Otherwise such a request is refused with “send base64”.",
    )
    same_model_fallback = forms.BooleanField(
        label="Fall back to other offerings of the same model",
        required=False,
        help_text="When a model fails, the same one is asked for elsewhere: another bill, another region. "
        "Routes have their own switch.",
    )


class ProjectForm(forms.Form):
    """A project."""

    use_required_attribute = False

    name = NameField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "placeholder": "Help centre"}),
        help_text="Usage is listed by this name, that of the past too.",
    )
    allowed_regions = RegionsField()


class KeyScopeForm(forms.Form):
    """What a gateway key is called, belongs to and may do."""

    use_required_attribute = False

    name = NameField(
        widget=forms.TextInput(attrs={"placeholder": "Support bot, production", "autocomplete": "off"}),
        help_text="Say which application sends it; usage is listed by this name.",
    )
    project = forms.ModelChoiceField(
        label="Project",
        required=False,
        queryset=Project.objects.none(),
        empty_label="No project",
        help_text="Its usage is charged to the project from now on.",
    )
    models_allowed = forms.CharField(
        label="Models",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "anthropic/*\nroute/support"}),
        help_text="One a line; a star stands for the rest: anthropic/*. Empty: all. "
        "Who may call a route may call what it leads to.",
    )
    allowed_regions = RegionsField()

    def __init__(self, *args: Any, workspace: Workspace, key: GatewayKey | None = None, **options: Any) -> None:
        options["initial"] = _scope_of(key) if key else {}
        super().__init__(*args, **options)
        # The one it is in stays to be chosen when it was archived since.
        choosable = Q(archived_at=None) | Q(pk=key.project_id if key else None)
        self.fields["project"].queryset = Project.objects.in_workspace(workspace).filter(choosable)  # type: ignore[attr-defined]

    @property
    def has_projects(self) -> bool:
        """Whether there is a project to choose."""
        return len(self.fields["project"].choices) > 1  # type: ignore[attr-defined]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is typed or chosen that limits the key."""
        return bool(self["models_allowed"].value() or self["allowed_regions"].value())

    def clean_models_allowed(self) -> list[str]:
        try:
            return read_model_patterns(self.cleaned_data["models_allowed"].splitlines())
        except BadModelPattern as error:
            raise ValidationError(str(error)) from None

    def scope(self) -> KeyScope:
        """Return what was chosen."""
        chosen = self.cleaned_data
        return KeyScope(chosen["project"], chosen["allowed_regions"], chosen["models_allowed"])


def _scope_of(key: GatewayKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "project": key.project_id,
        "models_allowed": "\n".join(key.models_allowed),
        "allowed_regions": key.allowed_regions,
    }


class GatewayKeyForm(KeyScopeForm):
    """A new gateway key."""

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
        if last_day.year > LAST_EXPIRY_YEAR:
            raise ValidationError(f"Choose a day before {LAST_EXPIRY_YEAR + 1}, or leave it empty.")
        expires_at = timezone.make_aware(datetime.combine(last_day + timedelta(days=1), datetime.min.time()))
        if expires_at <= timezone.now():
            raise ValidationError("This day is over. Choose today or a later day.")
        return expires_at
