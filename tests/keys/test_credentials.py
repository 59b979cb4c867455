"""Pasted credentials: what will do, what will not, and that a refusal never repeats what was pasted."""

import pytest

from keys.credentials import (
    MAX_LENGTH,
    CredentialInvalid,
    OriginNotAllowed,
    check_base_url,
    make_simulated_secret,
    read_credential,
)

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
