"""The main job: from a stored key to the same numbers in the answer, the ledger and the rollup."""

import socket
from typing import Any

import pytest

from keys.services import edit_provider_key
from providers.secret import Secret
from tests.router.conftest import PROVIDER_SECRET, Rig, message_body, wait_for
from tests.stub import Reply, counts_of
from usage.models import Rollup

COUNTS = [
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
]


def test_answer_ledger_and_rollup_have_the_same_counts(rig: Rig) -> None:
    response = rig.messages()

    [row] = rig.ledger()
    expected = counts_of(rig.stub.requests[0].attempt_id)
    assert response.status_code == 200
    assert {name: getattr(row, name) for name in COUNTS} == expected
    assert {name: getattr(Rollup.objects.get(), name) for name in COUNTS} == expected


def test_native_answer_keeps_its_bytes(rig: Rig) -> None:
    body = b'{ "type":"message", "usage" : {"input_tokens": 3, "output_tokens": 1}, "new": [1.50, "\\u00e9"] }'
    rig.stub.replies.append(Reply(200, {"content-type": "application/json"}, body))

    assert rig.messages().content == body


def test_provider_gets_the_stored_key_and_not_the_gateway_key(rig: Rig) -> None:
    rig.messages()

    headers = rig.stub.requests[0].headers
    assert headers["x-api-key"] == PROVIDER_SECRET
    assert rig.token not in str(headers)


def test_native_request_changes_only_the_model(rig: Rig) -> None:
    rig.messages(model="anthropic/claude-sonnet-4-6", unknown_field={"model": "untouched"})

    assert rig.stub.requests[0].json == message_body(unknown_field={"model": "untouched"})


def test_unknown_client_headers_pass_on(rig: Rig) -> None:
    rig.post(
        "/v3/anthropic/v1/messages?beta=true",
        message_body(),
        headers={"anthropic-beta": "a-2026-01-01,b-2026-02-02", "x-new-thing": "yes", "cookie": "session=1"},
    )

    headers = rig.stub.requests[0].headers
    assert headers["anthropic-beta"] == "a-2026-01-01,b-2026-02-02"
    assert headers["x-new-thing"] == "yes"
    assert "cookie" not in headers


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "invalid_request_body"),
        (401, "authentication_error", "provider_credential_invalid"),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "api_error", "provider_error"),
        (529, "overloaded_error", "provider_overloaded"),
    ],
)
def test_native_error_passes_unchanged_and_is_explained_in_the_ledger(
    rig: Rig, status: int, kind: str, code: str
) -> None:
    reply = Reply.of_error(status, kind, "What the provider says.")
    rig.stub.replies.append(reply)

    response = rig.messages()

    [row] = rig.ledger()
    assert (response.status_code, response.content) == (status, reply.body)
    assert (row.status, row.error_code, row.certainty, row.output_tokens) == (status, code, "exact", None)


def test_secret_repeated_in_an_error_is_masked(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_error(401, "authentication_error", f"invalid x-api-key {PROVIDER_SECRET}"))

    response = rig.messages()

    assert PROVIDER_SECRET not in response.text
    assert "invalid x-api-key ***" in response.text


def test_secret_repeated_in_a_streams_error_is_masked(rig: Rig) -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": f"upstream refused {PROVIDER_SECRET}"}}
    rig.stub.replies.append(Reply.of_events([error]))

    response = rig.messages(stream=True)

    assert PROVIDER_SECRET not in response.text
    assert "upstream refused ***" in response.text


def test_credential_repeated_in_a_reply_header_stops_here(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_json({"type": "message"}, headers={"x-api-key": PROVIDER_SECRET}))

    response = rig.messages()

    assert "x-api-key" not in response.headers


def test_success_without_usage_is_not_known_rather_than_zero(rig: Rig) -> None:
    rig.stub.replies.append(Reply.of_json({"type": "message", "content": []}))

    rig.messages()

    [row] = rig.ledger()
    assert (row.certainty, row.output_tokens) == ("unknown", None)


def test_stream_counts_equal_the_providers(rig: Rig) -> None:
    response = rig.messages(stream=True)

    [row] = rig.ledger()
    assert response.text.endswith('data: {"type": "message_stop"}\n\n')
    assert {name: getattr(row, name) for name in COUNTS} == counts_of(rig.stub.requests[0].attempt_id)
    assert (row.certainty, row.stream) == ("exact", True)


def test_provider_that_hangs_up_may_have_worked_on_the_request(rig: Rig) -> None:
    rig.stub.replies.append(Reply(cut_after=-1))

    response = rig.messages()

    [row] = rig.ledger()
    assert response.status_code == 502
    assert (row.status, row.error_code, row.certainty) == (None, "provider_error", "unknown")


def test_unreachable_provider_is_a_502_and_used_nothing(rig: Rig, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings.ALLOWED_ORIGINS = frozenset([nowhere])
    edit_provider_key(rig.provider_key, changes={"base_url": nowhere}, secret=Secret(PROVIDER_SECRET), actor=None)

    wait_for(lambda: rig.messages().status_code == 502 or None)

    row = rig.ledger()[-1]
    assert (row.status, row.error_code, row.certainty) == (None, "provider_error", "exact")


def test_answer_that_never_comes_is_not_known_rather_than_free(rig: Rig) -> None:
    rig.stub.replies.append(Reply(stall_after=-1))
    body = {"model": "anthropic/claude-sonnet-4-6", "messages": message_body()["messages"]}

    response = rig.post("/v3/router/chat/completions", body | {"timeout": {"call_timeout": 200}})

    [row] = rig.ledger()
    assert response.status_code == 504
    assert (row.error_code, row.certainty) == ("provider_timeout", "unknown")


def test_answers_are_asked_for_uncompressed(rig: Rig) -> None:
    rig.post("/v3/anthropic/v1/messages", message_body(), headers={"accept-encoding": "gzip, br"})

    assert rig.stub.requests[-1].headers["accept-encoding"] == "identity"


def test_secret_repeated_in_a_header_of_an_error_is_masked(rig: Rig) -> None:
    headers = {"x-debug": f"key={PROVIDER_SECRET}"}
    rig.stub.replies.append(Reply.of_error(401, "authentication_error", "invalid x-api-key", headers=headers))

    assert rig.messages().headers["x-debug"] == "key=***"
