"""Simulated Google service accounts: their key files, their signed assertions, and the access tokens they get.

A key file's ``private_key_id`` holds the public key itself, and Google's clients send it along as the assertion's
``kid``: so the simulator can verify an assertion without having kept anything. The account's name says whose it is:
``acme@…`` works, ``acme-overloaded@…`` is overloaded (see instructions).
"""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulator.call import Caller
from simulator.http import to_json
from simulator.instructions import KEY_ENDINGS

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
MAX_ASSERTION_S = 3_600
MAX_SKEW_S = 300
_EXPONENT = 65_537
_KEY_ID_PREFIX = "sim-"
_TOKEN_PREFIX = "ya29.sim-"  # noqa: S105  # how a token begins
# It guards nothing: anybody may have a simulated token.
_TOKEN_KEY = b"simulated access token"
_EMAIL = re.compile(r"([a-z0-9-]+)@([a-z0-9-]+)\.iam\.gserviceaccount\.com")


class AssertionRefused(Exception):
    """An assertion that gets no token; its text is Google's ``error_description``."""


def make_service_account(
    organisation: str = "acme", *, project_id: str = "simulated-project", ending: str = "", token_uri: str = TOKEN_URI
) -> dict[str, str]:
    """Return a new key file; ``ending`` is one of KEY_ENDINGS for an account whose calls fail."""
    private_key = generate_private_key(_EXPONENT, 2_048)
    modulus = private_key.public_key().public_numbers().n
    name = "-".join(part for part in (organisation, ending) if part)
    email = f"{name}@{project_id}.iam.gserviceaccount.com"
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": _KEY_ID_PREFIX + _base64url(modulus.to_bytes(256, "big")),
        "private_key": pem.decode(),
        "client_email": email,
        "client_id": str(int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big")).zfill(21),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email.replace('@', '%40')}",
        "universe_domain": "googleapis.com",
    }


def check_assertion(assertion: str, *, audiences: frozenset[str], now: float) -> str:
    """Return the account (an e-mail address) that signed ``assertion``. Raises AssertionRefused.

    Source: Google identity documentation, "Using OAuth 2.0 for server to server applications"; RFC 7523.
    """
    header, claims = _verify(assertion)
    if header.get("typ", "JWT") != "JWT":
        raise AssertionRefused("Invalid JWT: wrong typ.")
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not (isinstance(issued_at, int | float) and isinstance(expires_at, int | float)):
        raise AssertionRefused("Invalid JWT: iat and exp are required.")
    is_timely = issued_at <= now + MAX_SKEW_S and now < expires_at <= issued_at + MAX_ASSERTION_S
    if not is_timely:
        raise AssertionRefused(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim."
        )
    if claims.get("aud") not in audiences:
        raise AssertionRefused("Invalid JWT: Failed audience check. The right audience is " + min(audiences))
    email = claims.get("iss")
    if not isinstance(email, str) or caller_of_account(email) is None:
        raise AssertionRefused("Invalid grant: account not found")
    if SCOPE not in str(claims.get("scope", "")).split():
        raise AssertionRefused("Invalid OAuth scope or ID token audience provided.")
    return email


def caller_of_account(email: str) -> Caller | None:
    """Return whose service account this is; None if it is none or its name begins with bad."""
    match = _EMAIL.fullmatch(email)
    if match is None or match[1].startswith("bad"):
        return None
    organisation, _, rest = match[1].partition("-")
    return Caller(f"google/{organisation}", KEY_ENDINGS.get(rest.rpartition("-")[2], ""))


def project_of(email: str) -> str:
    """Return the project that a service account belongs to, '' if it is none."""
    match = _EMAIL.fullmatch(email)
    return match[2] if match else ""


def make_token(email: str, *, expires_at: float) -> str:
    """Return an access token for a service account. It is self-contained, so that it outlives a restart."""
    content = _base64url(to_json([email, expires_at]))
    return f"{_TOKEN_PREFIX}{content}.{_seal(content)}"


def account_of(token: str, *, now: float) -> str:
    """Return the account that ``token`` was made for, '' if it was not made here or has expired."""
    content, _, seal = token.removeprefix(_TOKEN_PREFIX).partition(".")
    if not token.startswith(_TOKEN_PREFIX) or not hmac.compare_digest(seal.encode(), _seal(content).encode()):
        return ""
    email, expires_at = json.loads(_unbase64url(content))
    return email if now < expires_at else ""


def _verify(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT whose signature fits the key that it names."""
    try:
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(_unbase64url(part)) for part in signed.split("."))
        key_id = header["kid"].removeprefix(_KEY_ID_PREFIX)
        modulus = int.from_bytes(_unbase64url(key_id), "big")
        if header["alg"] != "RS256" or not isinstance(claims, dict):
            raise AssertionRefused("Invalid JWT: only RS256 is supported.")
        public_key = RSAPublicNumbers(_EXPONENT, modulus).public_key()
        public_key.verify(_unbase64url(signature), signed.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError):
        raise AssertionRefused("Invalid JWT Signature.") from None
    return header, claims


def _seal(content: str) -> str:
    return hmac.new(_TOKEN_KEY, content.encode(), hashlib.sha256).hexdigest()


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
