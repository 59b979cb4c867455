"""Whether a pasted credential has the right shape, and where base URLs may point. Pure."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from catalog.providers import PROVIDERS
from providers.secret import Secret

MAX_LENGTH = 4096

# Other people's keys, by how they begin: what they are, and where they belong.
_BELONGS_ELSEWHERE = [
    (
        "sk-ant-admin",
        "This is an Anthropic Admin key. It manages an organization and cannot call models. Paste an API key (sk-ant-api…).",
    ),  # noqa: E501
    (
        "sk-ant-oat",
        "This is a Claude subscription's OAuth token. It belongs to Claude Code and may not be used here. Paste an API key (sk-ant-api…).",
    ),  # noqa: E501
    (
        "sk-ant-ort",
        "This is a Claude subscription's refresh token. It belongs to Claude Code. Paste an API key (sk-ant-api…).",
    ),  # noqa: E501
    ("sk-orq-", "This is a gateway key of orqadmin. It belongs in your application. Paste the provider's key here."),
    ("mk-orq-", "This is a management key of orqadmin. It belongs in your scripts. Paste the provider's key here."),
    ("sk-proj-", "This is an OpenAI key. Paste an Anthropic API key (sk-ant-api…)."),
    ("sk-or-", "This is an OpenRouter key. Paste an Anthropic API key (sk-ant-api…)."),
    ("AKIA", "This is an AWS access key id. It belongs to AWS Bedrock. Paste an Anthropic API key (sk-ant-api…)."),
    ("ASIA", "This is a temporary AWS access key id. Paste an Anthropic API key (sk-ant-api…)."),
    ("ABSK", "This is an AWS Bedrock API key. Paste an Anthropic API key (sk-ant-api…)."),
    ("AIza", "This is a Google API key. Paste an Anthropic API key (sk-ant-api…)."),
    ("{", "This is JSON, such as a Google service account. Paste an Anthropic API key (sk-ant-api…)."),
]


class CredentialInvalid(ValueError):
    """The pasted text cannot be a key of this provider; the text says why and never repeats it."""


class OriginNotAllowed(ValueError):
    """The base URL points where keys may not be sent."""


def read_credential(provider: str, text: str, *, base_url: str = "") -> Secret:
    """Return the secret in ``text``, spaces and newlines around it removed.

    Raises CredentialInvalid. At a base URL of one's own (a proxy, a test server) any key without spaces will do,
    but not one that is known to belong elsewhere.
    """
    text = text.strip()
    if not text:
        raise CredentialInvalid("Paste the API key.")
    for prefix, message in _BELONGS_ELSEWHERE:
        if text.startswith(prefix):
            raise CredentialInvalid(message)
    if re.search(r"\s", text):
        raise CredentialInvalid("The key has a space or a line break inside. Copy it again, in one piece.")
    if not text.isascii() or not text.isprintable():
        raise CredentialInvalid("The key has characters that no key has. Copy it again from the provider's page.")
    if len(text) > MAX_LENGTH:
        raise CredentialInvalid("This is too long to be an API key.")
    if len(text) < 12:
        raise CredentialInvalid("This is too short to be an API key. Copy it again, in one piece.")
    if provider == "anthropic" and not base_url and not text.startswith("sk-ant-"):
        raise CredentialInvalid("Anthropic's API keys begin with sk-ant-api. Copy the key from console.anthropic.com.")
    return Secret(text)


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
