"""Connecting Bedrock, Vertex AI and OpenAI: what each form asks for, stores and refuses."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.services import sync_catalog
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import TestResult, finish_test_call, keyring
from providers.base import Outcome
from teams.models import User, Workspace
from tests.factories import make_provider_key
from tests.pages import post_by_htmx, signed_in, text_of
from tests.providers.vertex_keys import key_file, private_pem

AWS, GOOGLE, OPENAI = (f"/w/acme/byok/new/{provider}/own/" for provider in ("aws", "google", "openai"))
PROXY = "https://proxy.test:8443"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example
TOKEN = "ABSK" + "y" * 40
ACCESS_KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_ACCESS_KEY}
AWS_FIELDS = {"name": "Bedrock", "way": "access_key", "region": "eu-central-1", **ACCESS_KEY}
GOOGLE_FIELDS = {"name": "Vertex", "location": "europe-west1", "service_account": key_file()}
OPENAI_FIELDS = {"name": "OpenAI", "secret": "sk-proj-0123456789abcdefghij"}


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


def stored() -> tuple[ProviderKey, str]:
    version = KeyVersion.objects.select_related("provider_key").get()
    return version.provider_key, keyring().open(version.sealed, version.seal_context).reveal()


# Bedrock


def test_bedrock_stores_the_access_key_of_the_chosen_way(owner: Client) -> None:
    owner.post(AWS, AWS_FIELDS | {"bearer_token": TOKEN})

    key, secret = stored()
    assert json.loads(secret) == ACCESS_KEY
    assert (key.settings, key.versions.get().hint) == (
        {"region": "eu-central-1", "inference_profile": "geographic"},
        "MPLE",
    )


def test_bedrock_stores_a_bedrock_api_key(owner: Client) -> None:
    owner.post(AWS, AWS_FIELDS | {"way": "bearer_token", "bearer_token": TOKEN, "inference_profile": "geographic"})

    key, secret = stored()
    assert json.loads(secret) == {"bearer_token": TOKEN}
    assert key.settings == {"region": "eu-central-1", "inference_profile": "geographic"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"region": "ap-southeast-1"}, {"region": "ap-southeast-1"}),
        ({"region": "ap-south-1"}, {"region": "ap-south-1"}),
        ({"region": "eu-west-1", "inference_profile": "none"}, {"region": "eu-west-1", "inference_profile": "none"}),
    ],
)
def test_bedrock_is_kept_to_an_area_where_that_leaves_models_to_call(
    owner: Client, typed: dict[str, str], kept: dict[str, str]
) -> None:
    owner.post(AWS, AWS_FIELDS | typed)

    assert stored()[0].settings == kept


def test_bedrocks_form_lists_regions_and_says_what_the_check_needs(owner: Client) -> None:
    page = owner.get(AWS)

    assert '<option value="eu-central-1">eu-central-1, Europe (Frankfurt)</option>' in page.content.decode()
    assert "needs bedrock:ListFoundationModels" in text_of(page)
    assert "Calls need: bedrock:InvokeModel" in text_of(page)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"access_key_id": ""}, "access_key_id", "Paste the access key ID."),
        ({"secret_access_key": ""}, "secret_access_key", "Paste the secret access key."),
        ({"secret_access_key": "with a space"}, "secret_access_key", "Copy it again"),
        ({"access_key_id": "ASIAIOSFODNN7EXAMPLE"}, "access_key_id", "temporary"),
        ({"way": "bearer_token"}, "bearer_token", "Paste the Bedrock API key."),
        ({"region": ""}, "region", "This field is required."),
        ({"region": "mars-1"}, "region", "Select a valid choice."),
        ({"base_url": "https://evil.test"}, "base_url", "is not allowed"),
    ],
)
def test_bedrock_says_at_its_field_what_will_not_do(
    owner: Client, fields: dict[str, str], field: str, message: str
) -> None:
    answer = owner.post(AWS, AWS_FIELDS | fields)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert message in " ".join(answer.context["form"].errors[field])
    assert not ProviderKey.objects.exists()


# Vertex AI


def test_vertex_takes_the_pasted_key_file_and_its_project(owner: Client) -> None:
    owner.post(GOOGLE, GOOGLE_FIELDS)

    key, secret = stored()
    assert json.loads(secret)["private_key"] == private_pem()
    assert key.settings == {"project_id": "example-project", "location": "europe-west1"}
    assert key.versions.get().hint == "4567"


def test_vertex_takes_the_file_itself(owner: Client) -> None:
    file = SimpleUploadedFile("key.json", key_file().encode(), content_type="application/json")

    owner.post(GOOGLE, {"name": "Vertex", "location": "global", "project_id": "mine", "service_account_file": file})

    key, secret = stored()
    assert json.loads(secret)["private_key"] == private_pem()
    assert key.settings == {"project_id": "mine", "location": "global"}


def test_vertexes_form_sends_files_with_scripts_and_without(owner: Client) -> None:
    content = owner.get(GOOGLE).content.decode()

    assert 'enctype="multipart/form-data" hx-encoding="multipart/form-data"' in content
    assert '<option value="global">global, Global: wherever there is capacity</option>' in content


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"service_account": ""}, "service_account", "Paste the service account key (JSON)."),
        ({"service_account": "{}"}, "service_account", "another kind of JSON"),
        ({"service_account": '{"type": "authorized_user"}'}, "service_account", "a person's own login"),
        ({"service_account": '{"type": "external_account"}'}, "service_account", "workload identity federation"),
        ({"service_account": "x" * 20_000}, "service_account", "too long"),
        ({"service_account": key_file(project_id=None)}, "project_id", "Fill this in."),
        ({"project_id": "no/project"}, "project_id", "not the ID of a Google Cloud project"),
        ({"location": "moon-1"}, "location", "Select a valid choice."),
    ],
)
def test_vertex_says_at_its_field_what_will_not_do(
    owner: Client, fields: dict[str, str], field: str, message: str
) -> None:
    answer = owner.post(GOOGLE, GOOGLE_FIELDS | fields)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert message in " ".join(answer.context["form"].errors[field])
    assert not ProviderKey.objects.exists()


# OpenAI


def test_openai_takes_a_key(owner: Client) -> None:
    owner.post(OPENAI, OPENAI_FIELDS)

    key, secret = stored()
    assert (secret, key.settings, key.url) == (OPENAI_FIELDS["secret"], {}, "https://api.openai.com")


def test_another_server_that_speaks_its_language_has_a_base_url_and_a_key_of_its_own(
    owner: Client, settings: Any
) -> None:
    settings.ALLOWED_ORIGINS = frozenset([PROXY])

    owner.post(OPENAI, {"name": "Ours", "secret": "a-key-of-our-own", "base_url": f"{PROXY}/v1", "responses": "yes"})

    key, secret = stored()
    assert (secret, key.settings, key.url) == ("a-key-of-our-own", {"responses": "yes"}, f"{PROXY}/v1")


# All of them


@pytest.mark.parametrize(
    ("path", "fields", "canary"),
    [
        (AWS, AWS_FIELDS | {"region": ""}, SECRET_ACCESS_KEY),
        (AWS, AWS_FIELDS | {"way": "bearer_token", "bearer_token": TOKEN, "region": ""}, TOKEN),
        (GOOGLE, GOOGLE_FIELDS | {"location": ""}, private_pem().splitlines()[1]),
        (OPENAI, OPENAI_FIELDS | {"name": ""}, OPENAI_FIELDS["secret"]),
    ],
)
def test_no_answer_echoes_a_secret(owner: Client, path: str, fields: dict[str, str], canary: str) -> None:
    for answer in (owner.post(path, fields), post_by_htmx(owner, path, fields)):
        assert answer.status_code == 422
        assert canary not in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        (AWS, AWS_FIELDS, "Your AWS Bedrock credential is now configured and ready to use through the AI Gateway."),
        (GOOGLE, GOOGLE_FIELDS, "Your Google Vertex AI service account is now configured and ready to use"),
        (OPENAI, OPENAI_FIELDS, "Your OpenAI API key is now configured and ready to use through the AI Gateway."),
    ],
)
def test_a_check_that_passed_says_so(owner: Client, path: str, fields: dict[str, str], words: str) -> None:
    owner.post(path, fields)
    finish_test_call(TestCall.objects.get(), TestResult(Outcome.OK, "Checked.", 412))

    assert words in text_of(owner.get(f"/w/acme/byok/{ProviderKey.objects.get().pk}/connected/"))


@pytest.fixture
def bedrock_key(workspace: Workspace) -> ProviderKey:
    sync_catalog()
    settings = {"region": "eu-central-1"}
    return make_provider_key(workspace, provider="aws", plaintext=json.dumps(ACCESS_KEY), key_settings=settings)


def test_a_keys_page_shows_its_settings_and_address(owner: Client, bedrock_key: ProviderKey) -> None:
    page = text_of(owner.get(bedrock_key.get_absolute_url()))

    assert "Calls go to https://bedrock-runtime.eu-central-1.amazonaws.com Region eu-central-1" in page


def test_a_test_message_is_offered_for_models_that_the_region_has(owner: Client, bedrock_key: ProviderKey) -> None:
    offered = owner.get(bedrock_key.get_absolute_url()).context["message_form"].offered

    assert next(iter(offered)) == "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert "eu.anthropic.claude-sonnet-4-6" in offered
    assert not any(model.startswith(("us.", "jp.", "au.")) for model in offered)


def test_a_test_message_of_openai_goes_to_any_model(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace, provider="openai", plaintext=OPENAI_FIELDS["secret"])

    owner.post(f"{key.get_absolute_url()}message/", {"model": "gpt-of-tomorrow"})

    assert TestCall.objects.get(kind="message").model == "gpt-of-tomorrow"


def test_a_test_message_of_bedrock_goes_to_a_profile_of_ones_own(owner: Client, bedrock_key: ProviderKey) -> None:
    arn = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc123"

    owner.post(f"{bedrock_key.get_absolute_url()}message/", {"model": arn})
    owner.post(f"{bedrock_key.get_absolute_url()}message/", {"model": "anthropic.claude-of-tomorrow"})

    assert TestCall.objects.get(kind="message").model == arn


def test_the_region_can_be_edited_without_the_secret(owner: Client, bedrock_key: ProviderKey) -> None:
    unchanged = {"name": bedrock_key.name, "order": 0, "weight": 1, "notes": "", "base_url": ""}

    owner.post(f"{bedrock_key.get_absolute_url()}edit/", unchanged | {"region": "us-east-1", "weight": 7})

    bedrock_key.refresh_from_db()
    assert (bedrock_key.settings, bedrock_key.weight) == ({"region": "us-east-1"}, 7)
    assert bedrock_key.versions.count() == 1


def test_rotating_asks_for_the_credential_alone(owner: Client, bedrock_key: ProviderKey) -> None:
    owner.post(f"{bedrock_key.get_absolute_url()}rotate/", {"way": "bearer_token", "bearer_token": TOKEN})

    draft = bedrock_key.versions.get(number=2)
    assert (draft.state, draft.hint) == ("draft", "yyyy")
