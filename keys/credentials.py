"""Whether a pasted credential has the right shape, and where base URLs may point. Pure."""

import re
from collections.abc import Collection
from secrets import token_hex
from urllib.parse import urlsplit

from catalog.providers import PROVIDERS
from providers.secret import Secret

MAX_LENGTH = 4096

_PASTE = "Paste an Anthropic API key (sk-ant-api…)."
# Other people's keys, by how they begin: what they are, and where they belong.
_BELONGS_ELSEWHERE = {
    "sk-ant-admin": f"This is an Anthropic Admin key: it manages an organization and calls no models. {_PASTE}",
    "sk-ant-oat": f"This is a Claude subscription's OAuth token: it belongs in Claude Code and nowhere else. {_PASTE}",
    "sk-ant-ort": f"This is a Claude subscription's refresh token: it belongs in Claude Code. {_PASTE}",
    "sk-orq-": "This is a gateway key of orqadmin: it belongs in your application. Paste the provider's key here.",
    "mk-orq-": "This is a management key of orqadmin: it belongs in your scripts. Paste the provider's key here.",
    "sk-proj-": f"This is an OpenAI key. {_PASTE}",
    "sk-or-": f"This is an OpenRouter key. {_PASTE}",
    "AKIA": f"This is an AWS access key ID: it belongs to AWS Bedrock. {_PASTE}",
    "ASIA": f"This is a temporary AWS access key ID. {_PASTE}",
    "ABSK": f"This is an AWS Bedrock API key. {_PASTE}",
    "AIza": f"This is a Google API key. {_PASTE}",
    "{": f"This is JSON, such as a Google service account. {_PASTE}",
}


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
    for prefix, message in _BELONGS_ELSEWHERE.items():
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


def make_simulated_secret() -> Secret:
    """Return a key that the simulated provider takes, of an organisation of its own."""
    return Secret(f"sk-ant-sim-own{token_hex(12)}")


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
