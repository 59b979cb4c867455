"""A service account's key is read with suspicion, signs what Google asks for, and is quoted nowhere."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from providers.base import Outcome, UnreadableAnswer
from providers.secret import Secret
from providers.vertex_account import (
    LONGEST_KEY_FILE,
    SCOPE,
    TOKEN_URI,
    ServiceAccountExchange,
    ServiceAccountRefused,
    classify_token_error,
    parse_service_account,
    sensitive_parts,
)
from tests.providers.vertex_keys import EMAIL, key_file, key_secret, private_key, private_pem

NOW = 1_790_000_000.5
OTHER_TYPES = [
    "authorized_user",
    "external_account",
    "external_account_authorized_user",
    "impersonated_service_account",
    "gdch_service_account",
]


def claims_of(assertion: str) -> dict[str, Any]:
    """The assertion's claims; its signature must be the account's."""
    signed, _, signature = assertion.rpartition(".")
    private_key().public_key().verify(_from_base64url(signature), signed.encode(), PKCS1v15(), SHA256())
    claims: dict[str, Any] = json.loads(_from_base64url(signed.partition(".")[2]))
    return claims


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem_of(key: Any, *, encryption: Any = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_key_file_is_read() -> None:
    account = parse_service_account(key_file())

    assert account.client_email == EMAIL
    assert account.project_id == "example-project"
    assert account.private_key_id == "0123456789abcdef0123456789abcdef01234567"
    assert account.private_key.reveal() == private_pem()


def test_optional_fields_may_be_missing() -> None:
    account = parse_service_account(key_file(project_id=None, private_key_id=None, universe_domain=None))

    assert account.project_id == account.private_key_id == ""


@pytest.mark.parametrize("written", ["\n" + key_file() + "\r\n", "\ufeff" + key_file()], ids=["spaces", "mark"])
def test_what_copying_adds_is_ignored(written: str) -> None:
    assert parse_service_account(written).client_email == EMAIL


def test_line_ends_escaped_twice_are_mended() -> None:
    account = parse_service_account(key_file(private_key=private_pem().replace("\n", "\\n")))

    assert account.private_key.reveal() == private_pem()


def test_an_account_shows_no_key() -> None:
    account = parse_service_account(key_file())

    assert "PRIVATE" not in repr(account)


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_other_credential_files_are_refused_with_what_they_are(kind: str) -> None:
    with pytest.raises(ServiceAccountRefused, match=r"^This .+ Paste the JSON key of a service account"):
        parse_service_account(key_file(type=kind))


def test_file_that_runs_commands_is_refused() -> None:
    with pytest.raises(ServiceAccountRefused, match="workload identity federation"):
        parse_service_account(
            json.dumps({"type": "external_account", "credential_source": {"executable": {"command": "/bin/id"}}})
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("AIzaSyExample", "not JSON"),
        (key_file()[:-200], "not JSON"),
        ("\ud800", "not JSON"),
        ("[" * 5000, "not JSON|not what a key file has"),
        ('{"a":' * 2000, "not JSON"),
        ("[]", "not what a key file has"),
        ("null", "not what a key file has"),
        ('{"web": {"client_id": "1"}}', "another kind of JSON"),
        (key_file(private_key=7), "not what a key file has"),
        (key_file(private_key_id="x" * 2000), "not what a key file has"),
        (key_file(private_key=None), "no private_key"),
        (key_file(private_key="x" * 5000), "too long"),
        (key_file(private_key="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "cannot be read"),
        (key_file(client_email=None), "no client_email"),
        (key_file(client_email='a@b.example",\n"x'), "no client_email"),
        (key_file(universe_domain="evil.example"), "another cloud"),
        (key_file(notes="x" * LONGEST_KEY_FILE), "too long"),
    ],
)
def test_what_is_no_key_file_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ServiceAccountRefused, match=reason) as refused:
        parse_service_account(text)

    assert "PRIVATE KEY" not in str(refused.value)


def test_keys_of_another_kind_or_strength_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    locked = pem_of(private_key(), encryption=BestAvailableEncryption(b"password"))

    for pem, reason in [(pem_of(weak), "2048"), (pem_of(elliptic), "RSA"), (locked, "cannot be read")]:
        with pytest.raises(ServiceAccountRefused, match=reason):
            parse_service_account(key_file(private_key=pem))


def test_token_request_carries_an_assertion_signed_by_the_account() -> None:
    outbound = ServiceAccountExchange().build_request(key_secret(), now=NOW)

    fields = parse_qs(outbound.body.decode(), strict_parsing=True)
    [assertion] = fields.pop("assertion")
    assert (outbound.method, outbound.url) == ("POST", TOKEN_URI)
    assert outbound.headers == {"content-type": "application/x-www-form-urlencoded"}
    assert fields == {"grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"]}
    assert claims_of(assertion) == {
        "iss": EMAIL,
        "scope": SCOPE,
        "aud": TOKEN_URI,
        "iat": 1_790_000_000,
        "exp": 1_790_003_600,
    }
    assert json.loads(_from_base64url(assertion.partition(".")[0])) == {
        "typ": "JWT",
        "alg": "RS256",
        "kid": "0123456789abcdef0123456789abcdef01234567",
    }


def test_address_in_the_key_file_is_not_followed() -> None:
    outbound = ServiceAccountExchange().build_request(key_secret(token_uri="https://evil.example/token"), now=NOW)

    assert outbound.url == TOKEN_URI


def test_address_for_tests_is_also_the_audience_so_that_the_assertion_is_good_nowhere_else() -> None:
    outbound = ServiceAccountExchange().build_request(key_secret(), now=NOW, token_uri="http://127.0.0.1:9/token")

    assert outbound.url == "http://127.0.0.1:9/token"
    assert claims_of(parse_qs(outbound.body.decode())["assertion"][0])["aud"] == "http://127.0.0.1:9/token"


def test_secret_that_is_no_key_file_signs_nothing() -> None:
    with pytest.raises(ServiceAccountRefused):
        ServiceAccountExchange().build_request(Secret("sk-ant-api03-something"), now=NOW)


def test_token_is_read_with_the_time_it_ends() -> None:
    body = b'{"access_token": "ya29.c.b0Aexample...", "expires_in": 3599, "token_type": "Bearer"}'

    token = ServiceAccountExchange().parse_token(body, now=NOW)

    assert token.secret.reveal() == "ya29.c.b0Aexample..."
    assert token.expires_at == NOW + 3599


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "t"},
        {"access_token": "", "expires_in": 60},
        {"access_token": "t\r\nx-evil: 1", "expires_in": 60},
        {"access_token": "t t", "expires_in": 60},
        {"access_token": "tö", "expires_in": 60},
        {"access_token": "t" * 10_000, "expires_in": 60},
        {"access_token": "t", "expires_in": 0},
        {"access_token": "t", "expires_in": -1},
        {"access_token": "t", "expires_in": 10**9},
        {"access_token": "t", "expires_in": "60"},
        {"access_token": "t", "expires_in": 60, "token_type": "mac"},
        {"id_token": "t", "expires_in": 60},
        [],
    ],
)
def test_answers_without_a_usable_token_are_unreadable(answer: object) -> None:
    with pytest.raises(UnreadableAnswer):
        ServiceAccountExchange().parse_token(json.dumps(answer).encode(), now=NOW)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"access_token": "\xff"}', b"[" * 100_000])
def test_answers_that_are_no_json_are_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        ServiceAccountExchange().parse_token(body, now=NOW)


@pytest.mark.parametrize(
    ("status", "error", "description", "outcome", "sentence"),
    [
        (400, "invalid_grant", "Invalid JWT Signature.", Outcome.INVALID_CREDENTIAL, "Make a new key"),
        (400, "invalid_grant", "Invalid grant: account not found", Outcome.INVALID_CREDENTIAL, "was deleted"),
        (
            *(400, "invalid_grant"),
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim.",
            *(Outcome.INVALID_CREDENTIAL, "clock"),
        ),
        (400, "invalid_grant", "Account is disabled.", Outcome.INVALID_CREDENTIAL, "Enable it"),
        (401, "disabled_client", "The OAuth client was disabled.", Outcome.INVALID_CREDENTIAL, "Enable it"),
        (401, "deleted_client", "The OAuth client was deleted.", Outcome.INVALID_CREDENTIAL, "was deleted"),
        (401, "unauthorized_client", "Client is unauthorized.", Outcome.INVALID_CREDENTIAL, "are enabled"),
        (429, "rate_limit_exceeded", "", Outcome.RATE_LIMITED, "Try again"),
        (500, "internal_failure", "", Outcome.PROVIDER_ERROR, "Try again"),
        (503, "", "", Outcome.OVERLOADED, "Try again"),
        (504, "", "", Outcome.TIMEOUT, "Try again"),
        (302, "", "", Outcome.MISCONFIGURED, "redirect"),
    ],
)
def test_refusals_of_the_token_endpoint_are_explained(
    status: int, error: str, description: str, outcome: Outcome, sentence: str
) -> None:
    body = json.dumps({"error": error, "error_description": description}).encode()

    assert classify_token_error(status, body)[0] == outcome
    assert sentence in classify_token_error(status, body)[1]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": {"code": 400}}', b"\xff", b"[]"])
def test_refusals_in_another_form_are_refusals_still(body: bytes) -> None:
    assert classify_token_error(400, body)[0] == Outcome.INVALID_CREDENTIAL


def test_every_way_of_quoting_the_private_key_is_sensitive() -> None:
    parts = sensitive_parts(key_secret())

    body = "".join(private_pem().split("\n")[1:-2])
    quoted = {
        "as it is": private_pem(),
        "in JSON": json.dumps(private_pem())[1:-1],
        "its body alone": body,
        "in Windows' line ends": private_pem().replace("\n", "\r\n"),
    }
    for how, text in quoted.items():
        left = text
        for part in (*parts, "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"):
            left = left.replace(part, "•")
        assert len(left.strip("•\\n\r\n")) < 32, how


def test_secret_that_cannot_be_read_is_sensitive_as_a_whole() -> None:
    assert sensitive_parts(Secret("{broken")) == ("{broken",)
