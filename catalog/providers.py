"""The providers this gateway knows: what each is called, what connecting it takes, and whether it can be called."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from providers import bedrock, vertex
from providers.vertex_locations import LOCATIONS


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One value that proves who calls; ``name`` is its key in the REST API's ``credentials``.

    ``is_file`` marks the text of a file, which the REST API takes as a JSON object too; ``is_secret`` is false for what
    may be seen while it is typed.
    """

    name: str
    label: str
    example: str
    is_file: bool = False
    is_secret: bool = True


@dataclass(frozen=True, slots=True)
class CredentialForm:
    """One way to prove who calls; a provider with several takes any one of them."""

    slug: str
    label: str
    fields: tuple[CredentialField, ...]


@dataclass(frozen=True, slots=True)
class SettingField:
    """One value that is not secret; ``name`` is its key in the REST API's ``settings``. ``choices`` are all it may be.

    ``note`` says beside the field what an optional one is for.
    """

    name: str
    label: str
    is_required: bool = True
    choices: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""

    def in_words(self, value: str) -> str:
        """Return ``value`` with what it means; of an optional setting the meaning says it all."""
        meaning = self.choices.get(value, "")
        if self.is_required:
            return f"{value}, {meaning}" if meaning else value
        return meaning or value


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as the pages, the REST API and the gateway name it.

    ``fixed_origin`` is where calls go when a key has no base URL of its own; None where a setting decides, and
    empty where it depends on the key's region. ``publisher`` stands between prefix and model
    (``aws/anthropic/…``) at providers that sell other companies' models. ``check_note`` says what the free check does
    and which permission that takes, ``permissions`` what model calls take.
    """

    slug: str
    name: str
    prefix: str
    credential_forms: tuple[CredentialForm, ...]
    needs: str
    check_note: str
    permissions: str
    fixed_origin: str | None
    keys_url: str
    setting_fields: tuple[SettingField, ...] = ()
    noun: str = "API key"
    is_callable: bool = True
    publisher: str = ""
    is_simulated: bool = False

    @property
    def label(self) -> str:
        """The name with the prefix that model strings begin with: ``Anthropic (anthropic/)``."""
        return self.name if self.is_simulated else f"{self.name} ({self.prefix})"

    @property
    def default_origin(self) -> str:
        """Where calls go when a key has no base URL of its own; empty where that depends on its region."""
        return settings.SIMULATOR_ORIGIN if self.fixed_origin is None else self.fixed_origin

    @property
    def credential_fields(self) -> tuple[CredentialField, ...]:
        """The fields of all the ways to prove who calls."""
        return tuple(each for form in self.credential_forms for each in form.fields)

    def model_string(self, model: str) -> str:
        """Return what a client writes to get ``model`` from this provider."""
        return f"{self.prefix}{self.publisher}{model}"


def _api_key(example: str) -> tuple[CredentialForm, ...]:
    return (CredentialForm("api_key", "API key", (CredentialField("api_key", "API key", example),)),)


_AWS_CREDENTIALS = (
    CredentialForm(
        "access_key",
        "Access key",
        (
            CredentialField("access_key_id", "Access key ID", "AKIA…", is_secret=False),
            CredentialField("secret_access_key", "Secret access key", "40 characters"),
        ),
    ),
    CredentialForm("bearer_token", "Bedrock API key", (CredentialField("bearer_token", "Bedrock API key", "ABSK…"),)),
)

_SERVICE_ACCOUNT = CredentialForm(
    "service_account",
    "Service account",
    (CredentialField("service_account", "Service account key (JSON)", '{"type": "service_account", …}', is_file=True),),
)

_INFERENCE_PROFILES = {
    "geographic": "Geographic: stay in the region's area (us, eu, jp, …)",
    "global": "Global: wherever there is capacity, at the lowest price",
    "none": "None: this one region only",
}

PROVIDERS: dict[str, Provider] = {
    provider.slug: provider
    for provider in (
        Provider(
            slug="anthropic",
            name="Anthropic",
            prefix="anthropic/",
            credential_forms=_api_key("sk-ant-api03-…"),
            needs="API key",
            check_note="The free check lists the models. Any API key may do that.",
            permissions="Nothing beyond the key itself.",
            fixed_origin="https://api.anthropic.com",
            keys_url="https://console.anthropic.com/settings/keys",
        ),
        Provider(
            slug="aws",
            name="AWS Bedrock",
            prefix="aws/",
            publisher="anthropic/",
            credential_forms=_AWS_CREDENTIALS,
            needs="Access key or Bedrock API key, and Region",
            check_note=(
                "The free check calls ListFoundationModels, so the credential needs bedrock:ListFoundationModels. "
                "Without it the check says No permission, and calls may work all the same."
            ),
            permissions=bedrock.PERMISSIONS,
            fixed_origin="",
            keys_url="https://console.aws.amazon.com/iam/home#/security_credentials",
            setting_fields=(
                SettingField("region", "Region", choices=bedrock.REGIONS),
                SettingField(
                    "inference_profile",
                    "Inference profile",
                    is_required=False,
                    choices=_INFERENCE_PROFILES,
                    note="Where Bedrock may serve calls. Empty: as the model's id says.",
                ),
            ),
            noun="credential",
        ),
        Provider(
            slug="google",
            name="Google Vertex AI",
            prefix="google/",
            publisher="anthropic/",
            credential_forms=(_SERVICE_ACCOUNT,),
            needs="Service account key (JSON), Project ID and Location",
            check_note=(
                "The free check counts the tokens of one word with a Claude model, so the service account needs "
                f"{' and '.join(vertex.PERMISSIONS)} in the project, as model calls do."
            ),
            permissions=f"{', '.join(vertex.PERMISSIONS)}: the role {vertex.ROLE} has it.",
            fixed_origin="",
            keys_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
            setting_fields=(
                SettingField("project_id", "Project ID", note="Empty: the project in the key file."),
                SettingField("location", "Location", choices=LOCATIONS),
            ),
            noun="service account",
        ),
        Provider(
            slug="simulated",
            name="Simulated Anthropic",
            prefix="simulated/",
            credential_forms=(),
            needs="nothing",
            check_note="",
            permissions="",
            fixed_origin=None,
            keys_url="",
            is_simulated=True,
        ),
        Provider(
            slug="openai",
            name="OpenAI",
            prefix="openai/",
            credential_forms=_api_key("sk-proj-…"),
            needs="API key; a base URL for another OpenAI-compatible server",
            check_note="The free check lists the models, so a restricted key needs Read on Models.",
            permissions="Write on Model capabilities, where the key is a restricted one.",
            fixed_origin="https://api.openai.com",
            keys_url="https://platform.openai.com/api-keys",
            setting_fields=(
                SettingField(
                    "responses",
                    "Responses API",
                    is_required=False,
                    choices={"yes": "The server has it", "no": "Chat completions only"},
                    note="Empty: yes at OpenAI itself, no at another base URL.",
                ),
            ),
        ),
    )
}
