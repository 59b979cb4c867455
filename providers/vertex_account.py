"""Google service accounts: read one's key file, and ask for an access token with it. Pure: the caller sends.

Only the fields needed are read, by ourselves: Google's own loaders also take files that name commands to run and
addresses to call. The file's ``token_uri`` is never followed.
Source: Google Identity, "Using OAuth 2.0 for Server to Server Applications" (HTTP/REST); RFC 7523; RFC 6749, 5.2.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth import crypt, jwt

from providers.base import AccessToken, Outbound, Outcome, UnreadableAnswer
from providers.secret import Secret

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
# A key file has some 2,400 characters.
LONGEST_KEY_FILE: Final = 16 * 1024

_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# The longest that Google allows.
_ASSERTION_LIFETIME_S: Final = 3600
# Google makes keys of 2048 bits; of one with more than 4096 the check alone would take seconds.
_KEY_BITS: Final = range(2048, 4096 + 1)
_LONGEST_PEM: Final = 4096
_SHORTEST_TELLING_LINE: Final = 32
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,128}@[A-Za-z0-9.-]{1,253}")
_GET_A_KEY: Final = (
    "Paste the JSON key of a service account: in the Google Cloud console under IAM & Admin > Service Accounts > Keys."
)
# Other credential files, by their ``type``: what they are.
_OTHER_FILES: Final = {
    "authorized_user": "This is a person's own login, as gcloud stores it.",
    "external_account": "This is a workload identity federation file: it names addresses that would get to choose the "
    "credential.",
    "external_account_authorized_user": "This is a person's own login through workforce identity federation.",
    "impersonated_service_account": "This file impersonates a service account with another credential.",
    "gdch_service_account": "This is a service account of Google Distributed Cloud, which Vertex AI does not know.",
}


class ServiceAccountRefused(ValueError):
    """The text is no service account's key that can be used; the message says why and never repeats it."""


class ServiceAccount(msgspec.Struct, frozen=True):
    """What is used of a key file; ``project_id`` and ``private_key_id`` are '' where it has none."""

    client_email: str
    private_key: Secret
    private_key_id: str
    project_id: str


def parse_service_account(text: str) -> ServiceAccount:
    """Return the account of a key file, its private key checked (36 ms). Raises ServiceAccountRefused."""
    account = _read_account(text)
    _load_signer(account, is_checked=False)
    return account


def sensitive_parts(secret: Secret) -> Sequence[str]:
    """Return the private key in each way an error might quote it: whole, escaped as in JSON, or a line of it."""
    try:
        pem = _read_account(secret.reveal()).private_key.reveal()
    except ServiceAccountRefused:
        return (secret.reveal(),)
    lines = [line for line in pem.split("\n") if line and not line.startswith("-----")]
    telling = [line for line in lines if len(line) >= _SHORTEST_TELLING_LINE]
    return (pem, pem.replace("\n", "\\n"), "".join(lines), *telling)


class ServiceAccountExchange:
    """Turns a service account's key into an access token for Google Cloud, good for an hour."""

    def build_request(self, secret: Secret, *, now: float, token_uri: str = "") -> Outbound:
        """Return the request that asks for a token, at Google's own address unless ``token_uri`` is another.

        Its body holds an assertion signed with the key, itself a credential for an hour. Takes 0.7 ms, for what was
        stored had its key checked by ``parse_service_account``. Raises ServiceAccountRefused.
        """
        account, uri = _read_account(secret.reveal()), token_uri or TOKEN_URI
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": uri,
            "iat": int(now),
            "exp": int(now) + _ASSERTION_LIFETIME_S,
        }
        assertion = jwt.encode(_load_signer(account, is_checked=True), claims).decode()  # type: ignore[no-untyped-call]
        body = urlencode({"grant_type": _GRANT_TYPE, "assertion": assertion}).encode()
        return Outbound("POST", uri, {"content-type": "application/x-www-form-urlencoded"}, body)

    def parse_token(self, body: bytes, *, now: float) -> AccessToken:
        """Return the token in the answer. Raises UnreadableAnswer."""
        try:
            answer = _token_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnreadableAnswer("The answer holds no access token.") from None
        return AccessToken(Secret(answer.access_token), now + answer.expires_in)

    def classify_error(self, status: int, body: bytes) -> tuple[Outcome, str]:
        """Return what an answer of ``status`` >= 300 means, and a sentence that says what to do."""
        return classify_token_error(status, body)


def classify_token_error(status: int, body: bytes) -> tuple[Outcome, str]:
    """Return what the token endpoint's answer of ``status`` >= 300 means, and a sentence that says what to do."""
    if status < 400:
        return Outcome.MISCONFIGURED, "The token address answers with a redirect, which is never followed."
    if status == 429:
        return Outcome.RATE_LIMITED, "Google takes no more token requests for now. Try again in a minute."
    if status in (408, 504):
        return Outcome.TIMEOUT, "Google's token service did not answer in time. Try again."
    if status == 503:
        return Outcome.OVERLOADED, "Google's token service is overloaded. Try again in a few minutes."
    if status >= 500:
        return Outcome.PROVIDER_ERROR, "Google's token service failed. Try again in a few minutes."
    return Outcome.INVALID_CREDENTIAL, _explain(_error_in(body))


class _KeyFile(msgspec.Struct):
    type: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    project_id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    universe_domain: str = "googleapis.com"


class _TokenAnswer(msgspec.Struct):
    # It becomes a header's value.
    access_token: Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,8192}\Z")]
    expires_in: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    token_type: Annotated[str, msgspec.Meta(pattern=r"\A[Bb]earer\Z")] = "Bearer"  # noqa: S105


class _TokenError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


_key_file_decoder = msgspec.json.Decoder(_KeyFile)
_token_decoder = msgspec.json.Decoder(_TokenAnswer)
_error_decoder = msgspec.json.Decoder(_TokenError)


def _read_account(text: str) -> ServiceAccount:
    if len(text) > LONGEST_KEY_FILE:
        raise ServiceAccountRefused(f"This is too long to be a service account's key. {_GET_A_KEY}")
    try:
        file = _key_file_decoder.decode(text.strip("\ufeff \t\r\n"))
    except msgspec.ValidationError:
        raise ServiceAccountRefused(f"A field of this JSON is not what a key file has there. {_GET_A_KEY}") from None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise ServiceAccountRefused(f"This is not JSON, or not all of it. {_GET_A_KEY}") from None
    if file.type != "service_account":
        raise ServiceAccountRefused(f"{_OTHER_FILES.get(file.type, 'This is another kind of JSON.')} {_GET_A_KEY}")
    if file.universe_domain != "googleapis.com":
        raise ServiceAccountRefused("This key is for another cloud than googleapis.com, which is not supported.")
    if not _EMAIL.fullmatch(file.client_email):
        raise ServiceAccountRefused(f"The key file has no client_email. {_GET_A_KEY}")
    # Files that went through an environment variable hold the two characters \n in place of each line's end.
    pem = file.private_key.replace("\\n", "\n").replace("\r\n", "\n")
    return ServiceAccount(file.client_email, Secret(pem), file.private_key_id, file.project_id)


def _load_signer(account: ServiceAccount, *, is_checked: bool) -> crypt.RSASigner:
    pem = account.private_key.reveal()
    if not pem or len(pem) > _LONGEST_PEM:
        raise ServiceAccountRefused(f"The key file has no private_key, or one that is too long. {_GET_A_KEY}")
    try:
        # The check of a key's primes holds every thread of the process up, so it is made once, when the key is pasted.
        key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=is_checked)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ServiceAccountRefused(f"The private_key in the file cannot be read. {_GET_A_KEY}") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size not in _KEY_BITS:
        raise ServiceAccountRefused(f"The private_key is not an RSA key of 2048 to 4096 bits. {_GET_A_KEY}")
    return crypt.RSASigner(key, account.private_key_id or None)  # type: ignore[no-untyped-call]


def _error_in(body: bytes) -> _TokenError:
    try:
        return _error_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _TokenError()


def _explain(error: _TokenError) -> str:
    # Google's wording as its client libraries' issue trackers quote it.
    description = error.error_description.lower()
    if "signature" in description:
        return "Google does not know this key any more: it was deleted or disabled. Make a new key for the account."
    if "timeframe" in description or "iat" in description or "expired" in description:
        return "Google finds the request's time wrong. Set this server's clock: it must be right to the minute."
    if "account not found" in description or error.error == "deleted_client":
        return "Google does not know this service account: it was deleted, or its e-mail address was changed."
    if "disabled" in description or error.error == "disabled_client":
        return "This service account is disabled. Enable it in the Google Cloud console."
    return "Google gives this service account no access token. Check that the account and this key are enabled."
