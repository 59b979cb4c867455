"""BYOK: the list of providers, and connecting one as the provider's page tells it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.providers import PROVIDERS
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import TestResult, finish_test_call, keyring
from providers.base import Outcome
from teams.models import AuditEvent, User, Workspace
from tests.factories import PLAINTEXT, make_provider_key
from tests.pages import post_by_htmx, signed_in, text_of
from tests.usage.samples import make_record, record
from usage.models import LastUse

LIST = "/w/acme/byok/"
NEW, NEW_SIMULATED = "/w/acme/byok/new/anthropic/own/", "/w/acme/byok/new/simulated/own/"
FIELDS = {"name": "Anthropic Production", "secret": PLAINTEXT, "base_url": ""}


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


def finish(key: ProviderKey, outcome: Outcome, message: str = "Because.", latency_ms: int = 412) -> None:
    finish_test_call(TestCall.objects.get(version__provider_key=key), TestResult(outcome, message, latency_ms))


def sections(client: Client, query: str = "") -> dict[str, Any]:
    return {section.provider.slug: section for section in client.get(LIST + query).context["sections"]}


# The list


def test_every_provider_is_listed_and_says_whether_it_can_be_connected(owner: Client) -> None:
    states = {slug: section.state for slug, section in sections(owner).items()}

    assert states == dict.fromkeys(["anthropic", "aws", "google", "simulated", "openai"], "open")


def test_a_provider_says_what_it_needs_and_what_its_check_needs(owner: Client) -> None:
    page = text_of(owner.get(LIST))

    assert "AWS Bedrock (aws/) Needs: Access key or Bedrock API key, and Region." in page
    assert "The free check calls ListFoundationModels, so the credential needs bedrock:ListFoundationModels." in page
    assert "the service account needs aiplatform.endpoints.predict in the project" in page


def test_what_is_coming_says_what_it_will_need(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "openai", replace(PROVIDERS["openai"], is_callable=False))

    assert "OpenAI (openai/) Coming. It will need: API key" in text_of(owner.get(LIST))
    assert owner.get("/w/acme/byok/new/openai/own/").status_code == 404


def test_a_provider_lists_its_named_keys_in_the_order_they_are_tried(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace, name="first")
    make_provider_key(workspace, name="a second", plaintext=PLAINTEXT + "2")

    assert [row.key.name for row in sections(owner)["anthropic"].rows] == ["first", "a second"]


def test_the_list_shows_the_last_four_characters_and_no_more(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)

    page = owner.get(LIST).content.decode()

    assert f"••••{PLAINTEXT[-4:]}" in page
    assert PLAINTEXT[-5:] not in page


def test_the_list_never_opens_a_secret(owner: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_provider_key(workspace)
    monkeypatch.delattr(type(keyring()), "open")
    monkeypatch.delattr(type(keyring()), "unwrap")

    assert owner.get(LIST).status_code == 200


@pytest.mark.parametrize(
    ("outcome", "word", "tone"),
    [
        (Outcome.OK, "Working", "good"),
        (Outcome.INVALID_CREDENTIAL, "Refused", "bad"),
        (Outcome.NO_CREDIT, "No credit", "bad"),
        (Outcome.RATE_LIMITED, "Rate limited", "warn"),
        (Outcome.UNREACHABLE, "Unreachable", "bad"),
    ],
)
def test_the_last_check_says_in_which_state_a_key_is(
    owner: Client, workspace: Workspace, outcome: Outcome, word: str, tone: str
) -> None:
    finish(make_provider_key(workspace), outcome)

    [row] = sections(owner)["anthropic"].rows

    assert (row.state.status.word, row.state.status.tone) == (word, tone)


def test_a_failing_key_says_why(owner: Client, workspace: Workspace) -> None:
    finish(make_provider_key(workspace), Outcome.NO_CREDIT, "Add credit on the provider's billing page.")

    assert "No credit Add credit on the provider's billing page." in text_of(owner.get(LIST))


def test_a_key_whose_master_key_is_gone_is_shown_as_such(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)
    KeyVersion.objects.update(master_key_id="lost")

    assert "Cannot be opened" in text_of(owner.get(LIST))


def test_the_newest_use_of_any_version_is_a_keys_last_use(owner: Client, workspace: Workspace) -> None:
    key, now = make_provider_key(workspace), timezone.now()
    LastUse.objects.create(key_id=key.pk, version=1, at=now)

    [row] = sections(owner)["anthropic"].rows

    assert row.last_used_at == now


def test_search_finds_keys_by_name_and_providers_by_theirs(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace, name="Batch")

    assert list(sections(owner, "?q=batch")) == ["anthropic"]
    assert list(sections(owner, "?q=bedrock")) == ["aws"]


def test_a_search_that_finds_nothing_offers_to_clear_it(owner: Client) -> None:
    assert "Clear filters" in text_of(owner.get(LIST + "?q=nothing like that"))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("order", ["b", "a"]),
        ("-order", ["a", "b"]),
        ("name", ["a", "b"]),
        ("-name", ["b", "a"]),
        ("-last-used", ["a", "b"]),
        ("state", ["b", "a"]),
        ("last-check", ["b", "a"]),
        ("cost", ["b", "a"]),
        ("age", ["b", "a"]),
        ("no such column", ["b", "a"]),
    ],
)
def test_every_column_sorts_a_providers_keys(owner: Client, workspace: Workspace, sort: str, names: list[str]) -> None:
    first = make_provider_key(workspace, name="b")
    second = make_provider_key(workspace, name="a", plaintext=PLAINTEXT + "2")
    finish(second, Outcome.OK)
    KeyVersion.objects.filter(provider_key=second).update(created_at=timezone.now() - timedelta(days=9))
    record(make_record(workspace, at=timezone.now(), provider_key=second.pk))

    rows = sections(owner, f"?sort={sort}")["anthropic"].rows

    assert {row.key.pk for row in rows} == {first.pk, second.pk}
    assert [row.key.name for row in rows] == names


def test_the_list_asks_the_same_number_of_queries_for_many_keys(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace)
    with CaptureQueriesContext(connection) as for_one:
        owner.get(LIST)
    for number in range(9):
        make_provider_key(workspace, name=f"key {number}", plaintext=f"{PLAINTEXT}{number}")

    with CaptureQueriesContext(connection) as for_ten:
        owner.get(LIST)

    assert len(for_ten) == len(for_one)


# The dialog


def test_configure_offers_ones_own_key_or_the_simulated_provider(owner: Client) -> None:
    page = text_of(owner.get("/w/acme/byok/new/anthropic/"))

    assert "Setup your own API Key" in page
    assert "Use simulated provider" in page


def test_a_provider_nobody_knows_cannot_be_configured(owner: Client) -> None:
    assert owner.get("/w/acme/byok/new/nobody/own/").status_code == 404


def test_saving_stores_the_secret_sealed_and_in_use(owner: Client) -> None:
    owner.post(NEW, FIELDS)

    version = KeyVersion.objects.select_related("provider_key").get()
    assert (version.provider_key.name, version.state, version.hint) == (
        "Anthropic Production",
        "active",
        PLAINTEXT[-4:],
    )
    assert keyring().open(version.sealed, version.seal_context).reveal() == PLAINTEXT


def test_saving_queues_the_free_check(owner: Client) -> None:
    owner.post(NEW, FIELDS)

    call = TestCall.objects.get()
    assert (call.kind, call.state) == ("check", "queued")


def test_saving_is_audited_without_the_secret(owner: Client, alice: User) -> None:
    owner.post(NEW, FIELDS)

    event = AuditEvent.objects.get(action="provider_key.create")
    assert event.actor == alice.email
    assert PLAINTEXT not in json.dumps(event.after)


def test_a_provider_takes_several_named_keys(owner: Client) -> None:
    owner.post(NEW, FIELDS)
    owner.post(NEW, FIELDS | {"name": "Anthropic Batch", "secret": PLAINTEXT + "2"})

    assert list(ProviderKey.objects.values_list("name", flat=True)) == ["Anthropic Production", "Anthropic Batch"]


def test_the_simulated_provider_needs_only_a_name(owner: Client) -> None:
    owner.post(NEW_SIMULATED, {"name": "Simulated Anthropic"})

    version = KeyVersion.objects.select_related("provider_key").get()
    assert version.provider_key.provider == "simulated"
    assert keyring().open(version.sealed, version.seal_context).reveal().startswith("sk-ant-sim-")


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"secret": ""}, "secret", "Paste the API key."),
        ({"secret": "   "}, "secret", "Paste the API key."),
        ({"secret": "sk-ant-api03-with a space inside it"}, "secret", "a space or a line break inside"),
        ({"secret": "sk-ant-api03-with-a\nline-break-inside"}, "secret", "a space or a line break inside"),
        ({"secret": "sk-ant"}, "secret", "too short"),
        ({"secret": "no-prefix-that-anthropic-has"}, "secret", "begin with sk-ant-api"),
        ({"secret": "sk-proj-0123456789012345678901234567"}, "secret", "an OpenAI key"),
        ({"secret": "sk-ant-admin01-0123456789012345678901"}, "secret", "Anthropic Admin key"),
        ({"secret": "sk-ant-oat01-0123456789012345678901"}, "secret", "OAuth token"),
        ({"base_url": "https://not-allowed.test"}, "base_url", "is not allowed"),
    ],
)
def test_bad_input_gets_its_message_at_its_field(
    owner: Client, fields: dict[str, str], field: str, message: str
) -> None:
    answer = owner.post(NEW, FIELDS | fields)

    assert answer.status_code == 422
    assert message in " ".join(answer.context["form"].errors[field])
    assert list(answer.context["form"].errors) == [field]
    assert not ProviderKey.objects.exists()


def test_a_name_that_is_taken_gets_its_message_at_its_field(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace, name=FIELDS["name"], plaintext=PLAINTEXT + "2")

    answer = owner.post(NEW, FIELDS)

    assert "exists already" in " ".join(answer.context["form"].errors["name"])


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"base_url": "https://not-allowed.test"}, {"secret": PLAINTEXT + " x"}]
)
def test_no_answer_echoes_the_secret(owner: Client, fields: dict[str, str]) -> None:
    for answer in (owner.post(NEW, FIELDS | fields), post_by_htmx(owner, NEW, FIELDS | fields)):
        assert PLAINTEXT.encode() not in answer.content


def test_without_scripts_a_refusal_keeps_all_else_that_was_typed(owner: Client) -> None:
    content = owner.post(NEW, FIELDS | {"secret": "", "base_url": "https://not-allowed.test"}).content

    assert b'value="Anthropic Production"' in content
    assert b'value="https://not-allowed.test"' in content


def test_with_scripts_only_the_slots_for_errors_are_replaced(owner: Client) -> None:
    content = owner.get(NEW).content.decode()

    assert 'hx-select-oob="#id_name_error,#id_secret_error,#id_base_url_error"' in content
    assert '"code":"422","swap":true,"target":"find .form-errors","select":".form-errors"' in content


def test_the_same_secret_pasted_twice_is_warned_of_by_the_other_keys_name(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace, name="The first")

    answer = owner.post(NEW, FIELDS)

    assert answer.status_code == 422
    assert "This very secret is stored already: The first , version 1" in text_of(answer)
    assert ProviderKey.objects.count() == 1


def test_the_same_secret_is_saved_anyway_when_told_so(owner: Client, workspace: Workspace) -> None:
    make_provider_key(workspace, name="The first")

    owner.post(NEW, FIELDS | {"save_anyway": "1"})

    assert ProviderKey.objects.count() == 2


def test_the_same_secret_in_another_workspace_is_not_told(
    owner: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    make_provider_key(other_workspace, name="Theirs")

    answer = owner.post(NEW, FIELDS)

    assert answer.status_code == 302


# After saving


def test_saving_leads_to_the_check(owner: Client) -> None:
    answer = owner.post(NEW, FIELDS, follow=True)

    assert "Saved. Checking the key with Anthropic, free of charge…" in text_of(answer)


@pytest.mark.parametrize(("state", "word"), [("queued", "Queued"), ("running", "Running")])
def test_the_page_asks_again_while_the_check_goes_on(
    owner: Client, workspace: Workspace, state: str, word: str
) -> None:
    key = make_provider_key(workspace)
    TestCall.objects.update(state=state)

    answer = owner.get(f"{LIST}{key.pk}/connected/")

    assert word in text_of(answer)
    assert b'hx-trigger="load delay:700ms"' in answer.content


def test_a_green_check_is_told_in_the_products_own_words(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace)
    finish(key, Outcome.OK, latency_ms=412)

    answer = owner.get(f"{LIST}{key.pk}/connected/")

    sentence = "Your Anthropic API key is now configured and ready to use through the AI Gateway. Checked in 412 ms."
    assert sentence in text_of(answer)
    assert b'hx-trigger="load delay:700ms"' not in answer.content


def test_a_failed_check_says_what_to_do(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace)
    finish(key, Outcome.INVALID_CREDENTIAL, "Paste it again, or make a new one.")

    page = text_of(owner.get(f"{LIST}{key.pk}/connected/"))

    assert "Saved, but the check did not pass: Refused. Paste it again, or make a new one." in page
    assert "ready to use" not in page


def test_a_first_check_that_tells_nothing_of_calls_is_no_failure(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace, provider="openai", plaintext="sk-proj-0123456789012345678901234567")
    finish(key, Outcome.NO_PERMISSION, "Send a test message.")

    page = text_of(owner.get(f"/w/acme/byok/{key.pk}/connected/"))

    assert "Saved. Not checked: no permission to list models. Send a test message." in page


def test_the_next_step_is_a_gateway_key(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace)

    content = owner.get(f"{LIST}{key.pk}/connected/").content.decode()

    assert 'href="/w/acme/api-keys/new/">Next: Create API Key</a>' in content


def test_the_list_behind_the_dialog_is_told_to_load_again(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace)

    answer = owner.get(f"{LIST}{key.pk}/connected/", headers={"HX-Request": "true"})

    assert "provider-keys-changed" in answer.headers["HX-Trigger"]
