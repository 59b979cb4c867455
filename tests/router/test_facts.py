"""What the translated dialects know of a model is what the catalog says of it."""

import pytest

from catalog.queries import load_index
from catalog.services import sync_catalog
from providers.registry import PROVIDER_APIS
from router.dialects.base import ModelFacts
from router.facts import facts_of
from router.plan import Offered

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> dict[str, ModelFacts]:
    """Return the facts of each offering that can be called, by what a client writes to get it."""
    sync_catalog()
    return {
        entry.model_string: facts_of(
            Offered(entry.provider, PROVIDER_APIS[entry.provider], entry.model, entry.upstream_id, entry)
        )
        for entry in load_index().callable_entries()
    }


def models(facts: dict[str, ModelFacts], provider: str = "anthropic") -> dict[str, ModelFacts]:
    """Return the facts by model, as ``provider`` offers it under its plain name."""
    beginning = {"anthropic": "anthropic/claude-", "aws": "aws/anthropic/claude-"}[provider]
    return {name.removeprefix(beginning): each for name, each in facts.items() if name.startswith(beginning)}


def test_models_from_4_7_on_take_no_sampling(known):
    without = {name for name, facts in models(known).items() if not facts.takes_sampling}

    assert without == {
        *("opus-4-7", "opus-4-8", "opus-5", "opus-5-5", "sonnet-5", "sonnet-5-5", "haiku-5-5"),
        *("fable-5", "fable-5-1", "fable-5-2", "mythos-5-2"),
    }


def test_how_thinking_is_switched_off(known):
    newest = {name: facts for name, facts in models(known).items() if facts.thinking == {"adaptive"}}

    assert {name: (sorted(facts.thinking_off), facts.thinking_off_up_to) for name, facts in newest.items()} == {
        **dict.fromkeys(["opus-4-7", "opus-4-8", "sonnet-5"], (["disabled"], "")),
        **dict.fromkeys(["opus-5", "haiku-5-5"], (["disabled"], "high")),
        "sonnet-5-5": (["between_tools"], "high"),
        **dict.fromkeys(["opus-5-5", "fable-5", "fable-5-1", "fable-5-2", "mythos-5-2"], ([], "")),
    }


def test_which_models_cannot_be_made_to_call_a_tool(known):
    without = {name for name, facts in models(known).items() if not facts.forces_tools}

    assert without == {"opus-5-5", "sonnet-5-5", "fable-5-1", "fable-5-2", "mythos-5-2"}


def test_bedrock_enforces_no_schema_from_4_7_on(known):
    by_anthropic = {name for name, facts in models(known).items() if facts.structured_outputs}
    by_aws = {name for name, facts in models(known, "aws").items() if facts.structured_outputs}

    assert by_aws == {"opus-4-5", "sonnet-4-5", "haiku-4-5-20251001", "opus-4-6", "sonnet-4-6"}
    assert by_anthropic - by_aws == {name for name, facts in models(known).items() if not facts.takes_sampling}


def test_what_bedrock_lacks_it_lacks_in_every_region(known):
    names = [name for name in known if "claude-opus-4-8" in name and name.startswith("aws/")]

    assert len(names) > 4
    assert not any(known[name].structured_outputs for name in names)


def test_bedrock_caches_for_an_hour_from_4_5_on(known):
    without = {name for name, facts in models(known, "aws").items() if not facts.caches_hourly}

    assert without == {
        *("opus-4-1", "opus-4-0", "sonnet-4-0", "3-7-sonnet", "3-5-haiku"),
        *("3-5-sonnet-20241022", "3-5-sonnet-20240620", "3-haiku", "3-opus"),
    }
    assert all(facts.caches_hourly for facts in models(known).values())


def test_an_id_that_only_the_provider_knows_takes_all_there_is():
    offered = Offered("aws", PROVIDER_APIS["aws"], "arn", "arn", None)

    facts = facts_of(offered)
    assert facts.takes_sampling
    assert facts.forces_tools
    assert facts.structured_outputs
    assert facts.caches_hourly
    assert facts.thinking_off == {"disabled", "between_tools"}
