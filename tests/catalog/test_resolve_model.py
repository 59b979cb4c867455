"""What a model string means, and what one that means nothing is answered."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.index import CatalogIndex, UnknownModel, is_passable_id
from catalog.queries import load_index
from catalog.services import sync_catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def index() -> CatalogIndex:
    sync_catalog()
    return load_index()


@pytest.mark.parametrize(
    ("asked", "provider", "model", "upstream_id"),
    [
        ("anthropic/claude-sonnet-4-6", "anthropic", "claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("anthropic/claude-haiku-4-5", "anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-haiku-4-5-20251001", "anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("anthropic/claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("anthropic/claude-3-5-haiku-latest", "anthropic", "claude-3-5-haiku", "claude-3-5-haiku-20241022"),
        ("simulated/claude-haiku-4-5", "simulated", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("aws/anthropic/claude-sonnet-4-6", "aws", "claude-sonnet-4-6", "global.anthropic.claude-sonnet-4-6"),
        ("aws/us.anthropic.claude-opus-4-6-v1", "aws", "claude-opus-4-6", "us.anthropic.claude-opus-4-6-v1"),
        ("aws/global.anthropic.claude-opus-4-6-v1", "aws", "claude-opus-4-6", "global.anthropic.claude-opus-4-6-v1"),
        ("google/anthropic/claude-opus-4-6", "google", "claude-opus-4-6", "claude-opus-4-6"),
        ("google/claude-opus-4-6", "google", "claude-opus-4-6", "claude-opus-4-6"),
        ("google/claude-haiku-4-5@20251001", "google", "claude-haiku-4-5-20251001", "claude-haiku-4-5@20251001"),
        ("google/claude-haiku-4-5", "google", "claude-haiku-4-5-20251001", "claude-haiku-4-5@20251001"),
        ("google/anthropic/claude-haiku-4-5", "google", "claude-haiku-4-5-20251001", "claude-haiku-4-5@20251001"),
        ("google/anthropic/claude-sonnet-4-5-20250929", "google", "claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
        (
            "aws/anthropic/claude-haiku-4-5",
            "aws",
            "claude-haiku-4-5-20251001",
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("aws/claude-sonnet-4-6", "aws", "claude-sonnet-4-6", "global.anthropic.claude-sonnet-4-6"),
        ("aws/eu.anthropic.claude-sonnet-4-6", "aws", "claude-sonnet-4-6", "eu.anthropic.claude-sonnet-4-6"),
        ("aws/jp.anthropic.claude-sonnet-4-6", "aws", "claude-sonnet-4-6", "jp.anthropic.claude-sonnet-4-6"),
        ("aws/au.anthropic.claude-sonnet-4-6", "aws", "claude-sonnet-4-6", "au.anthropic.claude-sonnet-4-6"),
        (
            "aws/apac.anthropic.claude-sonnet-4-20250514-v1:0",
            "aws",
            "claude-sonnet-4-0",
            "apac.anthropic.claude-sonnet-4-20250514-v1:0",
        ),
        (
            "aws/anthropic.claude-3-haiku-20240307-v1:0",
            "aws",
            "claude-3-haiku",
            "anthropic.claude-3-haiku-20240307-v1:0",
        ),
        ("openai/gpt-5-mini", "openai", "gpt-5-mini", "gpt-5-mini"),
    ],
)
def test_names_of_a_model_all_mean_it(index, asked, provider, model, upstream_id):
    entry = index.resolve(asked)

    assert (entry.provider, entry.model, entry.upstream_id) == (provider, model, upstream_id)


@pytest.mark.parametrize(
    ("asked", "status", "code", "words"),
    [
        ("claude-sonnet-4-6", 400, "invalid_request_body", "anthropic/claude-sonnet-4-6"),
        ("claude-haiku-4-5", 400, "invalid_request_body", "anthropic/claude-haiku-4-5-20251001"),
        ("gpt-4o", 400, "invalid_request_body", "provider/model"),
        ("", 400, "invalid_request_body", "provider/model"),
        ("bedrock/anthropic.claude-3-haiku", 400, "invalid_request_body", "“aws/”"),
        ("vertex_ai/claude-opus-4-6", 400, "invalid_request_body", "“google/”"),
        ("anthropic/claude-sonnet-9", 404, "model_not_found", "anthropic/claude-sonnet-9"),
        ("anthropic/", 404, "model_not_found", "anthropic/"),
        ("anthropic/anthropic/claude-sonnet-4-6", 404, "model_not_found", "no model"),
        ("simulated/us.anthropic.claude-opus-4-6-v1", 404, "model_not_found", "no model"),
        ("openai/gpt-next", 404, "model_not_found", "no model"),
        ("aws/arn:aws:bedrock:us-east-1:123456789012:inference-profile/x", 404, "model_not_found", "no model"),
        ("aws/sa.anthropic.claude-sonnet-4-6", 404, "model_not_found", "no model"),
        ("mistral/large", 404, "model_not_found", "no model"),
        ("Anthropic/claude-sonnet-4-6", 404, "model_not_found", "no model"),
    ],
)
def test_what_names_no_model_is_refused_with_what_to_write(index, asked, status, code, words):
    with pytest.raises(UnknownModel, match=words) as refused:
        index.resolve(asked)

    assert (refused.value.status, refused.value.code) == (status, code)


def test_every_model_string_and_upstream_id_resolves_to_its_offering(index):
    for entry in index.entries:
        prefix = entry.model_string.partition("/")[0]
        for name in (entry.model_string, f"{prefix}/{entry.upstream_id}"):
            found = index.resolve(name)
            # Where the key decides the place, the name means the plain offering, by the same id.
            assert found is entry or (found.upstream_id == entry.upstream_id and not found.is_regional)


def test_every_alias_means_one_model_only(index):
    for entry in index.entries:
        for alias in entry.info.aliases:
            assert index.find(entry.provider, alias).model == entry.model


def test_each_model_string_is_offered_once_to_clients(index):
    strings = [entry.model_string for entry in index.callable_entries()]

    assert len(strings) == len(set(strings))
    assert set(strings) == {entry.model_string for entry in index.entries if entry.is_callable}


@pytest.mark.parametrize(
    ("provider", "name", "passes"),
    [
        ("aws", "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3d4e5f6", True),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1", True),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", True),
        ("aws", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", True),
        ("aws", "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:application-inference-profile/x", True),
        ("aws", "arn:aws:s3:::bucket", False),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:guardrail/x", False),
        ("aws", "arn:aws:bedrock:evil.test/:123456789012:inference-profile/x", False),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/../x", False),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x\n", False),
        ("aws", "anthropic.claude-next", False),
        ("openai", "gpt-next", True),
        ("openai", "ft:gpt-4o-2024-08-06:acme::a1B2", True),
        ("openai", "meta-llama/Llama-3.3-70B-Instruct", True),
        ("openai", "", False),
        ("openai", "a b", False),
        ("openai", "-x", False),
        ("openai", "x" * 201, False),
        ("anthropic", "claude-next", False),
        ("google", "claude-next", False),
        ("simulated", "claude-next", False),
        ("nobody", "x", False),
    ],
)
def test_which_unknown_ids_pass_unpriced(provider, name, passes):
    assert is_passable_id(provider, name) is passes


@pytest.mark.parametrize(
    ("asked", "region", "served"),
    [
        ("aws/anthropic/claude-opus-4-6", "global", "global.anthropic.claude-opus-4-6-v1"),
        ("aws/us.anthropic.claude-opus-4-6-v1", "us", "us.anthropic.claude-opus-4-6-v1"),
        ("aws/anthropic.claude-opus-4-6-v1", "eu-west-2", "anthropic.claude-opus-4-6-v1"),
        ("google/anthropic/claude-opus-4-6", "global", "claude-opus-4-6"),
        ("google/anthropic/claude-opus-4-6", "europe-west1", "claude-opus-4-6"),
        ("google/anthropic/claude-opus-4-1", "us-east5", "claude-opus-4-1@20250805"),
        ("anthropic/claude-opus-4-6", "", "claude-opus-4-6"),
    ],
)
def test_the_offering_that_served_a_call(index, asked, region, served):
    entry = index.served(index.resolve(asked), region)

    assert entry.upstream_id == served
    assert entry.provider == asked.partition("/")[0]


def test_a_region_of_google_costs_a_tenth_more_than_its_global_endpoint(index):
    plain = index.resolve("google/anthropic/claude-opus-4-8")
    now = datetime.now(UTC)

    here = index.served(plain, "europe-west1").price_at(now).base

    assert (plain.price_at(now).base.output, here.output, here.cache_read_input) == (
        25,
        Decimal("27.5"),
        Decimal("0.55"),
    )


def test_the_model_strings_of_one_model_are_those_of_its_offerings(index):
    assert [entry.model_string for entry in index.of_model("claude-sonnet-4-6")] == [
        "anthropic/claude-sonnet-4-6",
        "aws/anthropic/claude-sonnet-4-6",
        "aws/us.anthropic.claude-sonnet-4-6",
        "aws/eu.anthropic.claude-sonnet-4-6",
        "aws/jp.anthropic.claude-sonnet-4-6",
        "aws/au.anthropic.claude-sonnet-4-6",
        "aws/anthropic.claude-sonnet-4-6",
        "google/anthropic/claude-sonnet-4-6",
        "google/anthropic/claude-sonnet-4-6",
        "simulated/claude-sonnet-4-6",
    ]
