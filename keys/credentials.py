"""Whether a pasted credential has the right shape, what of it may be shown, and where keys may be sent. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

from catalog.providers import PROVIDERS, CredentialField, CredentialForm, Provider
from providers import bedrock
from providers.secret import Secret
from providers.vertex_account import ServiceAccountRefused, parse_service_account

MAX_LENGTH = 4096
# No provider's own key is shorter.
SHORTEST_KEY = 12

_PROJECT_ID: Final = re.compile(r"[a-z0-9][a-z0-9.:-]{0,99}")
_PASTE: Final[Mapping[str, str]] = {
    "anthropic": "Paste an Anthropic API key (sk-ant-api…).",
    "aws": "Paste an access key (AKIA…) with its secret, or a Bedrock API key (ABSK…).",
    "google": "Paste the JSON key of a service account.",
    "openai": "Paste an OpenAI API key (sk-…).",
    "simulated": "Leave it out: the product makes one.",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of key, told by how it begins. ``provider`` is whose it is, '' where no provider here takes it.

    ``anywhere`` is refused even where a base URL of one's own is called.
    """

    prefix: str
    what: str
    provider: str = ""
    anywhere: bool = False


# The first that fits decides.
_KINDS: Final = (
    _Kind("sk-ant-admin", "This is an Anthropic Admin key: it manages an organization and calls no models.", "", True),
    _Kind("sk-ant-oat", "This is a Claude subscription's OAuth token: it belongs in Claude Code.", "", True),
    _Kind("sk-ant-ort", "This is a Claude subscription's refresh token: it belongs in Claude Code.", "", True),
    _Kind("sk-orq-", "This is a gateway key of orqadmin: it belongs in your application.", "", True),
    _Kind("mk-orq-", "This is a management key of orqadmin: it belongs in your scripts.", "", True),
    _Kind("sk-admin-", "This is an OpenAI Admin key: it manages an organization and calls no models.", "", True),
    _Kind("sk-ant-", "This is an Anthropic API key.", "anthropic"),
    _Kind("sk-or-", "This is an OpenRouter key."),
    _Kind("sk-proj-", "This is an OpenAI key.", "openai"),
    _Kind("sk-svcacct-", "This is an OpenAI key.", "openai"),
    _Kind("AKIA", "This is an AWS access key ID.", "aws"),
    _Kind("ASIA", "This is a temporary AWS access key ID: it ends within hours."),
    _Kind("ABSK", "This is an AWS Bedrock API key.", "aws"),
    _Kind("bedrock-api-key-", "This is an AWS Bedrock API key.", "aws"),
    _Kind("AIza", "This is a Google API key, which Vertex AI's Claude models do not take."),
    _Kind("ya29.", "This is a Google access token: it ends within the hour."),
    _Kind("GOCSPX-", "This is a Google OAuth client's secret."),
    _Kind("{", "This is JSON, such as a Google service account.", "google"),
)


class CredentialInvalid(ValueError):
    """The pasted text cannot be a key of this provider; the text says why and never repeats it.

    ``field`` is the name of the credential's field at fault.
    """

    def __init__(self, message: str, field: str = "api_key") -> None:
        super().__init__(message)
        self.field = field


class SettingInvalid(ValueError):
    """A setting of a key is missing or is not one of its choices; ``field`` is its name."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class OriginNotAllowed(ValueError):
    """The base URL points where keys may not be sent."""


def read_credentials(provider: Provider, given: Mapping[str, str], *, base_url: str = "") -> Secret:
    """Return the one text that is stored of the fields ``given``: the key itself, or JSON where there is more to it.

    Raises CredentialInvalid, naming the field. Fields that are empty count as left out.
    """
    filled = {name: text.strip() for name, text in given.items() if text.strip()}
    form = _form_of(provider, filled, given)
    for field in form.fields:
        if field.name not in filled:
            raise CredentialInvalid(f"Paste the {_in_sentence(field.label)}.", field.name)
        _refuse_what_belongs_elsewhere(provider, field, filled[field.name], base_url=base_url)
    if provider.slug == "aws":
        return _read_aws(form, filled)
    if provider.slug == "google":
        return _read_service_account(filled["service_account"])
    return read_credential(provider.slug, filled["api_key"], base_url=base_url)


def read_credential(provider: str, text: str, *, base_url: str = "") -> Secret:
    """Return the API key in ``text``, spaces and newlines around it removed.

    Raises CredentialInvalid. At a base URL of one's own (a proxy, a test server) any key without spaces will do,
    but not one that is known to belong elsewhere.
    """
    text = text.strip()
    if not text:
        raise CredentialInvalid("Paste the API key.")
    _refuse_what_belongs_elsewhere(PROVIDERS[provider], _API_KEY, text, base_url=base_url)
    if re.search(r"\s", text):
        raise CredentialInvalid("The key has a space or a line break inside. Copy it again, in one piece.")
    if not text.isascii() or not text.isprintable():
        raise CredentialInvalid("The key has characters that no key has. Copy it again from the provider's page.")
    if len(text) > MAX_LENGTH:
        raise CredentialInvalid("This is too long to be an API key.")
    if len(text) < SHORTEST_KEY and not base_url:
        raise CredentialInvalid("This is too short to be an API key. Copy it again, in one piece.")
    if provider == "anthropic" and not base_url and not text.startswith("sk-ant-"):
        raise CredentialInvalid("Anthropic's API keys begin with sk-ant-api. Copy the key from console.anthropic.com.")
    if provider == "openai" and not base_url and not text.startswith("sk-"):
        raise CredentialInvalid("OpenAI's API keys begin with sk-. For another server's key, set its base URL.")
    return Secret(text)


def make_simulated_secret() -> Secret:
    """Return a key that the simulated provider takes, of an organisation of its own."""
    return Secret(f"sk-ant-sim-own{token_hex(12)}")


def hint_of(provider: str, secret: Secret) -> str:
    """Return the four characters that people know a stored credential by: the last of its id, else of the secret.

    Of a short secret, as some servers at a base URL of one's own take, nothing is told.
    """
    text = secret.reveal()
    if provider == "aws" and text.startswith("{"):
        fields = json.loads(text)
        text = fields.get("access_key_id") or fields["bearer_token"]
    if provider == "google" and text.startswith("{"):
        text = json.loads(text).get("private_key_id") or ""
    return text[-4:] if len(text) >= SHORTEST_KEY else ""


def read_settings(provider: Provider, given: Mapping[str, str], secret: Secret | None = None) -> dict[str, str]:
    """Return the settings in ``given`` that are filled in; a service account's own project stands in for a missing one.

    Raises SettingInvalid for one that is missing, not known or not one of its choices.
    """
    filled = {name: value.strip() for name, value in given.items() if value.strip()}
    known = {field.name: field for field in provider.setting_fields}
    for name in filled.keys() - known.keys():
        taken = ", ".join(known) or "no settings"
        raise SettingInvalid(f"{provider.name} takes {taken}.", name)
    if provider.slug == "google" and secret is not None and "project_id" not in filled:
        filled["project_id"] = _project_of(secret)
    for name, field in known.items():
        value = filled.get(name, "")
        if not value and field.is_required:
            raise SettingInvalid(f"Choose the {field.label.lower()}." if field.choices else "Fill this in.", name)
        if value and field.choices and value not in field.choices:
            raise SettingInvalid(f"This is none of its choices: {', '.join(field.choices)}.", name)
    if project := filled.get("project_id"):
        _check_project(project)
    return {name: filled[name] for name in known if filled.get(name)}


def check_base_url(provider: str, base_url: str, *, allowed_origins: Collection[str]) -> str:
    """Return ``base_url`` without a trailing slash if keys of ``provider`` may be sent there.

    Raises OriginNotAllowed. Only the provider's own origin and those of ORQADMIN_ALLOWED_ORIGINS will do.
    """
    base_url = base_url.strip().rstrip("/")
    if not base_url:
        return ""
    # The parser drops tabs and line breaks that others would send.
    if re.search(r"\s", base_url) or not base_url.isprintable():
        raise OriginNotAllowed("This is not a web address.")
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise OriginNotAllowed("This is not a web address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OriginNotAllowed("Write the address with https:// in front.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise OriginNotAllowed("The address may have no user name, ? or #.")
    origin = f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")
    if origin not in {*allowed_origins, PROVIDERS[provider].default_origin}:
        raise OriginNotAllowed(
            f"{origin} is not allowed. Whoever runs this server can add it to ORQADMIN_ALLOWED_ORIGINS."
        )
    return base_url


_API_KEY: Final = CredentialField("api_key", "API key", "")


def _form_of(provider: Provider, filled: Collection[str], given: Collection[str]) -> CredentialForm:
    """Return the form that was filled in, else the one that was given empty. Raises CredentialInvalid for several."""
    forms = provider.credential_forms or (CredentialForm("api_key", "API key", (_API_KEY,)),)
    used = [form for form in forms if any(field.name in filled for field in form.fields)]
    if len(used) > 1:
        one_or_other = " or ".join(_in_sentence(form.label) for form in used)
        raise CredentialInvalid(f"Send one of them only: {one_or_other}.", used[-1].fields[0].name)
    empty = [form for form in forms if any(field.name in given for field in form.fields)]
    return (used or empty or list(forms))[0]


def _in_sentence(label: str) -> str:
    return label if label[:2].isupper() or label.startswith("Bedrock") else label[0].lower() + label[1:]


def _refuse_what_belongs_elsewhere(provider: Provider, field: CredentialField, text: str, *, base_url: str) -> None:
    kind = next((kind for kind in _KINDS if text.startswith(kind.prefix)), None)
    if kind is None or kind.provider == provider.slug or _is_stand_in(provider, kind):
        return
    # Whoever speaks OpenAI's language may give its own kind of keys for it.
    if provider.slug == "openai" and base_url and not kind.anywhere:
        return
    where = f" It belongs to {PROVIDERS[kind.provider].name}." if kind.provider else ""
    raise CredentialInvalid(f"{kind.what}{where} {_PASTE[provider.slug]}", field.name)


def _is_stand_in(provider: Provider, kind: _Kind) -> bool:
    return provider.is_simulated and kind.provider == "anthropic"


def _read_aws(form: CredentialForm, filled: Mapping[str, str]) -> Secret:
    fields = {field.name: filled[field.name] for field in form.fields}
    try:
        credential = bedrock.parse_credential(json.dumps(fields))
    except ValueError as error:
        is_about_secret = "secret access key has" in str(error)
        raise CredentialInvalid(str(error), form.fields[-1 if is_about_secret else 0].name) from None
    return Secret(credential.to_text())


def _read_service_account(text: str) -> Secret:
    """Return the key file with the fields that are used and no others: nothing else of it is ever needed."""
    try:
        account = parse_service_account(text)
    except ServiceAccountRefused as error:
        raise CredentialInvalid(str(error), "service_account") from None
    fields = {
        "type": "service_account",
        "project_id": account.project_id,
        "private_key_id": account.private_key_id,
        "private_key": account.private_key.reveal(),
        "client_email": account.client_email,
    }
    return Secret(json.dumps(fields))


def _project_of(secret: Secret) -> str:
    try:
        project = json.loads(secret.reveal()).get("project_id")
    except (ValueError, AttributeError):
        return ""
    return project if isinstance(project, str) else ""


def _check_project(project: str) -> None:
    if not _PROJECT_ID.fullmatch(project):
        raise SettingInvalid("This is not the ID of a Google Cloud project, such as my-project-123.", "project_id")
