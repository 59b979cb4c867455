"""The page of one provider key: what it shows, checking, editing, disabling, deleting and rotating."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.services import sync_catalog
from keys.models import KeyVersion, ProviderKey, SetAside, TestCall
from keys.services import (
    TestResult,
    add_version,
    delete_provider_key,
    finish_test_call,
    keyring,
    note_set_aside,
    promote_version,
    revoke_version,
    set_provider_key_enabled,
)
from keys.views import detail
from providers.base import Outcome
from providers.secret import Secret
from teams.models import User, Workspace
from tests.factories import PLAINTEXT, make_provider_key
from tests.pages import post_by_htmx, signed_in, text_of
from tests.usage.samples import make_record, record

NEW_PLAINTEXT = "sk-ant-api03-the-one-that-follows-9876543210"
PROXY = "https://proxy.test:8443"
LIST = "/w/acme/byok/"


@pytest.fixture
def owner(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def key(workspace: Workspace, settings: Any) -> ProviderKey:
    settings.ALLOWED_ORIGINS = frozenset([PROXY])
    return make_provider_key(workspace)


@pytest.fixture
def draft(key: ProviderKey, alice: User) -> KeyVersion:
    return add_version(key, secret=Secret(NEW_PLAINTEXT), actor=alice)


@pytest.fixture
def path(key: ProviderKey) -> str:
    return f"/w/acme/byok/{key.pk}/"


def finish_checks(outcome: Outcome = Outcome.OK, message: str = "Checked in 9 ms.") -> None:
    for call in TestCall.objects.all():
        finish_test_call(call, TestResult(outcome, message, 9))


def states(key: ProviderKey) -> dict[int, str]:
    return dict(key.versions.order_by("number").values_list("number", "state"))


def edit_fields(**fields: Any) -> dict[str, Any]:
    unchanged = {"name": "Production", "order": 0, "weight": 1, "rotate_every_days": "", "notes": "", "base_url": ""}
    return {**unchanged, "secret": "", **fields}


# What it shows


def test_a_version_is_told_in_the_products_words(owner: Client, key: ProviderKey, draft: KeyVersion, path: str) -> None:
    words = [row.status.word for row in owner.get(path).context["versions"]]

    assert words == ["New", "In use"]


def test_a_fallback_says_until_when(owner: Client, key: ProviderKey, draft: KeyVersion, path: str) -> None:
    promote_version(draft, grace=timedelta(hours=24), actor=None)
    KeyVersion.objects.filter(state="draining").update(
        draining_until=timezone.datetime.fromisoformat("2099-05-01T14:00Z")
    )

    assert "Old, fallback until 1 May, 14:00 UTC" in text_of(owner.get(path))


def test_a_revoked_version_says_that_it_is_still_valid_there(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str
) -> None:
    revoke_version(draft, actor=None)

    page = owner.get(path)

    assert "Removed here. Still valid at Anthropic until you delete it there ." in text_of(page)
    assert b'href="https://console.anthropic.com/settings/keys"' in page.content


def test_its_id_is_there_to_copy(owner: Client, key: ProviderKey, path: str) -> None:
    assert f"integration_id {key.pk} Copy" in text_of(owner.get(path))


def test_the_page_asks_again_only_while_a_check_goes_on(owner: Client, key: ProviderKey, path: str) -> None:
    assert b'hx-trigger="load delay:700ms"' in owner.get(path).content

    finish_checks()

    assert b'hx-trigger="load delay:700ms"' not in owner.get(path).content


def test_a_check_tells_its_outcome_latency_and_request_id(owner: Client, key: ProviderKey, path: str) -> None:
    [call] = TestCall.objects.all()
    result = TestResult(Outcome.NO_PERMISSION, "Check its permissions there.", 87, 403, "req_011")
    finish_test_call(call, result)

    page = text_of(owner.get(path))

    assert "No permission Check its permissions there. 87 ms – req_011" in page


def test_each_version_is_told_by_its_own_newest_check(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str
) -> None:
    finish_checks()
    later = timezone.now() + timedelta(minutes=1)
    many = [
        TestCall(version=draft, kind="check", state="done", outcome="no_credit", queued_at=later) for _ in range(30)
    ]
    TestCall.objects.bulk_create(many)

    rows = owner.get(path).context["versions"]

    assert [row.check.word for row in rows] == ["No credit", "Working"]


def test_a_page_with_many_checks_asks_the_same_number_of_queries(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str
) -> None:
    with CaptureQueriesContext(connection) as before:
        owner.get(path)
    TestCall.objects.bulk_create(TestCall(version=draft, kind="check") for _ in range(9))

    with CaptureQueriesContext(connection) as after:
        owner.get(path)

    assert len(after) == len(before)


@pytest.mark.parametrize(
    "page", ["", "edit/", "rotate/", "delete/", "connected/", "versions/1/switch/", "versions/1/revoke/"]
)
def test_no_page_of_a_key_shows_its_secret(owner: Client, key: ProviderKey, path: str, page: str) -> None:
    assert PLAINTEXT[-5:].encode() not in owner.get(path + page).content


# Checks and messages


def test_check_queues_a_call_with_the_version_in_use(owner: Client, draft: KeyVersion, path: str) -> None:
    TestCall.objects.all().delete()

    owner.post(path + "check/")

    call = TestCall.objects.get()
    assert (call.kind, call.version.number) == ("check", 1)


def test_a_draft_can_be_checked_too(owner: Client, draft: KeyVersion, path: str) -> None:
    TestCall.objects.all().delete()

    owner.post(path + "check/", {"version": "2"})

    assert TestCall.objects.get().version == draft


def test_a_version_that_does_not_exist_is_not_found(owner: Client, path: str) -> None:
    assert owner.post(path + "check/", {"version": "9"}).status_code == 404


def test_a_revoked_version_is_not_checked(owner: Client, key: ProviderKey, path: str) -> None:
    revoke_version(key.versions.get(), actor=None)

    answer = owner.post(path + "check/", follow=True)

    assert "No version is in use." in text_of(answer)


def test_a_message_goes_to_the_chosen_model(owner: Client, path: str) -> None:
    sync_catalog()

    owner.post(path + "message/", {"model": "claude-sonnet-4-6"})

    call = TestCall.objects.get(kind="message")
    assert call.model == "claude-sonnet-4-6"


def test_a_message_to_a_model_of_no_provider_is_refused(owner: Client, path: str) -> None:
    sync_catalog()

    answer = owner.post(path + "message/", {"model": "gpt-9"}, follow=True)

    assert "Choose a model of this provider" in text_of(answer)
    assert not TestCall.objects.filter(kind="message").exists()


# Edit


def test_edit_changes_name_order_weight_rotation_and_notes(owner: Client, key: ProviderKey, path: str) -> None:
    fields = {"name": "Renamed", "order": 3, "weight": 5, "rotate_every_days": 90, "notes": "Finance pays."}

    owner.post(path + "edit/", edit_fields(**fields))

    assert ProviderKey.objects.values(*fields).get() == fields


def test_edit_keeps_the_secret(owner: Client, key: ProviderKey, path: str) -> None:
    owner.post(path + "edit/", edit_fields(name="Renamed"))

    version = KeyVersion.objects.select_related("provider_key").get()
    assert keyring().open(version.sealed, version.seal_context).reveal() == PLAINTEXT


def test_a_new_origin_asks_for_the_secret_at_its_field(owner: Client, key: ProviderKey, path: str) -> None:
    answer = owner.post(path + "edit/", edit_fields(base_url=PROXY))

    assert "Paste the API key again" in " ".join(answer.context["form"].errors["secret"])
    assert ProviderKey.objects.get().base_url == ""


def test_a_new_origin_with_the_secret_moves_the_key(owner: Client, key: ProviderKey, path: str) -> None:
    owner.post(path + "edit/", edit_fields(base_url=PROXY, secret=NEW_PLAINTEXT))

    assert ProviderKey.objects.get().base_url == PROXY
    assert states(key) == {1: "revoked", 2: "active"}


def test_the_providers_own_address_written_out_can_be_moved_to(owner: Client, key: ProviderKey, path: str) -> None:
    fields = edit_fields(base_url="https://api.anthropic.com", secret=NEW_PLAINTEXT)

    owner.post(path + "edit/", fields)

    assert ProviderKey.objects.get().base_url == "https://api.anthropic.com"


def test_a_secret_that_is_not_needed_is_not_swallowed(owner: Client, key: ProviderKey, path: str) -> None:
    answer = owner.post(path + "edit/", edit_fields(secret=NEW_PLAINTEXT))

    assert "use Rotate" in " ".join(answer.context["form"].errors["secret"])
    assert NEW_PLAINTEXT.encode() not in answer.content


def test_a_name_that_is_taken_is_refused_at_its_field(owner: Client, workspace: Workspace, path: str) -> None:
    make_provider_key(workspace, name="Taken", plaintext=NEW_PLAINTEXT)

    answer = owner.post(path + "edit/", edit_fields(name="Taken"))

    assert "exists already" in " ".join(answer.context["form"].errors["name"])


# Disable, delete


def test_a_key_is_disabled_and_enabled(owner: Client, key: ProviderKey, path: str) -> None:
    owner.post(path + "disable/")
    assert ProviderKey.objects.get().enabled is False

    owner.post(path + "enable/")
    assert ProviderKey.objects.get().enabled is True


def test_delete_wants_the_name(owner: Client, key: ProviderKey, path: str) -> None:
    answer = owner.post(path + "delete/", {"name": "Prod"})

    assert "This is not its name." in " ".join(answer.context["form"].errors["name"])
    assert ProviderKey.objects.get().deleted_at is None


def test_delete_wipes_the_secrets_and_keeps_the_row(owner: Client, key: ProviderKey, path: str) -> None:
    owner.post(path + "delete/", {"name": "Production"})

    assert ProviderKey.objects.get().deleted_at is not None
    assert bytes(KeyVersion.objects.get().ciphertext) == b""


def test_a_deleted_key_is_not_found(owner: Client, key: ProviderKey, path: str) -> None:
    owner.post(path + "delete/", {"name": "Production"})

    assert owner.get(path).status_code == 404


def test_delete_says_how_many_requests_would_fail(owner: Client, key: ProviderKey, path: str) -> None:
    for hours_ago in (1, 2, 30):
        at = timezone.now() - timedelta(hours=hours_ago)
        record(make_record(key.workspace, at=at, provider_key=key.pk))

    assert "2 requests in the last 24 h would fail." in text_of(owner.get(path + "delete/"))


def test_delete_says_where_another_key_would_help(owner: Client, key: ProviderKey, path: str) -> None:
    make_provider_key(key.workspace, name="Second", plaintext=NEW_PLAINTEXT)
    record(make_record(key.workspace, at=timezone.now(), provider_key=key.pk))

    page = text_of(owner.get(path + "delete/"))

    assert "1 request in the last 24 h would fail, unless another key of Anthropic takes them." in page


def test_a_key_deleted_meanwhile_is_told_on_the_list(
    owner: Client, key: ProviderKey, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(key: ProviderKey, **options: Any) -> ProviderKey:
        delete_provider_key(key, actor=None)
        return set_provider_key_enabled(key, **options)

    monkeypatch.setattr(detail, "set_provider_key_enabled", overtaken)

    answer = owner.post(path + "enable/", follow=True)

    assert answer.redirect_chain == [(LIST, 302)]
    assert "“Production” was deleted meanwhile." in text_of(answer)


# Rotate


def test_a_new_secret_waits_as_a_draft_and_is_checked(owner: Client, key: ProviderKey, path: str) -> None:
    TestCall.objects.all().delete()

    owner.post(path + "rotate/", {"secret": NEW_PLAINTEXT})

    assert states(key) == {1: "active", 2: "draft"}
    assert TestCall.objects.get().version.number == 2


def test_rotating_to_the_same_secret_is_warned_of(owner: Client, key: ProviderKey, path: str) -> None:
    answer = owner.post(path + "rotate/", {"secret": PLAINTEXT})

    assert "This very secret is stored already: Production , version 1" in text_of(answer)
    assert states(key) == {1: "active"}


def test_a_refused_secret_is_not_echoed(owner: Client, path: str) -> None:
    answer = owner.post(path + "rotate/", {"secret": "sk-ant-admin01-0123456789012345678901"})

    assert "Anthropic Admin key" in text_of(answer)
    assert b"0123456789012345678901" not in answer.content


@pytest.mark.parametrize(("grace", "hours"), [("1", 1), ("24", 24), ("168", 168)])
def test_the_switch_keeps_the_old_version_as_fallback(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str, grace: str, hours: int
) -> None:
    owner.post(path + "versions/2/switch/", {"grace": grace})

    old = key.versions.get(number=1)
    assert states(key) == {1: "draining", 2: "active"}
    new = key.versions.get(number=2)
    assert old.draining_until - new.promoted_at == timedelta(hours=hours)


def test_the_switch_can_end_the_old_version_at_once(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str
) -> None:
    owner.post(path + "versions/2/switch/", {"grace": "0"})

    assert states(key) == {1: "revoked", 2: "active"}


def test_the_switch_warns_unless_the_check_is_green(owner: Client, draft: KeyVersion, path: str) -> None:
    finish_checks(Outcome.INVALID_CREDENTIAL, "The provider does not know this key.")

    page = text_of(owner.get(path + "versions/2/switch/"))

    assert "The check of this version is not green: Refused." in page


def test_the_switch_does_not_warn_when_it_is(owner: Client, draft: KeyVersion, path: str) -> None:
    finish_checks()

    page = text_of(owner.get(path + "versions/2/switch/"))

    assert "not green" not in page
    assert "Checked in 9 ms." in page


def test_a_grace_that_is_not_offered_is_refused(owner: Client, key: ProviderKey, draft: KeyVersion, path: str) -> None:
    answer = owner.post(path + "versions/2/switch/", {"grace": "9999"})

    assert answer.status_code == 422
    assert states(key) == {1: "active", 2: "draft"}


def test_one_click_switches_back(owner: Client, key: ProviderKey, draft: KeyVersion, path: str) -> None:
    owner.post(path + "versions/2/switch/", {"grace": "24"})

    owner.post(path + "versions/1/switch/", {"grace": "24"})

    assert states(key) == {1: "active", 2: "draining"}


def test_the_fallback_can_be_ended_before_its_time(
    owner: Client, key: ProviderKey, draft: KeyVersion, path: str
) -> None:
    owner.post(path + "versions/2/switch/", {"grace": "24"})

    owner.post(path + "versions/1/revoke/")

    assert states(key) == {1: "revoked", 2: "active"}


def test_a_revoked_version_cannot_be_switched_to(owner: Client, key: ProviderKey, draft: KeyVersion, path: str) -> None:
    revoke_version(draft, actor=None)

    answer = owner.post(path + "versions/2/switch/", {"grace": "24"}, follow=True)

    assert "This version was revoked." in text_of(answer)
    assert states(key)[1] == "active"


def test_revoking_the_version_in_use_says_what_that_means(owner: Client, path: str) -> None:
    page = text_of(owner.get(path + "versions/1/revoke/"))

    assert "requests with this key fail until you rotate" in page


def test_a_dialogs_form_takes_the_whole_page_along(owner: Client, key: ProviderKey, path: str) -> None:
    answer = post_by_htmx(owner, path + "rotate/", {"secret": NEW_PLAINTEXT})

    assert answer.headers["HX-Redirect"] == path


def test_rotating_a_simulated_key_asks_for_nothing_and_makes_a_new_secret(owner: Client, workspace: Workspace) -> None:
    key = make_provider_key(workspace, provider="simulated", plaintext="sk-ant-sim-acme")
    path = f"/w/acme/byok/{key.pk}/rotate/"

    page = owner.get(path)
    owner.post(path)

    assert b'name="secret"' not in page.content
    assert "There is no key to paste" in text_of(page)
    first, second = key.versions.order_by("number")
    assert (second.state, second.fingerprint != first.fingerprint) == ("draft", True)


# Set aside


@pytest.fixture
def set_aside_until(key: ProviderKey) -> datetime:
    """The end of what is noted of the key: refused for all models, and one model not enabled."""
    until = timezone.now() + timedelta(hours=1)
    note_set_aside(key.pk, 1, "", Outcome.INVALID_CREDENTIAL, "Anthropic does not accept this key.", until)
    note_set_aside(key.pk, 1, "claude-opus-4-6", Outcome.NO_PERMISSION, "Not enabled for it.", until)
    return until


@pytest.mark.parametrize("page", [LIST, ""])
def test_what_is_set_aside_says_why_for_which_model_and_until_when(
    owner: Client, key: ProviderKey, path: str, page: str, set_aside_until: datetime
) -> None:
    text = text_of(owner.get(page or path))

    assert "Set aside: refused Anthropic does not accept this key." in text
    assert "For all models, version 1, since" in text
    assert "Set aside: no permission Not enabled for it. For claude-opus-4-6 only, version 1, since" in text
    assert "Use again now" in text


def test_a_set_aside_whose_time_is_up_waits_for_the_next_request(
    owner: Client, path: str, set_aside_until: datetime
) -> None:
    SetAside.objects.update(until=timezone.now())

    assert "tried again with the next request" in text_of(owner.get(path))


def test_a_key_set_aside_for_one_model_still_works(owner: Client, key: ProviderKey, path: str) -> None:
    note_set_aside(key.pk, 1, "claude-opus-4-6", Outcome.NO_PERMISSION, "", timezone.now() + timedelta(hours=1))

    assert owner.get(path).context["row"].state.status.word == "Queued"


def test_use_again_now_ends_it_at_once(owner: Client, key: ProviderKey, path: str, set_aside_until: datetime) -> None:
    answer = owner.post(path + "use-again/", follow=True)

    assert not key.set_asides.exists()
    assert "is used again" in text_of(answer)


def test_a_disabled_keys_page_does_not_speak_of_it(
    owner: Client, key: ProviderKey, path: str, set_aside_until: datetime
) -> None:
    owner.post(path + "disable/")

    assert "Set aside" not in text_of(owner.get(path))


def test_the_overview_tells_what_is_set_aside(
    owner: Client, workspace: Workspace, key: ProviderKey, set_aside_until: datetime
) -> None:
    record(make_record(workspace, at=timezone.now(), provider_key=key.pk))

    text = text_of(owner.get("/w/acme/overview/"))

    assert "Provider key Production is left out for all models. Set aside: refused. Anthropic does not" in text
    assert text.count("Provider key Production") == 1
