"""Test calls against a provider on a socket: each way they can end, and that none is lost or made twice."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from catalog.services import sync_catalog
from keys import sending, services
from keys.models import KeyVersion, ProviderKey, TestCall
from keys.services import (
    TEST_CALL_LOST_AFTER,
    claim_test_call,
    finish_test_call,
    perform_test_call,
    publish_waiting_test_calls,
    request_test_call,
)
from keys.tasks import publish_waiting, run_test_call
from providers.base import Outcome
from teams.models import Workspace
from tests.factories import PLAINTEXT, make_provider_key
from tests.stub import Reply, Stub, counts_of
from tests.stub_fixtures import stub
from usage.models import Attempt, Rollup

__all__ = ["stub"]

MODEL = "claude-sonnet-4-6"
Kind, State = TestCall.Kind, TestCall.State


@pytest.fixture
def version(workspace: Workspace, stub: Stub, settings: Any) -> KeyVersion:
    settings.ALLOWED_ORIGINS = frozenset([stub.origin])
    version = make_provider_key(workspace, base_url=stub.origin).versions.get()
    # The check of saving has its own test.
    TestCall.objects.all().delete()
    return version


def run(version: KeyVersion, kind: Kind = Kind.CHECK, model: str = "") -> TestCall:
    call = request_test_call(version, kind=kind, actor=None, model=model)
    run_test_call(str(call.pk))
    call.refresh_from_db()
    return call


# How they end


def test_a_check_lists_models_with_the_stored_key(version: KeyVersion, stub: Stub) -> None:
    call = run(version)

    [seen] = stub.requests
    assert (seen.method, seen.path, seen.headers["x-api-key"]) == ("GET", "/v1/models?limit=1000", PLAINTEXT)
    assert (call.state, call.outcome, call.upstream_request_id) == (State.DONE, Outcome.OK, seen.attempt_id)
    assert call.message == f"Checked in {call.latency_ms} ms; 1 models available."


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply.of_error(401, "authentication_error", "invalid x-api-key"), Outcome.INVALID_CREDENTIAL),
        (Reply.of_error(403, "permission_error", "Your key may not."), Outcome.NO_PERMISSION),
        (Reply.of_error(404, "not_found_error", "model: claude-x"), Outcome.MODEL_NOT_AVAILABLE),
        (Reply.of_error(400, "invalid_request_error", "Your credit balance is too low."), Outcome.NO_CREDIT),
        (Reply.of_error(429, "rate_limit_error", "Slow down."), Outcome.RATE_LIMITED),
        (Reply.of_error(529, "overloaded_error", "Overloaded"), Outcome.OVERLOADED),
        (Reply.of_error(500, "api_error", "Internal server error"), Outcome.PROVIDER_ERROR),
        (Reply(503, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), Outcome.PROVIDER_ERROR),
        (Reply.of_error(504, "timeout_error", "Timed out"), Outcome.TIMEOUT),
        (Reply.of_error(400, "invalid_request_error", "No."), Outcome.INVALID_REQUEST),
        (Reply(302, {"location": "https://evil.test/"}), Outcome.MISCONFIGURED),
        (Reply(200, {"content-type": "text/html"}, b"<h1>It works!</h1>"), Outcome.MISCONFIGURED),
        (Reply.of_json({"data": "not a list"}), Outcome.MISCONFIGURED),
        (Reply(cut_after=-1), Outcome.UNREACHABLE),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else str(value),
)
@pytest.mark.parametrize("kind", Kind)
def test_each_failure_has_its_outcome_and_says_what_to_do(
    version: KeyVersion, stub: Stub, reply: Reply, outcome: Outcome, kind: Kind
) -> None:
    stub.replies.append(reply)

    call = run(version, kind, MODEL if kind == Kind.MESSAGE else "")

    assert (call.state, call.outcome) == (State.DONE, outcome)
    assert len(stub.requests) == 1
    assert call.message.endswith(".")
    assert PLAINTEXT not in call.message


def test_a_provider_that_never_answers_times_out(
    version: KeyVersion, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "STEP_TIMEOUT_S", 0.2)
    stub.replies.append(Reply(stall_after=-1))

    assert run(version).outcome == Outcome.TIMEOUT


def test_an_address_where_nobody_listens_is_unreachable(workspace: Workspace, settings: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
        settings.ALLOWED_ORIGINS = frozenset([origin])

        call = run(make_provider_key(workspace, base_url=origin).versions.get())

    assert call.outcome == Outcome.UNREACHABLE
    assert origin in call.message


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda version: {"ciphertext": bytes(version.ciphertext)[:-1]}, id="ciphertext"),
        pytest.param(lambda version: {"master_key_id": "gone"}, id="master key"),
    ],
)
def test_a_secret_that_does_not_open_is_said_and_nothing_is_sent(
    version: KeyVersion, stub: Stub, damage: Callable[[KeyVersion], dict[str, Any]]
) -> None:
    KeyVersion.objects.filter(pk=version.pk).update(**damage(version))

    call = run(KeyVersion.objects.get(pk=version.pk))

    assert call.outcome == Outcome.MISCONFIGURED
    assert stub.requests == []


def test_a_key_moved_past_the_services_is_not_sent_to_the_new_origin(version: KeyVersion, stub: Stub) -> None:
    with Stub() as thief:
        ProviderKey.objects.update(base_url=thief.origin)

        call = run(KeyVersion.objects.get(pk=version.pk))

    assert call.outcome == Outcome.MISCONFIGURED
    assert thief.requests == stub.requests == []


def test_no_proxy_of_the_environment_sees_a_key(
    version: KeyVersion, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stub() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.setenv("no_proxy", "")

        call = run(version)

    assert call.outcome == Outcome.OK
    assert proxy.requests == []


# Messages


def test_a_message_is_a_ledger_row_of_kind_test(version: KeyVersion, stub: Stub) -> None:
    sync_catalog()

    call = run(version, Kind.MESSAGE, MODEL)

    [seen] = stub.requests
    counts = counts_of(seen.attempt_id)
    row = Attempt.objects.get()
    assert (row.kind, row.state, row.certainty, row.status, row.final) == ("test", "settled", "exact", 200, True)
    assert (row.request_id, row.upstream_request_id) == (str(call.pk), seen.attempt_id)
    assert (row.provider_key_id, row.provider_key_version, row.gateway_key_id) == (version.provider_key_id, 1, None)
    assert (row.provider, row.model, row.model_asked) == ("anthropic", MODEL, f"anthropic/{MODEL}")
    assert {name: getattr(row, name) for name in counts} == counts
    assert row.cost_nano > 0
    assert not row.is_unpriced


def test_a_message_counts_under_the_models_own_name(version: KeyVersion) -> None:
    sync_catalog()

    run(version, Kind.MESSAGE, "claude-opus-4-5-20251101")

    row = Attempt.objects.get()
    assert (row.model, row.model_asked) == ("claude-opus-4-5", "anthropic/claude-opus-4-5-20251101")


def test_a_message_shows_its_tokens(version: KeyVersion, stub: Stub) -> None:
    call = run(version, Kind.MESSAGE, MODEL)

    counts = counts_of(stub.requests[0].attempt_id)
    assert call.output_tokens == counts.pop("output_tokens")
    assert call.input_tokens == sum(counts.values())


def test_a_message_counts_in_the_rollup_once(version: KeyVersion, stub: Stub) -> None:
    run(version, Kind.MESSAGE, MODEL)

    rollup = Rollup.objects.get()
    assert (rollup.kind, rollup.requests) == ("test", 1)
    assert rollup.output_tokens == counts_of(stub.requests[0].attempt_id)["output_tokens"]


def test_a_message_that_was_refused_is_a_row_without_tokens(version: KeyVersion, stub: Stub) -> None:
    stub.replies.append(Reply.of_error(429, "rate_limit_error", "Slow down."))

    run(version, Kind.MESSAGE, MODEL)

    row = Attempt.objects.get()
    assert (row.state, row.status, row.error_code) == ("settled", 429, "rate_limited")
    assert row.output_tokens is None


def test_a_message_answered_without_usage_is_not_known(version: KeyVersion, stub: Stub) -> None:
    stub.replies.append(Reply.of_json({"type": "message", "model": MODEL, "usage": {}}))

    run(version, Kind.MESSAGE, MODEL)

    assert Attempt.objects.get().certainty == "unknown"


def test_a_message_never_answered_may_have_used_tokens(
    version: KeyVersion, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "STEP_TIMEOUT_S", 0.2)
    stub.replies.append(Reply(stall_after=-1))

    run(version, Kind.MESSAGE, MODEL)

    row = Attempt.objects.get()
    assert (row.error_code, row.certainty) == ("timeout", "unknown")


def test_a_check_is_no_ledger_row(version: KeyVersion) -> None:
    run(version)

    assert not Attempt.objects.exists()


# Once, whatever happens to messages and workers


def test_running_twice_calls_once(version: KeyVersion, stub: Stub) -> None:
    call = run(version, Kind.MESSAGE, MODEL)

    run_test_call(str(call.pk))

    assert len(stub.requests) == Attempt.objects.count() == 1


def test_a_call_is_claimed_by_one_worker(version: KeyVersion) -> None:
    call = request_test_call(version, kind=Kind.CHECK, actor=None)

    assert claim_test_call(str(call.pk)) is not None
    assert claim_test_call(str(call.pk)) is None


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the test calls that workers are told about."""
    ids: list[str] = []
    monkeypatch.setattr(services, "publish_test_call", lambda call: ids.append(str(call.pk)))
    return ids


def test_a_call_is_published_after_its_row_is_there(
    version: KeyVersion, published: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        call = request_test_call(version, kind=Kind.CHECK, actor=None)
        assert published == []

    assert published == [str(call.pk)]


def test_saving_a_key_publishes_its_check(
    workspace: Workspace, published: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        make_provider_key(workspace)

    assert published == [str(TestCall.objects.get().pk)]


def test_a_broker_that_is_away_loses_no_call(
    version: KeyVersion,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("redis://user:password@broker/ is away")

    monkeypatch.setattr(services.current_app, "send_task", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        call = request_test_call(version, kind=Kind.CHECK, actor=None)

    call.refresh_from_db()
    assert call.state == State.QUEUED
    assert f"Test call {call.pk} waits for the broker: ConnectionError" in caplog.text
    assert "password" not in caplog.text


def test_a_call_whose_message_was_lost_is_published_again(version: KeyVersion, published: list[str]) -> None:
    call = request_test_call(version, kind=Kind.CHECK, actor=None)
    assert publish_waiting_test_calls() == 0
    TestCall.objects.update(queued_at=timezone.now() - timedelta(seconds=15))

    publish_waiting()

    assert published == [str(call.pk)]


def test_a_call_whose_worker_died_is_published_again(version: KeyVersion, published: list[str], stub: Stub) -> None:
    call = request_test_call(version, kind=Kind.CHECK, actor=None)
    claim_test_call(str(call.pk))
    long_ago = timezone.now() - TEST_CALL_LOST_AFTER
    TestCall.objects.update(queued_at=long_ago, started_at=long_ago)

    assert publish_waiting_test_calls() == 1

    run_test_call(published[0])
    call.refresh_from_db()
    assert call.outcome == Outcome.OK


def test_a_call_that_is_running_is_left_alone(version: KeyVersion, published: list[str]) -> None:
    call = request_test_call(version, kind=Kind.CHECK, actor=None)
    TestCall.objects.update(queued_at=timezone.now() - TEST_CALL_LOST_AFTER)
    claim_test_call(str(call.pk))

    assert publish_waiting_test_calls() == 0
    assert published == []


def test_a_call_that_is_done_is_left_alone(version: KeyVersion, published: list[str]) -> None:
    run(version)
    TestCall.objects.update(queued_at=timezone.now() - 2 * TEST_CALL_LOST_AFTER)

    assert publish_waiting_test_calls() == 0


def test_a_long_request_id_is_cut_to_its_column(version: KeyVersion, stub: Stub) -> None:
    stub.replies.append(Reply.of_json({"data": []}, headers={"request-id": "r" * 300}))

    assert run(version).upstream_request_id == "r" * 200


def test_what_was_found_can_be_stored_again(version: KeyVersion) -> None:
    call = request_test_call(version, kind=Kind.CHECK, actor=None)
    claimed = claim_test_call(str(call.pk))
    assert claimed is not None
    result = perform_test_call(claimed)

    first = finish_test_call(claimed, result)
    again = finish_test_call(claimed, result)

    assert first.outcome == again.outcome == Outcome.OK
