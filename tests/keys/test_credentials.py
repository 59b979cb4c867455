"""Pasted credentials: what will do, what will not, and that a refusal never repeats what was pasted."""

import json

import pytest

from catalog.providers import PROVIDERS, Provider
from keys.credentials import (
    MAX_LENGTH,
    CredentialInvalid,
    OriginNotAllowed,
    SettingInvalid,
    check_base_url,
    hint_of,
    make_simulated_secret,
    read_credential,
    read_credentials,
    read_settings,
)
from tests.providers.vertex_keys import key_file

GOOD = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"
PROXY = "https://proxy.test:8443"


@pytest.mark.parametrize("text", [GOOD, f"  {GOOD}\n", f"\t{GOOD}\r\n", "sk-ant-" + "x" * (MAX_LENGTH - 7)])
def test_reads_a_key_without_the_space_around_it(text: str) -> None:
    assert read_credential("anthropic", text).reveal() == text.strip()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Paste the API key."),
        (" \n\t ", "Paste the API key."),
        ("sk-ant-api03-abc def-ghi-jkl", "a space or a line break inside"),
        ("sk-ant-api03-abcdef\nghijkl", "a space or a line break inside"),
        ("sk-ant-api03-abc\u00a0def", "a space or a line break inside"),
        ("sk-ant-api03-abcdéf", "characters that no key has"),
        ("sk-ant-api03-abc\x00def", "characters that no key has"),
        ("sk-ant-api03-abc\u200bdef", "characters that no key has"),
        ("sk-ant-" + "x" * MAX_LENGTH, "too long"),
        ("sk-ant-api", "too short"),
        ("some-other-kind-of-key", "begin with sk-ant-api"),
        ("sk-ant-admin01-abcdefghijklmnop", "an Anthropic Admin key"),
        ("sk-ant-oat01-abcdefghijklmnop", "a Claude subscription's OAuth token"),
        ("sk-ant-ort01-abcdefghijklmnop", "a Claude subscription's refresh token"),
        ("sk-orq-abcdefgh-abcdefgh", "a gateway key of orqadmin"),
        ("mk-orq-abcdefgh-abcdefgh", "a management key of orqadmin"),
        ("sk-proj-abcdefghijklmnop", "an OpenAI key"),
        ("sk-or-v1-abcdefghijklmnop", "an OpenRouter key"),
        ("AKIAABCDEFGHIJKLMNOP", "an AWS access key ID"),
        ("ASIAABCDEFGHIJKLMNOP", "a temporary AWS access key ID"),
        ("ABSKQmVkcm9ja0FQSUtleQ", "an AWS Bedrock API key"),
        ("AIzaSyABCDEFGHIJKLMNOP", "a Google API key"),
        ('{"type": "service_account"}', "JSON, such as a Google service account"),
    ],
)
def test_refuses_what_cannot_be_a_key_and_says_why(text: str, complaint: str) -> None:
    with pytest.raises(CredentialInvalid, match=complaint) as caught:
        read_credential("anthropic", text)

    pasted = text.strip()
    assert not pasted or pasted not in str(caught.value)


@pytest.mark.parametrize("text", ["EMPTY", "x", "sk-sim-acme"])
def test_server_of_ones_own_takes_short_keys_and_no_part_of_them_is_told(text: str) -> None:
    secret = read_credential("openai", text, base_url="http://127.0.0.1:8009")

    assert secret.reveal() == text
    assert hint_of("openai", secret) == ""


ACCESS_KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
AWS, GOOGLE, OPENAI = PROVIDERS["aws"], PROVIDERS["google"], PROVIDERS["openai"]


@pytest.mark.parametrize(
    ("given", "stored", "hint"),
    [
        (ACCESS_KEY, ACCESS_KEY, "MPLE"),
        ({name: f" {value}\n" for name, value in ACCESS_KEY.items()} | {"bearer_token": ""}, ACCESS_KEY, "MPLE"),
        ({"bearer_token": "ABSK" + "x" * 40}, {"bearer_token": "ABSK" + "x" * 40}, "xxxx"),
    ],
)
def test_aws_takes_an_access_key_or_a_bedrock_api_key(given: dict[str, str], stored: dict[str, str], hint: str) -> None:
    secret = read_credentials(AWS, given)

    assert json.loads(secret.reveal()) == stored
    assert hint_of("aws", secret) == hint


def test_a_service_account_is_known_by_its_keys_id() -> None:
    secret = read_credentials(GOOGLE, {"service_account": key_file()})

    assert json.loads(secret.reveal())["project_id"] == "example-project"
    assert hint_of("google", secret) == "4567"


def test_one_service_account_is_stored_alike_however_it_was_written() -> None:
    spaced, tight = key_file(), json.dumps(json.loads(key_file()))

    assert (
        read_credentials(GOOGLE, {"service_account": f"\ufeff{spaced}\r\n"}).reveal()
        == read_credentials(GOOGLE, {"service_account": tight}).reveal()
    )


@pytest.mark.parametrize(
    ("provider", "given", "field", "complaint"),
    [
        (AWS, {}, "access_key_id", "Paste the access key ID."),
        (AWS, {"access_key_id": ACCESS_KEY["access_key_id"]}, "secret_access_key", "Paste the secret access key."),
        (AWS, ACCESS_KEY | {"bearer_token": "ABSK" + "x" * 40}, "bearer_token", "one of them only"),
        (AWS, ACCESS_KEY | {"access_key_id": "ASIAIOSFODNN7EXAMPLE"}, "access_key_id", "temporary"),
        (AWS, ACCESS_KEY | {"access_key_id": "too short"}, "access_key_id", "20 capital letters"),
        (AWS, ACCESS_KEY | {"secret_access_key": "with a space"}, "secret_access_key", "wrong length or characters"),
        (AWS, {"access_key_id": "sk-ant-api03-abcdefghijkl", "secret_access_key": "x"}, "access_key_id", "Anthropic"),
        (AWS, {"bearer_token": "AKIAIOSFODNN7EXAMPLE"}, "bearer_token", "fields of their own"),
        (AWS, {"bearer_token": "ABSK with space inside"}, "bearer_token", "wrong length or characters"),
        (GOOGLE, {}, "service_account", "Paste the service account key"),
        (GOOGLE, {"service_account": "AIzaSyABCDEFGHIJKLMNOP"}, "service_account", "a Google API key"),
        (GOOGLE, {"service_account": "ya29.abcdefghijkl"}, "service_account", "ends within the hour"),
        (GOOGLE, {"service_account": "{half of it"}, "service_account", "not all of it"),
        (GOOGLE, {"service_account": '{"type": "authorized_user"}'}, "service_account", "a person's own login"),
        (GOOGLE, {"service_account": '{"type": "external_account"}'}, "service_account", "workload identity"),
        (GOOGLE, {"service_account": key_file(private_key="x")}, "service_account", "cannot be read"),
        (OPENAI, {"api_key": "sk-ant-api03-abcdefghijkl"}, "api_key", "It belongs to Anthropic. Paste an OpenAI"),
        (OPENAI, {"api_key": "sk-admin-abcdefghijkl"}, "api_key", "an OpenAI Admin key"),
        (OPENAI, {"api_key": "AKIAIOSFODNN7EXAMPLE"}, "api_key", "It belongs to AWS Bedrock"),
        (OPENAI, {"api_key": "no-key-of-openai"}, "api_key", "set its base URL"),
    ],
)
def test_each_provider_says_what_cannot_be_its_credential(
    provider: Provider, given: dict[str, str], field: str, complaint: str
) -> None:
    with pytest.raises(CredentialInvalid, match=complaint) as caught:
        read_credentials(provider, given)

    assert caught.value.field == field
    assert not any(len(value) > 8 and value in str(caught.value) for value in given.values())


@pytest.mark.parametrize("text", ["any-key-of-theirs", "sk-or-v1-abcdefghijkl", "AIzaSyABCDEFGHIJKLMNOP"])
def test_a_server_that_speaks_openais_language_has_keys_of_its_own(text: str) -> None:
    assert read_credentials(OPENAI, {"api_key": text}, base_url=PROXY).reveal() == text


def test_some_keys_belong_to_no_server() -> None:
    with pytest.raises(CredentialInvalid, match="gateway key of orqadmin"):
        read_credentials(OPENAI, {"api_key": "sk-orq-abcdefgh-abcdefgh"}, base_url=PROXY)


@pytest.mark.parametrize(
    ("provider", "given", "settings"),
    [
        (AWS, {"region": " eu-central-1 ", "inference_profile": ""}, {"region": "eu-central-1"}),
        (
            AWS,
            {"inference_profile": "geographic", "region": "us-east-1"},
            {"region": "us-east-1", "inference_profile": "geographic"},
        ),
        (GOOGLE, {"project_id": "p1", "location": "global"}, {"project_id": "p1", "location": "global"}),
        (OPENAI, {"responses": "no"}, {"responses": "no"}),
        (OPENAI, {}, {}),
    ],
)
def test_settings_are_kept_without_what_is_empty(
    provider: Provider, given: dict[str, str], settings: dict[str, str]
) -> None:
    assert read_settings(provider, given) == settings


@pytest.mark.parametrize(
    ("provider", "given", "field"),
    [
        (AWS, {}, "region"),
        (AWS, {"region": "us-east-1.evil.test"}, "region"),
        (AWS, {"region": "us-east-1", "inference_profile": "galactic"}, "inference_profile"),
        (GOOGLE, {"location": "global"}, "project_id"),
        (GOOGLE, {"location": "global", "project_id": "a/b"}, "project_id"),
        (GOOGLE, {"location": "moon", "project_id": "p"}, "location"),
        (OPENAI, {"responses": "perhaps"}, "responses"),
        (PROVIDERS["anthropic"], {"region": "us"}, "region"),
    ],
)
def test_settings_that_will_not_do_are_named(provider: Provider, given: dict[str, str], field: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        read_settings(provider, given)

    assert caught.value.field == field


def test_a_made_up_key_is_one_the_simulated_provider_takes() -> None:
    plaintext = make_simulated_secret().reveal()

    assert read_credential("simulated", plaintext).reveal() == plaintext
    assert plaintext != make_simulated_secret().reveal()


def test_another_base_url_may_have_keys_of_its_own_form() -> None:
    assert read_credential("anthropic", "proxy-key-of-ours", base_url=PROXY).reveal() == "proxy-key-of-ours"


def test_a_key_that_belongs_elsewhere_is_refused_at_any_base_url() -> None:
    with pytest.raises(CredentialInvalid):
        read_credential("anthropic", "sk-ant-admin01-abcdefghijklmnop", base_url=PROXY)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("", ""),
        ("   ", ""),
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://api.anthropic.com/", "https://api.anthropic.com"),
        ("https://api.anthropic.com/proxy/", "https://api.anthropic.com/proxy"),
        (PROXY, PROXY),
        (f" {PROXY}/ ", PROXY),
    ],
)
def test_an_allowed_base_url_is_kept_without_its_last_slash(base_url: str, expected: str) -> None:
    assert check_base_url("anthropic", base_url, allowed_origins=[PROXY]) == expected


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.anthropic.com",  # not https
        "https://api.anthropic.com:8443",
        "https://api.anthropic.com.evil.test",
        "https://evil.test/api.anthropic.com",
        "https://api.anthropic.com@evil.test",
        "https://user:pw@api.anthropic.com",
        "https://api.anthropic.com?x=1",
        "https://api.anthropic.com#x",
        "https://evil.test\\@api.anthropic.com",
        "https://api.anthropic.com\\.evil.test",
        "https://proxy.test",  # another port
        "https://proxy.test:443",
        "https://proxy.test:8443:1",
        "https://proxy.test:99999",
        "https://[::1",
        "https://127.0.0.1",
        "https://[::ffff:127.0.0.1]",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "gopher://proxy.test:8443",
        "javascript:alert(1)",
        "//proxy.test:8443",
        "proxy.test:8443",
        "https://",
        "https:///path",
        "https://api.anth\tropic.com",
        "https://api.anthropic.com/\nx",
        "https://api.anthropic.com/a path",
        "https://api.anthropic.com/\x00",
    ],
)
def test_a_base_url_anywhere_else_is_refused(base_url: str) -> None:
    with pytest.raises(OriginNotAllowed):
        check_base_url("anthropic", base_url, allowed_origins=[PROXY])


def test_one_providers_origin_is_not_anothers() -> None:
    with pytest.raises(OriginNotAllowed):
        check_base_url("openai", "https://api.anthropic.com", allowed_origins=[])
