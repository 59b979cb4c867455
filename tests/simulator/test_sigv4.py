"""The simulator's own reading of AWS signatures, against the signatures that botocore makes."""

import json
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from simulator.app import Simulator
from simulator.aws_keys import make_access_key, secret_of
from tests.simulator.conftest import Clock
from tests.simulator.signing import ACCESS_KEY, ORIGIN, SONNET, aws_body, signed, with_headers

INVOKE = f"/model/{SONNET}/invoke"
HAIKU = "/model/us.anthropic.claude-haiku-4-5-20251001-v1{colon}0/invoke"
BODY = json.dumps(aws_body()).encode()


@pytest.fixture
async def http(simulator: Simulator, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    # botocore signs with the time of this machine.
    clock.now = time.time()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator), base_url=ORIGIN) as client:
        yield client


def exception_of(answer: httpx.Response) -> str:
    return answer.headers["x-amzn-errortype"].partition(":")[0]


@pytest.mark.parametrize("colon", [":", "%3A"], ids=["plain", "percent-encoded"])
async def test_a_signed_request_is_answered(http: httpx.AsyncClient, colon: str) -> None:
    answer = await http.send(signed(HAIKU.format(colon=colon), BODY))

    assert answer.status_code == 200, answer.text


async def test_a_signed_query_is_read_in_any_order(http: httpx.AsyncClient) -> None:
    path = "/foundation-models?byProvider=anthropic&byOutputModality=TEXT&byInferenceType=ON%20DEMAND"

    assert (await http.send(signed(path, method="GET"))).status_code == 200


async def test_extra_headers_are_signed_with_their_blanks_folded(http: httpx.AsyncClient) -> None:
    request = signed(INVOKE, BODY, headers={"x-amz-meta": "  two   words ", "content-type": "application/json"})

    assert (await http.send(request)).status_code == 200


def changed_body() -> httpx.Request:
    request = signed(INVOKE, BODY)
    return httpx.Request("POST", request.url, content=BODY + b" ", headers=request.headers)


def changed_path() -> httpx.Request:
    request = signed(INVOKE, BODY)
    url = f"{ORIGIN}{INVOKE}-with-response-stream"
    return httpx.Request("POST", url, content=BODY, headers=request.headers)


def other_credential(**options: str) -> httpx.Request:
    return signed(INVOKE, BODY, **options)  # type: ignore[arg-type]


def with_other_letters(request: httpx.Request) -> httpx.Request:
    headers = {name.encode(): value.encode() for name, value in request.headers.items()}
    headers[b"authorization"] += "é".encode()
    return httpx.Request(request.method, request.url, content=request.content, headers=headers)


REFUSED: dict[str, tuple[Callable[[], httpx.Request], str, str]] = {
    "wrong secret": (
        lambda: signed(INVOKE, BODY, key=(ACCESS_KEY[0], "x" * 40)),
        "InvalidSignatureException",
        "The request signature we calculated does not match",
    ),
    "a signature in other letters": (
        lambda: with_other_letters(signed(INVOKE, BODY)),
        "InvalidSignatureException",
        "The request signature we calculated does not match",
    ),
    "another body": (changed_body, "InvalidSignatureException", "The request signature we calculated does not match"),
    "another path": (changed_path, "InvalidSignatureException", "The request signature we calculated does not match"),
    "another service": (
        lambda: other_credential(service="s3"),
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'bedrock'.",
    ),
    "no region": (
        lambda: other_credential(region="nowhere"),
        "InvalidSignatureException",
        "Credential should be scoped to a valid region.",
    ),
    "a header that was not signed": (
        lambda: with_headers(signed(INVOKE, BODY), x_amz_target="x"),
        "InvalidSignatureException",
        "x-amz-target must be a 'SignedHeader'",
    ),
    "a hash of another body": (
        lambda: signed(INVOKE, BODY, headers={"x-amz-content-sha256": "0" * 64}),
        "InvalidSignatureException",
        "The value of x-amz-content-sha256 does not match",
    ),
    "an access key that does not exist": (
        lambda: signed(INVOKE, BODY, key=("AKIAIOSFODNN7EXAMPLE", "x" * 40)),
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "an access key that is bad": (
        lambda: signed(INVOKE, BODY, key=make_access_key("bad")),
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "no signature": (
        lambda: httpx.Request("POST", ORIGIN + INVOKE, content=BODY),
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    ),
    "half a signature": (
        lambda: with_headers(signed(INVOKE, BODY), authorization="AWS4-HMAC-SHA256 Credential=a/b/c/d/e"),
        "IncompleteSignatureException",
        "Authorization header requires 'Signature' parameter.",
    ),
    "another algorithm": (
        lambda: with_headers(signed(INVOKE, BODY), authorization="AWS4-ECDSA-P256-SHA256 x=y"),
        "IncompleteSignatureException",
        "Unsupported AWS 'algorithm'",
    ),
    "no date": (
        lambda: with_headers(signed(INVOKE, BODY), x_amz_date="yesterday"),
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format'.",
    ),
    "another day": (
        lambda: with_headers(signed(INVOKE, BODY), x_amz_date="20200101T000000Z"),
        "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD",
    ),
}


@pytest.mark.parametrize(("request_of", "name", "beginning"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_wrong_signature_is_refused(
    http: httpx.AsyncClient, request_of: Callable[[], httpx.Request], name: str, beginning: str
) -> None:
    answer = await http.send(request_of())

    assert (answer.status_code, exception_of(answer)) == (403, name)
    assert answer.json()["message"].startswith(beginning)
    assert answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("seconds", "beginning"),
    [(301, "Signature expired: "), (-310, "Signature not yet current: ")],
    ids=["old", "early"],
)
async def test_a_signature_lasts_five_minutes(
    http: httpx.AsyncClient, clock: Clock, seconds: float, beginning: str
) -> None:
    request = signed(INVOKE, BODY)
    clock.now = time.time() + seconds

    answer = await http.send(request)

    assert answer.status_code == 403
    assert answer.json()["message"].startswith(beginning)


async def test_a_signature_is_for_the_region_of_its_host(http: httpx.AsyncClient) -> None:
    host = {"host": "bedrock-runtime.eu-west-1.amazonaws.com"}

    here = await http.send(signed(INVOKE.replace("us.", "eu."), BODY, headers=host, region="eu-west-1"))
    elsewhere = await http.send(signed(INVOKE, BODY, headers=host, region="us-east-1"))

    assert here.status_code == 200, here.text
    assert elsewhere.json()["message"] == "Credential should be scoped to a valid region."


def test_an_access_key_says_whose_it_is_and_how_it_fails() -> None:
    key_id, secret = make_access_key("acme", "overloaded")

    assert key_id == "AKIASIMACME0OVERLOADED0"
    assert secret == secret_of(key_id)
    assert len(secret) == 40


@pytest.mark.parametrize("name", ["", "a0", "a-b", "ä"])
def test_an_organisation_of_aws_is_plain(name: str) -> None:
    with pytest.raises(ValueError, match="ASCII letters and digits"):
        make_access_key(name)
