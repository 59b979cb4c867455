"""What a model string means, and what one that means nothing is answered."""

import pytest

from catalog.index import CatalogIndex, UnknownModel
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
        ("openai/gpt-4o", 404, "model_not_found", "no model"),
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
        assert index.resolve(entry.model_string) is entry
        assert index.resolve(f"{prefix}/{entry.upstream_id}") is entry


def test_every_alias_means_one_model_only(index):
    for entry in index.entries:
        for alias in entry.info.aliases:
            assert index.find("anthropic", alias).model == entry.model


def test_only_anthropic_and_the_simulator_can_be_called_now(index):
    assert {entry.provider for entry in index.callable_entries()} == {"anthropic", "simulated"}


def test_the_model_strings_of_one_model_are_those_of_its_offerings(index):
    assert [entry.model_string for entry in index.of_model("claude-sonnet-4-6")] == [
        "anthropic/claude-sonnet-4-6",
        "aws/anthropic/claude-sonnet-4-6",
        "aws/us.anthropic.claude-sonnet-4-6",
        "google/anthropic/claude-sonnet-4-6",
        "simulated/claude-sonnet-4-6",
    ]
