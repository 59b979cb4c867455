"""AWS credentials: what is taken, how requests are signed, and that the host's own identity plays no part."""

import datetime
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from providers import bedrock
from providers.aws_credentials import AccessKey, BearerToken, parse_credential
from providers.base import ModelCall, Outbound, Target
from providers.secret import Secret

REPOSITORY = Path(__file__).resolve().parents[2]
KEY_ID, SECRET_KEY = "AKIDEXAMPLE000000000", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl="
ACCESS_KEY_TEXT = json.dumps({"access_key_id": KEY_ID, "secret_access_key": SECRET_KEY})
PROFILE_ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
EU = Target(settings={"region": "eu-west-1"})


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer's clock stands at noon."""
    now = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now)


def _signature(canonical_request: str) -> str:
    """Signature Version 4 of a request at noon, written after AWS's description and without botocore."""
    scope = "20260301/eu-west-1/bedrock/aws4_request"
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"AWS4-HMAC-SHA256\n20260301T120000Z\n{scope}\n{digest}".encode(), "sha256").hex()


def _authorization(outbound: Outbound) -> str:
    return bedrock.authorize(outbound, Secret(ACCESS_KEY_TEXT))["authorization"]


@pytest.mark.parametrize(
    ("model", "canonical_path"),
    [
        ("anthropic.claude-x-v1:0", "/model/anthropic.claude-x-v1%3A0/invoke"),
        (
            PROFILE_ARN,
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%252Fabc123/invoke",
        ),
    ],
)
@pytest.mark.usefixtures("noon")
def test_calls_are_signed_as_aws_describes_it(model: str, canonical_path: str) -> None:
    outbound = bedrock.build_request(ModelCall(model, b'{"model":"m","max_tokens":1}'), EU)

    canonical_request = "\n".join(
        [
            "POST",
            canonical_path,
            "",
            "content-type:application/json",
            "host:bedrock-runtime.eu-west-1.amazonaws.com",
            "x-amz-date:20260301T120000Z",
            "",
            "content-type;host;x-amz-date",
            hashlib.sha256(outbound.body).hexdigest(),
        ]
    )
    assert _authorization(outbound) == (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260301/eu-west-1/bedrock/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date, Signature={_signature(canonical_request)}"
    )


@pytest.mark.usefixtures("noon")
def test_check_is_signed_with_its_query() -> None:
    canonical_request = "\n".join(
        [
            "GET",
            "/foundation-models",
            "byProvider=anthropic",
            "host:127.0.0.1:9000",
            "x-amz-date:20260301T120000Z",
            "",
            "host;x-amz-date",
            hashlib.sha256(b"").hexdigest(),
        ]
    )

    authorization = _authorization(bedrock.build_check(Target("http://127.0.0.1:9000", {"region": "eu-west-1"})))

    assert authorization.endswith(f"SignedHeaders=host;x-amz-date, Signature={_signature(canonical_request)}")


@pytest.mark.usefixtures("noon")
def test_signed_headers_are_sent_as_signed_and_the_others_too() -> None:
    outbound = bedrock.build_request(ModelCall("anthropic.x", b"{}"), EU)

    headers = bedrock.authorize(outbound, Secret(ACCESS_KEY_TEXT))

    assert {name: value for name, value in headers.items() if name != "authorization"} == {
        "content-type": "application/json",
        "accept": "application/json",
        "x-amz-date": "20260301T120000Z",
    }


def test_api_key_is_sent_as_bearer_and_nothing_is_signed() -> None:
    headers = bedrock.authorize(bedrock.build_check(EU), Secret(json.dumps({"bearer_token": TOKEN})))

    assert headers == {"accept": "application/json", "authorization": f"Bearer {TOKEN}"}


def test_secret_that_is_no_credential_is_never_sent() -> None:
    with pytest.raises(ValueError, match="Paste an access key ID"):
        bedrock.authorize(bedrock.build_check(EU), Secret("sk-ant-api03-something"))


# The host's identity

_WITH_HOSTILE_ENVIRONMENT = """
import builtins, json, socket, sys

opened = []
real_open = builtins.open
builtins.open = lambda path, *args, **options: (opened.append(str(path)), real_open(path, *args, **options))[1]
def no_network(*args, **options):
    raise AssertionError("a connection was tried")
socket.socket.connect = no_network
socket.getaddrinfo = no_network

from providers import bedrock
from providers.base import ModelCall, Target
from providers.secret import Secret

outbound = bedrock.build_request(ModelCall("anthropic.claude-x", b"{}"), Target(settings={"region": "eu-west-1"}))
headers = bedrock.authorize(outbound, Secret(sys.stdin.read()))
try:
    without = dict(bedrock.authorize(outbound, Secret("{}")))
except ValueError:
    without = None
print(json.dumps({
    "url": outbound.url,
    "headers": dict(headers),
    "without": without,
    "opened": [path for path in opened if ".aws" in path or "hostile" in path],
    "sessions": [name for name in sys.modules if name in ("botocore.session", "boto3")],
}))
"""


@pytest.mark.parametrize("secret", [ACCESS_KEY_TEXT, json.dumps({"bearer_token": TOKEN})], ids=["key", "bearer"])
def test_nothing_of_the_hosts_own_aws_identity_is_used(tmp_path: Path, secret: str) -> None:
    (tmp_path / ".aws").mkdir()
    hostile = tmp_path / ".aws" / "credentials"
    hostile.write_text("[default]\naws_access_key_id = AKIAHOSTFILE\naws_secret_access_key = hostfilesecret\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "AKIAHOSTENVIRONMENT",
        "AWS_SECRET_ACCESS_KEY": "hostsecret",
        "AWS_SESSION_TOKEN": "hostsession",
        "AWS_BEARER_TOKEN_BEDROCK": "hostbearer",
        "AWS_REGION": "us-hostregion-1",
        "AWS_DEFAULT_REGION": "us-hostregion-1",
        "AWS_PROFILE": "hostile",
        "AWS_SHARED_CREDENTIALS_FILE": str(hostile),
        "AWS_CONFIG_FILE": str(hostile),
        "AWS_ENDPOINT_URL": "http://hostendpoint.invalid",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://hostendpoint.invalid",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.169.254/host",
    }

    run = subprocess.run(
        [sys.executable, "-c", _WITH_HOSTILE_ENVIRONMENT],
        input=secret,
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    told = json.loads(run.stdout)
    assert (told["opened"], told["sessions"], told["without"]) == ([], [], None)
    assert "host" not in json.dumps([told["url"], {**told["headers"], "authorization": ""}])
    expected = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/" if secret == ACCESS_KEY_TEXT else f"Bearer {TOKEN}"
    assert told["headers"]["authorization"].startswith(expected)
    assert "eu-west-1" in told["url"]


# What is taken


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (ACCESS_KEY_TEXT, {"access_key_id": KEY_ID, "secret_access_key": SECRET_KEY}),
        (
            f' {{"secret_access_key": " {SECRET_KEY}\\n", "access_key_id": "{KEY_ID} ", "bearer_token": ""}} ',
            {"access_key_id": KEY_ID, "secret_access_key": SECRET_KEY},
        ),
        (json.dumps({"bearer_token": TOKEN}), {"bearer_token": TOKEN}),
        (json.dumps({"bearer_token": TOKEN, "access_key_id": ""}), {"bearer_token": TOKEN}),
        (f"  {TOKEN}\n", {"bearer_token": TOKEN}),
        (
            "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t",
            {"bearer_token": "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"},
        ),
    ],
)
def test_credential_is_stored_in_one_form(text: str, stored: dict[str, str]) -> None:
    credential = parse_credential(text)

    assert json.loads(credential.to_text()) == stored
    assert parse_credential(credential.to_text()).to_text() == credential.to_text()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Paste an access key ID"),
        ("AKIAIOSFODNN7EXAMPLE", "Paste an access key ID"),
        ("sk-ant-api03-not-aws-at-all", "Paste an access key ID"),
        ("{", "This is not JSON"),
        ("[]", "Paste an access key ID"),
        ('{"access_key_id": "AKIAIOSFODNN7EXAMPLE"}', "Paste an access key ID"),
        ('{"access_key_id": 7, "secret_access_key": "x"}', "Paste an access key ID"),
        ('{"type": "service_account", "private_key": "-----BEGIN"}', "Paste an access key ID"),
        (json.dumps({"bearer_token": TOKEN, "access_key_id": KEY_ID}), "not both"),
        (json.dumps({"access_key_id": "ASIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_KEY}), "temporary"),
        (json.dumps({"access_key_id": "akiaiosfodnn7example", "secret_access_key": SECRET_KEY}), "begin with AKIA"),
        (json.dumps({"access_key_id": KEY_ID, "secret_access_key": "too short"}), "wrong length or characters"),
        (json.dumps({"access_key_id": KEY_ID, "secret_access_key": SECRET_KEY + "\r\nx: y"}), "wrong length"),
        (json.dumps({"bearer_token": "AKIAIOSFODNN7EXAMPLE"}), "This is an access key ID"),
        (json.dumps({"bearer_token": f"{TOKEN}\r\nx-evil: 1"}), "wrong length or characters"),
        (json.dumps({"bearer_token": "short"}), "wrong length or characters"),
    ],
)
def test_what_is_no_credential_is_refused_without_repeating_it(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        parse_credential(text)

    assert SECRET_KEY not in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__


def test_parsed_credentials_show_no_secret() -> None:
    shown = repr(parse_credential(ACCESS_KEY_TEXT)) + repr(parse_credential(TOKEN))

    assert SECRET_KEY not in shown
    assert TOKEN not in shown


def test_kind_of_credential_is_told_by_its_type() -> None:
    assert isinstance(parse_credential(ACCESS_KEY_TEXT), AccessKey)
    assert isinstance(parse_credential(TOKEN), BearerToken)


@pytest.mark.parametrize(
    ("text", "parts"),
    [(ACCESS_KEY_TEXT, (SECRET_KEY,)), (json.dumps({"bearer_token": TOKEN}), (TOKEN,)), ("{broken", ("{broken",))],
)
def test_sensitive_parts_are_what_may_never_come_out(text: str, parts: tuple[str, ...]) -> None:
    assert tuple(bedrock.sensitive_parts(Secret(text))) == parts
