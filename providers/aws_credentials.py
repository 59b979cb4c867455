"""AWS credentials as they are stored, and requests signed with them. Pure, apart from the clock that signing reads.

Nothing here looks for a credential: no session, no environment, no profile files, no instance metadata.
Source: AWS General Reference, "Signature Version 4"; Amazon Bedrock User Guide, "API keys".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from providers.base import Outbound
from providers.secret import Secret

_PASTE: Final = "Paste an access key ID with its secret access key, or a Bedrock API key."
_ACCESS_KEY_ID: Final = re.compile(r"[A-Z0-9]{16,128}")
_SECRET_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9/+=]{16,128}")
_TOKEN: Final = re.compile(r"[!-~]{12,4096}")
_TOKEN_PREFIXES: Final = ("ABSK", "bedrock-api-key-")
# What this header says is part of the signature; others may change on their way.
_SIGNED_HEADERS: Final = ("content-type",)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-term access key of an IAM user."""

    access_key_id: str
    secret_access_key: Secret

    def to_text(self) -> str:
        """Return the JSON text that is stored."""
        return _json(access_key_id=self.access_key_id, secret_access_key=self.secret_access_key.reveal())


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A Bedrock API key."""

    token: Secret

    def to_text(self) -> str:
        """Return the JSON text that is stored."""
        return _json(bearer_token=self.token.reveal())


def parse_credential(text: str) -> AccessKey | BearerToken:
    """Return the credential in ``text``: a JSON object with one of the two forms' fields, or a bare Bedrock API key.

    ``to_text()`` of what is returned is the form to store. Raises ValueError with a sentence for people, which never
    repeats the text.
    """
    text = text.strip()
    if not text.startswith("{"):
        return _bearer_token(text) if text.startswith(_TOKEN_PREFIXES) else _refuse(_PASTE)
    fields = _fields_in(text)
    names = frozenset(fields)
    if names == {"bearer_token"}:
        return _bearer_token(fields["bearer_token"])
    if "bearer_token" in names:
        _refuse("Send either an access key or a Bedrock API key, not both.")
    if names != {"access_key_id", "secret_access_key"}:
        _refuse(_PASTE)
    return _access_key(fields["access_key_id"], fields["secret_access_key"])


def authorized_headers(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with: signed for its region now, or with the bearer token.

    Raises ValueError if the secret is no credential of AWS.
    """
    credential = parse_credential(secret.reveal())
    if isinstance(credential, BearerToken):
        return {**outbound.headers, "authorization": f"Bearer {credential.token.reveal()}"}
    signed = {name: outbound.headers[name] for name in _SIGNED_HEADERS if name in outbound.headers}
    request = AWSRequest(outbound.method, outbound.url, data=outbound.body, headers=signed)
    identity = Credentials(credential.access_key_id, credential.secret_access_key.reveal())
    SigV4Auth(identity, "bedrock", outbound.region).add_auth(request)
    return {**outbound.headers, **{name.lower(): value for name, value in request.headers.items()}}


def secrets_in(secret: Secret) -> tuple[str, ...]:
    """Return the texts within a stored credential that may never come out; of one that is broken, all of it."""
    try:
        credential = parse_credential(secret.reveal())
    except ValueError:
        return (secret.reveal(),)
    if isinstance(credential, BearerToken):
        return (credential.token.reveal(),)
    return (credential.secret_access_key.reveal(),)


def _fields_in(text: str) -> dict[str, str]:
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        _refuse(f"This is not JSON. {_PASTE}")
    filled = {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}
    filled = {name: value for name, value in filled.items() if value}
    if not all(isinstance(value, str) for value in filled.values()):
        _refuse(_PASTE)
    return filled


def _access_key(access_key_id: str, secret_access_key: str) -> AccessKey:
    if access_key_id.startswith("ASIA"):
        _refuse("This is a temporary access key: it ends within hours. Paste one that begins with AKIA.")
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        _refuse("Access key IDs are 20 capital letters and digits that begin with AKIA. Copy it again.")
    if not _SECRET_ACCESS_KEY.fullmatch(secret_access_key):
        _refuse("The secret access key has the wrong length or characters. Copy it again, in one piece.")
    return AccessKey(access_key_id, Secret(secret_access_key))


def _bearer_token(token: str) -> BearerToken:
    if token.startswith(("AKIA", "ASIA")):
        _refuse("This is an access key ID: it goes with a secret access key, in fields of their own.")
    if not _TOKEN.fullmatch(token):
        _refuse("The Bedrock API key has the wrong length or characters. Copy it again, in one piece.")
    return BearerToken(Secret(token))


def _json(**fields: str) -> str:
    return msgspec.json.encode(fields).decode()


def _refuse(sentence: str) -> NoReturn:
    # Not from the error that led here: its text may quote the secret.
    raise ValueError(sentence) from None
