"""A request's page: what served it and why the others did not, live while it runs, and what was said where stored."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from catalog.queries import price_table
from catalog.services import sync_catalog
from keys.models import PromptKey
from providers.base import TokenCounts
from teams.models import AuditEvent, GatewayKey, Role, User, Workspace
from tests.factories import make_gateway_key, make_member, make_provider_key
from tests.pages import signed_in, text_of
from tests.usage.exchanges import keep
from tests.usage.samples import NOON, make_opened, make_record, record
from usage.models import Attempt
from usage.prompt_storage import set_prompt_storage
from usage.records import AttemptRecord, microseconds_of, uuid7
from usage.services import record_attempts
from usage.templatetags.usage_numbers import exact_money

REQUEST = "a-request"
FAILED: dict[str, Any] = {
    "status": 529,
    "error_code": "provider_overloaded",
    "final": False,
    "counts": TokenCounts(),
    "ttft_ms": None,
    "upstream_request_id": "req_first",
}


def page(request_id: str = REQUEST, *, name: str = "request_detail") -> str:
    return reverse(f"usage:{name}", args=["acme", request_id])


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def fallen_back(workspace: Workspace) -> Workspace:
    """A request that met an overloaded provider and was then served by Bedrock in Europe."""
    now = timezone.now() - timedelta(minutes=1)
    aws = make_provider_key(workspace, name="Bedrock EU").pk
    record(
        make_record(workspace, at=now, request_id=REQUEST, queue_ms=2, settled=FAILED),
        make_record(
            workspace,
            at=now + timedelta(milliseconds=900),
            request_id=REQUEST,
            attempt=2,
            provider="aws",
            region="eu-central-1",
            provider_key=aws,
            queue_ms=900,
            stream=True,
            settled={"connect_ms": 31, "first_byte_ms": 95},
        ),
    )
    return workspace


def test_what_to_do_about_a_refused_key_is_said_once(client: Client, workspace: Workspace) -> None:
    refused = FAILED | {"status": 403, "error_code": "provider_credential_invalid"}
    for number in range(1, 4):
        last = {"final": number == 3}
        record(make_record(workspace, request_id=REQUEST, attempt=number, settled=refused | last))

    told = text_of(client.get(page()))

    assert told.count("its account has no credit: its page under BYOK says which.") == 1
    assert told.count("The provider refused our key, or its account.") == 4


def test_attempts_say_why_the_next_one_followed(client: Client, fallen_back: Workspace) -> None:
    told = text_of(client.get(page()))

    assert "2 attempts" in told
    assert "The provider was overloaded." in told
    assert "Fallback: aws/claude-sonnet-4-6 was tried next." in told
    assert "It answered the request." in told
    assert "Served by aws/claude-sonnet-4-6, eu-central-1" in told
    assert "provider key Bedrock EU v1" in told


def test_status_is_said_to_be_the_providers(client: Client, fallen_back: Workspace) -> None:
    told = text_of(client.get(page()))

    assert "Request Provider: 200" in told
    assert "1 Provider: 529" in told


def test_times_stand_as_numbers_beside_the_bars(client: Client, fallen_back: Workspace) -> None:
    answer = client.get(page())

    assert "2 486 ms 31 ms 95 ms 120 ms 412 ms Counted" in text_of(answer)
    assertContains(answer, 'data-phase="connect"')


def test_failed_attempt_used_nothing_and_is_not_called_counted(client: Client, fallen_back: Workspace) -> None:
    told = text_of(client.get(page()))

    assert "412 ms None used" in told


def test_ids_can_be_copied(client: Client, fallen_back: Workspace) -> None:
    answer = client.get(page())

    for attempt in Attempt.objects.all():
        assertContains(answer, f'data-copies="upstream-{attempt.pk}"')
    assertContains(answer, 'data-copies="trace-id"')


def test_nothing_on_the_page_needs_a_style_attribute(client: Client, fallen_back: Workspace) -> None:
    assertNotContains(client.get(page()), "style=")


def test_rates_are_those_of_the_price_that_was_charged(client: Client, workspace: Workspace) -> None:
    sync_catalog()
    counts = TokenCounts(
        uncached_input=100, cache_read_input=0, cache_write_5m_input=0, cache_write_1h_input=0, output=10
    )
    record_attempts([make_record(workspace, request_id=REQUEST, settled={"counts": counts})])

    told = text_of(client.get(page()))

    price = price_table().at("anthropic", "claude-sonnet-4-6", NOON)
    rate = price.base.uncached_input
    assert rate is not None
    assert f"Uncached input 100 {exact_money(rate)} {exact_money(100 * rate / 1_000_000)}" in told
    assert "Nothing was cached: 100 input tokens are fewer than the" in told
    assert f"({price.source})" in told


def test_unknown_usage_is_not_a_zero(client: Client, workspace: Workspace) -> None:
    unknown = {"certainty": "unknown", "status": None, "error_code": "gateway_stopped", "counts": TokenCounts()}
    record(make_record(workspace, request_id=REQUEST, settled=unknown))

    told = text_of(client.get(page()))

    assert "Cost Not known" in told
    assert "412 ms Not known" in told
    assert "$0.00" not in told


def test_part_of_the_cost_that_is_not_known_is_said(client: Client, workspace: Workspace) -> None:
    timed_out = {**FAILED, "certainty": "unknown", "status": None, "error_code": "provider_timeout"}
    record(
        make_record(workspace, request_id=REQUEST, settled=timed_out),
        make_record(workspace, request_id=REQUEST, attempt=2),
    )

    assert "Cost of all attempts $0.00228, and what is not known of the rest" in text_of(client.get(page()))


def is_followed(client: Client) -> bool:
    return 'hx-trigger="every 1s"' in client.get(page()).content.decode()


def test_page_follows_a_request_in_flight(client: Client, workspace: Workspace) -> None:
    record(AttemptRecord(make_opened(workspace, at=timezone.now(), request_id=REQUEST)))

    assert is_followed(client)
    assert "This page follows it." in text_of(client.get(page()))


def test_page_follows_a_request_between_two_attempts(client: Client, workspace: Workspace) -> None:
    record(make_record(workspace, at=timezone.now() - timedelta(seconds=10), request_id=REQUEST, settled=FAILED))

    assert is_followed(client)


def test_page_rests_once_the_request_is_over(client: Client, fallen_back: Workspace) -> None:
    assert not is_followed(client)


def test_page_does_not_wait_for_ever(client: Client, workspace: Workspace) -> None:
    record(AttemptRecord(make_opened(workspace, at=timezone.now() - timedelta(hours=1), request_id=REQUEST)))

    assert not is_followed(client)


def new_id(*, seconds_ago: float = 0) -> str:
    return uuid7(microseconds_of(timezone.now() - timedelta(seconds=seconds_ago))).hex


def test_new_id_is_waited_for(client: Client, workspace: Workspace) -> None:
    answer = client.get(page(new_id()))

    assertContains(answer, "Waiting for it to be counted…")
    assertContains(answer, 'hx-trigger="load delay:1s"')


def test_new_id_of_others_is_waited_for_as_any(
    client: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    theirs, nobodys = new_id(), new_id()
    record(AttemptRecord(make_opened(other_workspace, at=timezone.now(), request_id=theirs)))

    assert text_of(client.get(page(theirs))).replace(theirs[:19], nobodys[:19]) == text_of(client.get(page(nobodys)))


@pytest.mark.parametrize(
    "request_id", [new_id(seconds_ago=6), new_id(seconds_ago=-3600), uuid4().hex, "f" * 12 + "7" * 20]
)
def test_other_ids_are_not_waited_for(client: Client, workspace: Workspace, request_id: str) -> None:
    assert client.get(page(request_id)).status_code == 404


def test_waiting_in_vain_ends_with_the_page_that_is_not_there(client: Client, workspace: Workspace) -> None:
    answer = client.get(page(new_id(seconds_ago=6)), headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (404, "true")


def test_list_shows_what_served_and_after_how_many_attempts(client: Client, fallen_back: Workspace) -> None:
    told = text_of(client.get(reverse("usage:requests", args=["acme"])))

    assert "2 attempts" in told
    assert "anthropic/claude-sonnet-4-6 → aws/claude-sonnet-4-6" in told
    assert "eu-central-1" in told


# What was said


@pytest.fixture
def storing(workspace: Workspace) -> Workspace:
    return set_prompt_storage(workspace, store=True, retention_days=7, actor=None)


def said(workspace: Workspace, *, owner: User | None = None, **fields: Any) -> GatewayKey:
    """Record a request of a gateway key of ``owner``, with its prompt and answer stored."""
    key = make_gateway_key(workspace, name=f"key of {owner}", owner=owner).key
    record(make_record(workspace, at=timezone.now(), request_id=REQUEST, gateway_key=key.pk))
    keep(workspace, request_id=REQUEST, gateway_key=key.pk, **fields)
    return key


def test_stored_prompt_is_shown_when_asked_for_and_the_look_is_audited(
    client: Client, storing: Workspace, alice: User
) -> None:
    said(storing)
    assertNotContains(client.get(page()), "a question")
    assert not AuditEvent.objects.filter(action="prompt.read").exists()

    answer = client.post(page(name="request_prompt"))

    assertContains(answer, "a question")
    assertContains(answer, "an answer")
    assert answer.headers["Cache-Control"].find("no-store") >= 0
    assert AuditEvent.objects.get(action="prompt.read").actor == alice.email


def test_prompt_is_not_shown_by_a_get(client: Client, storing: Workspace) -> None:
    said(storing)

    assert client.get(page(name="request_prompt")).status_code == 405


def test_what_was_said_is_text_and_never_markup(client: Client, storing: Workspace) -> None:
    said(storing, asked=b'{"content": "<script>alert(1)</script>"}', answered=b"<img src=x onerror=alert(2)>")

    answer = client.post(page(name="request_prompt"))

    assertNotContains(answer, "<script>alert(1)")
    assertNotContains(answer, "<img src=x")
    assertContains(answer, "&lt;img src=x")


def test_stream_is_shown_as_the_text_it_said(client: Client, storing: Workspace) -> None:
    event = 'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}'
    said(storing, answered="\n\n".join([event % "Hel", event % "lo!", ""]).encode())

    told = text_of(client.post(page(name="request_prompt")))

    assert "Hello!" in told
    assert "All events as they were sent" in told


def test_cut_side_says_so(client: Client, storing: Workspace) -> None:
    said(storing, is_answer_cut=True)

    assert "of which the first 1 MB is stored" in text_of(client.post(page(name="request_prompt")))


def test_developer_reads_the_prompts_of_own_keys_only(storing: Workspace, bob: User, alice: User) -> None:
    said(storing, owner=alice)

    assert signed_in(bob).get(page()).status_code == 404
    assert signed_in(bob).post(page(name="request_prompt")).status_code == 404
    assert not AuditEvent.objects.filter(action="prompt.read").exists()


def test_developer_reads_an_own_prompt(storing: Workspace, bob: User) -> None:
    said(storing, owner=bob)

    assertContains(signed_in(bob).get(page()), "Show prompt and answer")
    assertContains(signed_in(bob).post(page(name="request_prompt")), "a question")


def test_viewer_reads_no_prompt_even_of_a_key_of_earlier_days(storing: Workspace) -> None:
    viewer = make_member(storing, "v@example.com", Role.VIEWER)
    said(storing, owner=viewer)

    assert signed_in(viewer).get(page()).status_code == 403
    assert signed_in(viewer).post(page(name="request_prompt")).status_code == 403


def test_prompt_of_another_tenant_does_not_exist(storing: Workspace, mallory: User) -> None:
    said(storing)

    assert signed_in(mallory).post(page(name="request_prompt")).status_code == 404
    assert signed_in(mallory).post(reverse("usage:request_prompt", args=["umbrella", REQUEST])).status_code == 404


def test_prompt_whose_key_is_gone_says_so(client: Client, storing: Workspace) -> None:
    said(storing)
    PromptKey.objects.all().delete()

    assert "It cannot be opened. Its key was deleted" in text_of(client.post(page(name="request_prompt")))


def test_prompt_whose_master_key_is_missing_says_so(client: Client, storing: Workspace) -> None:
    said(storing)
    PromptKey.objects.update(master_key_id="lost")

    assert "The master key that seals it is not configured" in text_of(client.post(page(name="request_prompt")))


def test_page_takes_few_queries(
    client: Client, storing: Workspace, django_assert_max_num_queries: "pytest.FixtureRequest"
) -> None:
    said(storing)

    with django_assert_max_num_queries(14):
        client.get(page())
