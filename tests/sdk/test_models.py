"""The lists of models, as both makers' clients read them."""

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from orq_ai_sdk import Orq


def test_openai_lists_what_the_key_can_call(openai_sdk: OpenAI) -> None:
    models = list(openai_sdk.models.list())

    ids = [model.id for model in models]
    assert "anthropic/claude-sonnet-4-6" in ids
    assert {model.owned_by for model in models} == {"anthropic", "aws", "google"}
    assert all(model.id.startswith(f"{model.owned_by}/") for model in models)
    assert len(set(ids)) == len(ids)


def test_orq_lists_the_same(orq_sdk: Orq, openai_sdk: OpenAI) -> None:
    listed = [(model.id, model.owned_by) for model in orq_sdk.models.list().data]

    assert listed == [(model.id, model.owned_by) for model in openai_sdk.models.list()]


def test_every_listed_model_answers(openai_sdk: OpenAI) -> None:
    for model in openai_sdk.models.list():
        completion = openai_sdk.chat.completions.create(
            model=model.id, messages=[{"role": "user", "content": "Hello"}], max_tokens=16
        )
        assert completion.usage.completion_tokens > 0


def test_openai_gets_one_model_by_the_name_in_the_list(openai_sdk: OpenAI) -> None:
    for model in openai_sdk.models.list():
        assert openai_sdk.models.retrieve(model.id) == model


def test_openai_is_told_of_an_unknown_model(openai_sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_sdk.models.retrieve("anthropic/claude-nothing-9")

    assert caught.value.code == "model_not_found"


def test_anthropic_lists_bare_ids(anthropic_sdk: Anthropic) -> None:
    models = list(anthropic_sdk.models.list(limit=1000))

    assert "claude-sonnet-4-6" in [model.id for model in models]
    assert all(model.type == "model" and model.display_name for model in models)


# The package knows of models that will be withdrawn, and says so.
@pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")
def test_every_listed_native_model_answers(anthropic_sdk: Anthropic) -> None:
    for model in anthropic_sdk.models.list(limit=1000):
        message = anthropic_sdk.messages.create(
            model=model.id, max_tokens=16, messages=[{"role": "user", "content": "Hello"}]
        )
        assert message.usage.output_tokens > 0


def test_anthropic_gets_one_model_by_the_id_in_the_list(anthropic_sdk: Anthropic) -> None:
    for model in anthropic_sdk.models.list(limit=1000):
        assert anthropic_sdk.models.retrieve(model.id) == model


def test_anthropic_is_told_of_an_unknown_model(anthropic_sdk: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        anthropic_sdk.models.retrieve("claude-nothing-9")
