"""The providers this gateway knows: what each is called, what its keys look like, and whether it can be called."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One value that connecting a provider asks for; ``name`` is its key in the REST API's ``credentials``."""

    name: str
    label: str
    is_secret: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as the pages, the REST API and the gateway name it.

    ``fixed_origin`` is where calls go when a key has no base URL of its own; None where a setting decides, and
    empty where it depends on the key's region. ``publisher`` stands between prefix and model
    (``aws/anthropic/…``) at providers that sell other companies' models.
    """

    slug: str
    name: str
    prefix: str
    credential_fields: tuple[CredentialField, ...]
    setting_fields: tuple[CredentialField, ...]
    fixed_origin: str | None
    key_hint: str
    keys_url: str
    is_callable: bool
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
    def needs(self) -> str:
        """What connecting it takes, in words: ``Access key ID, Secret access key and Region``."""
        labels = [field.label for field in (*self.credential_fields, *self.setting_fields)]
        return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1]))) if labels else "nothing"

    def model_string(self, model: str) -> str:
        """Return what a client writes to get ``model`` from this provider."""
        return f"{self.prefix}{self.publisher}{model}"


_API_KEY = CredentialField("api_key", "API key")

PROVIDERS: dict[str, Provider] = {
    provider.slug: provider
    for provider in (
        Provider(
            slug="anthropic",
            name="Anthropic",
            prefix="anthropic/",
            credential_fields=(_API_KEY,),
            setting_fields=(),
            fixed_origin="https://api.anthropic.com",
            key_hint="sk-ant-api03-…",
            keys_url="https://console.anthropic.com/settings/keys",
            is_callable=True,
        ),
        Provider(
            slug="aws",
            name="AWS Bedrock",
            prefix="aws/",
            publisher="anthropic/",
            credential_fields=(
                CredentialField("access_key_id", "Access key ID", is_secret=False),
                CredentialField("secret_access_key", "Secret access key"),
            ),
            setting_fields=(CredentialField("region", "Region", is_secret=False),),
            fixed_origin="",
            key_hint="AKIA…",
            keys_url="https://console.aws.amazon.com/iam/home#/security_credentials",
            is_callable=False,
        ),
        Provider(
            slug="google",
            name="Google Vertex AI",
            prefix="google/",
            publisher="anthropic/",
            credential_fields=(CredentialField("service_account", "Service account key (JSON)"),),
            setting_fields=(
                CredentialField("project_id", "Project ID", is_secret=False),
                CredentialField("location", "Location", is_secret=False),
            ),
            fixed_origin="",
            key_hint='{"type": "service_account", …}',
            keys_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
            is_callable=False,
        ),
        Provider(
            slug="simulated",
            name="Simulated Anthropic",
            prefix="simulated/",
            credential_fields=(),
            setting_fields=(),
            fixed_origin=None,
            key_hint="",
            keys_url="",
            is_callable=True,
            is_simulated=True,
        ),
        Provider(
            slug="openai",
            name="OpenAI",
            prefix="openai/",
            credential_fields=(_API_KEY,),
            setting_fields=(),
            fixed_origin="https://api.openai.com",
            key_hint="sk-proj-…",
            keys_url="https://platform.openai.com/api-keys",
            is_callable=False,
        ),
    )
}
