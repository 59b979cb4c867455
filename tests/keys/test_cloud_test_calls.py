"""Checks and test messages of Bedrock, Vertex AI and OpenAI, against a provider on a socket."""

import json
from typing import Any

import pytest

from catalog.services import sync_catalog
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import request_test_call
from keys.tasks import run_test_call
from providers.base import Outcome
from teams.models import Workspace
from tests.factories import make_provider_key
from tests.providers.vertex_keys import key_file, private_pem
from tests.stub import Reply, Seen, Stub, answer_counted
from tests.stub_fixtures import stub
from usage.models import Attempt

__all__ = ["stub"]

SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCESS_KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_ACCESS_KEY}
TOKEN = "ABSK" + "y" * 40
OPENAI_KEY = "sk-proj-0123456789abcdefghij"
ACCESS_TOKEN = "ya29.short-lived"
AWS_SETTINGS = {"region": "eu-central-1"}
GOOGLE_SETTINGS = {"project_id": "my-project", "location": "europe-west1"}
Kind = TestCall.Kind


@pytest.fixture(autouse=True)
def upstream(workspace: Workspace, stub: Stub, settings: Any) -> Stub:
    settings.ALLOWED_ORIGINS = frozenset([stub.origin])
    settings.GOOGLE_TOKEN_URI = f"{stub.origin}/token"
    stub.handler = answer
    return stub


def answer(seen: Seen) -> Reply:
    """Answer as the provider would whose path it is."""
    if seen.path == "/token":
        return Reply.of_json({"access_token": ACCESS_TOKEN, "expires_in": 3599, "token_type": "Bearer"})
    if seen.path.startswith("/foundation-models"):
        arn = "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-6"
        return Reply.of_json({"modelSummaries": [{"modelArn": arn}]}, headers={"x-amzn-requestid": "aws-1"})
    if seen.path.endswith("/count-tokens:rawPredict"):
        return Reply.of_json({"input_tokens": 8})
    if seen.path.endswith("/chat/completions"):
        usage = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "OK"}}
        return Reply.of_json({"id": "c", "model": "gpt-5-mini", "choices": [choice], "usage": usage})
    return answer_counted(seen)


def make_version(workspace: Workspace, stub: Stub, provider: str, plaintext: str, **settings: str) -> KeyVersion:
    key = make_provider_key(
        workspace, provider=provider, plaintext=plaintext, base_url=stub.origin, key_settings=settings
    )
    TestCall.objects.all().delete()
    return key.versions.select_related("provider_key").get()


@pytest.fixture
def aws(workspace: Workspace, stub: Stub) -> KeyVersion:
    return make_version(workspace, stub, "aws", json.dumps(ACCESS_KEY), **AWS_SETTINGS)


@pytest.fixture
def google(workspace: Workspace, stub: Stub) -> KeyVersion:
    return make_version(workspace, stub, "google", key_file(), **GOOGLE_SETTINGS)


@pytest.fixture
def openai(workspace: Workspace, stub: Stub) -> KeyVersion:
    return make_version(workspace, stub, "openai", OPENAI_KEY)


def run(version: KeyVersion, kind: Kind = Kind.CHECK, model: str = "") -> TestCall:
    call = request_test_call(version, kind=kind, actor=None, model=model)
    run_test_call(str(call.pk))
    call.refresh_from_db()
    return call


# Bedrock


def test_bedrocks_check_lists_models_signed_for_the_region(aws: KeyVersion, stub: Stub) -> None:
    call = run(aws)

    [seen] = stub.requests
    assert (seen.method, seen.path) == ("GET", "/foundation-models?byProvider=anthropic")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/" in seen.headers["authorization"]
    assert "/eu-central-1/bedrock/aws4_request" in seen.headers["authorization"]
    assert SECRET_ACCESS_KEY not in str(seen.headers)
    assert (call.outcome, call.upstream_request_id) == (Outcome.OK, "aws-1")
    assert call.message.endswith("1 Anthropic models in eu-central-1.")


def test_bedrocks_check_sends_an_api_key_as_it_is(workspace: Workspace, stub: Stub) -> None:
    version = make_version(workspace, stub, "aws", json.dumps({"bearer_token": TOKEN}), **AWS_SETTINGS)

    assert run(version).outcome == Outcome.OK
    assert stub.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_message_of_bedrock_is_a_ledger_row_of_its_area(aws: KeyVersion, stub: Stub) -> None:
    sync_catalog()

    call = run(aws, Kind.MESSAGE, "eu.anthropic.claude-sonnet-4-6")

    row = Attempt.objects.get()
    assert stub.requests[0].path == "/model/eu.anthropic.claude-sonnet-4-6/invoke"
    assert (call.outcome, row.model, row.region) == (Outcome.OK, "claude-sonnet-4-6", "eu")
    assert row.model_asked == "aws/eu.anthropic.claude-sonnet-4-6"
    assert not row.is_unpriced


@pytest.mark.parametrize(
    ("status", "kind", "text", "outcome", "words"),
    [
        (403, "UnrecognizedClientException", "", Outcome.INVALID_CREDENTIAL, "AWS does not accept this credential"),
        (403, "AccessDeniedException", "not authorized", Outcome.NO_PERMISSION, "bedrock:ListFoundationModels"),
        (429, "ThrottlingException", "", Outcome.RATE_LIMITED, "Bedrock quota"),
        (400, "ValidationException", "", Outcome.INVALID_REQUEST, "Check the region"),
        (503, "ServiceUnavailableException", "", Outcome.OVERLOADED, "overloaded"),
    ],
)
def test_bedrocks_refusals_are_told_in_plain_words(
    aws: KeyVersion, stub: Stub, status: int, kind: str, text: str, outcome: Outcome, words: str
) -> None:
    stub.replies.append(Reply.of_json({"message": text}, status=status, headers={"x-amzn-errortype": kind}))

    call = run(aws)

    assert call.outcome == outcome
    assert words in call.message


def test_a_message_that_bedrock_forbids_names_the_permission_of_calls(aws: KeyVersion, stub: Stub) -> None:
    headers = {"x-amzn-errortype": "AccessDeniedException"}
    stub.replies.append(Reply.of_json({"message": "User is not authorized"}, status=403, headers=headers))

    assert "bedrock:InvokeModel" in run(aws, Kind.MESSAGE, "eu.anthropic.claude-sonnet-4-6").message


def test_a_model_that_wants_another_data_retention_mode_says_which(aws: KeyVersion, stub: Stub) -> None:
    text = "The model returned the following errors: data retention mode 'default' is not available for this model"
    headers = {"x-amzn-errortype": "ValidationException"}
    stub.replies.append(Reply.of_json({"message": text}, status=400, headers=headers))

    call = run(aws, Kind.MESSAGE, "eu.anthropic.claude-fable-5")

    assert call.outcome == Outcome.MODEL_NOT_AVAILABLE
    assert "provider_data_share" in call.message


def test_a_model_of_another_area_is_not_even_asked_for(aws: KeyVersion, stub: Stub) -> None:
    call = run(aws, Kind.MESSAGE, "us.anthropic.claude-sonnet-4-6")

    assert (call.outcome, stub.requests) == (Outcome.MISCONFIGURED, [])
    assert "this key's region is eu-central-1" in call.message
    assert Attempt.objects.get().certainty == "exact"


# Vertex AI


def test_vertexes_check_exchanges_the_key_and_counts_a_word(google: KeyVersion, stub: Stub) -> None:
    call = run(google)

    token, check = stub.requests
    place = "/v1/projects/my-project/locations/europe-west1/publishers/anthropic/models/count-tokens:rawPredict"
    assert (token.path, check.path) == ("/token", place)
    assert check.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
    assert private_pem() not in token.body.decode()
    assert call.outcome == Outcome.OK
    assert call.message.endswith("the account may call Claude there.")


def test_a_message_of_vertex_is_a_ledger_row_of_its_location(google: KeyVersion) -> None:
    sync_catalog()

    call = run(google, Kind.MESSAGE, "claude-haiku-4-5@20251001")

    row = Attempt.objects.get()
    assert (call.outcome, row.model, row.region) == (Outcome.OK, "claude-haiku-4-5-20251001", "europe-west1")
    assert not row.is_unpriced


def test_a_service_account_that_google_does_not_know_is_told(google: KeyVersion, stub: Stub) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    stub.replies.append(Reply.of_json(refusal, status=400))

    call = run(google)

    assert call.outcome == Outcome.INVALID_CREDENTIAL
    assert "Make a new key for the account" in call.message


@pytest.mark.parametrize(
    ("status", "code", "outcome", "words"),
    [
        (401, "UNAUTHENTICATED", Outcome.INVALID_CREDENTIAL, "make a new key"),
        (403, "PERMISSION_DENIED", Outcome.NO_PERMISSION, "role Vertex AI User"),
        (404, "NOT_FOUND", Outcome.MODEL_NOT_AVAILABLE, "send a test message"),
        (500, "INTERNAL", Outcome.PROVIDER_ERROR, "send a test message"),
        (429, "RESOURCE_EXHAUSTED", Outcome.RATE_LIMITED, "quota"),
        (400, "INVALID_ARGUMENT", Outcome.INVALID_REQUEST, "Check the project ID"),
    ],
)
def test_vertexes_refusals_are_told_in_plain_words(
    google: KeyVersion, stub: Stub, status: int, code: str, outcome: Outcome, words: str
) -> None:
    stub.replies.append(Reply.of_json({"access_token": ACCESS_TOKEN, "expires_in": 3599}))
    stub.replies.append(Reply.of_json({"error": {"code": status, "message": "No.", "status": code}}, status=status))

    call = run(google)

    assert call.outcome == outcome
    assert words in call.message


def test_a_message_to_a_model_that_vertex_lacks_names_the_model_garden(google: KeyVersion, stub: Stub) -> None:
    stub.replies.append(Reply.of_json({"access_token": ACCESS_TOKEN, "expires_in": 3599}))
    stub.replies.append(Reply.of_json({"error": {"code": 404, "message": "No.", "status": "NOT_FOUND"}}, status=404))

    assert "Model Garden" in run(google, Kind.MESSAGE, "claude-haiku-4-5@20251001").message


def test_a_project_that_cannot_be_one_is_not_even_asked_for(google: KeyVersion, stub: Stub) -> None:
    ProviderKey.objects.update(settings={"project_id": "../x", "location": "europe-west1"})

    call = run(KeyVersion.objects.get())

    assert (call.outcome, stub.requests) == (Outcome.MISCONFIGURED, [])


# OpenAI


def test_openais_check_lists_models(openai: KeyVersion, stub: Stub) -> None:
    call = run(openai)

    [seen] = stub.requests
    assert (seen.method, seen.path, seen.headers["authorization"]) == ("GET", "/v1/models", f"Bearer {OPENAI_KEY}")
    assert call.outcome == Outcome.OK


def test_a_message_of_openai_is_a_ledger_row(openai: KeyVersion, stub: Stub) -> None:
    sync_catalog()

    call = run(openai, Kind.MESSAGE, "gpt-5-mini")

    row = Attempt.objects.get()
    assert stub.requests[0].path == "/v1/chat/completions"
    assert (call.outcome, call.input_tokens, call.output_tokens) == (Outcome.OK, 11, 2)
    assert (row.model, row.dialect, row.uncached_input_tokens, row.output_tokens) == ("gpt-5-mini", "chat", 11, 2)
    assert not row.is_unpriced


def test_a_message_to_a_model_nobody_lists_is_unpriced(openai: KeyVersion) -> None:
    sync_catalog()

    run(openai, Kind.MESSAGE, "model-of-our-own")

    assert Attempt.objects.get().is_unpriced


def test_a_model_that_thinks_all_its_tokens_away_shows_that_the_key_works(openai: KeyVersion, stub: Stub) -> None:
    message = "Could not finish the message because max_tokens or model output limit was reached. Please try again."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    stub.replies.append(Reply.of_json({"error": error}, status=400))

    call = run(openai, Kind.MESSAGE, "o3")

    assert (call.outcome, call.output_tokens) == (Outcome.OK, None)
    assert call.message.startswith("The key works: o3 ")


def test_an_empty_quota_of_openai_is_told(openai: KeyVersion, stub: Stub) -> None:
    error = {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}
    error["error"]["code"] = "insufficient_quota"
    stub.replies.append(Reply.of_json(error, status=429))

    call = run(openai)

    assert call.outcome == Outcome.NO_CREDIT
    assert "quota is used up" in call.message


@pytest.mark.parametrize("fixture", ["aws", "google", "openai"])
def test_no_message_holds_a_part_of_the_credential(fixture: str, request: pytest.FixtureRequest, stub: Stub) -> None:
    version = request.getfixturevalue(fixture)
    secrets = (SECRET_ACCESS_KEY, OPENAI_KEY, ACCESS_TOKEN, private_pem().splitlines()[1])
    echo = {"error": {"message": " ".join(secrets), "status": "INTERNAL", "code": 500}, "message": " ".join(secrets)}
    stub.handler = lambda seen: answer(seen) if seen.path == "/token" else Reply.of_json(echo, status=500)

    call = run(version)

    assert call.outcome == Outcome.PROVIDER_ERROR
    assert not any(secret in call.message for secret in secrets)
