"""Answers that begin with success and hold none: the client is told, others stand in, and the ledger says why."""

from dataclasses import replace

import pytest

from catalog.providers import PROVIDERS
from keys.credentials import read_credentials
from keys.services import create_provider_key
from providers.secret import Secret
from router import upstream
from router.dialects.base import CallOptions, ParsedRequest
from router.request import limits_of
from router.upstream import Timeouts
from simulator.aws_keys import make_access_key
from simulator.eventstream import encode_frame
from tests.router.conftest import Rig, message_body, stub, wait_for
from tests.stub import Reply, Seen, answer_counted

__all__ = ["stub"]

CHAT = "/v3/router/chat/completions"
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-6"
BODY = {"model": SONNET, "messages": [{"role": "user", "content": "Hello"}]}
OVERLOADED = Reply.of_events([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}])
EMPTY_STREAM = Reply(headers={"content-type": "text/event-stream"}, stall_after=0)


def test_failure_in_a_stream_that_is_then_cut_is_told(rig: Rig) -> None:
    rig.stub.replies.append(replace(OVERLOADED, cut_after=len(OVERLOADED.body)))

    response = rig.post(CHAT, {**BODY, "stream": True})

    assert (response.status_code, response.json()["error"]["code"]) == (503, "provider_overloaded")


def test_failure_in_a_stream_that_then_stalls_is_not_waited_out(rig: Rig) -> None:
    rig.stub.replies.append(replace(OVERLOADED, chunk_sizes=(), stall_after=len(OVERLOADED.body)))

    response = rig.post(CHAT, {**BODY, "stream": True, "fallbacks": [{"model": OPUS}]})

    assert (response.status_code, response.headers["x-orq-attempts"]) == (200, "2")


def test_stream_that_never_begins_ends_by_its_time_limit(rig: Rig) -> None:
    rig.stub.replies.append(EMPTY_STREAM)

    response = rig.post(CHAT, {**BODY, "stream": True, "timeout": {"call_timeout": 200}})

    assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
    assert [row.error_code for row in rig.ledger()] == ["provider_timeout"]


def test_clients_impatient_with_a_stream_open_no_circuit(rig: Rig) -> None:
    rig.stub.replies.extend([EMPTY_STREAM] * 6)
    for _ in range(6):
        rig.post(CHAT, {**BODY, "stream": True, "timeout": {"call_timeout": 50}})
    rig.stub.replies.clear()

    assert rig.post(CHAT, {**BODY, "fallbacks": [{"model": OPUS}]}).json()["model"] == SONNET


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b'{"type":"message"}'])
def test_answer_that_cannot_be_read_is_a_failure_in_the_ledger(rig: Rig, body: bytes) -> None:
    rig.stub.replies.append(Reply(200, body=body))

    assert rig.post(CHAT, BODY).status_code == 502
    [row] = rig.ledger()
    assert (row.status, row.error_code, row.certainty) == (200, "provider_error", "unknown")


def test_answer_that_does_not_end_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LONGEST_ANSWER", 1_000)
    rig.stub.replies.append(Reply(200, body=b"[" + b" " * 2_000 + b"]"))

    assert rig.post(CHAT, BODY).status_code == 502
    assert [row.certainty for row in rig.ledger()] == ["unknown"]


def test_client_may_shorten_the_time_and_not_lengthen_it() -> None:
    limits = Timeouts(connect=1, first_byte=2, between_bytes=3, whole=60)
    for asked_ms, whole in ((5_000, 5), (10**15, 60)):
        parsed = ParsedRequest("m", False, CallOptions(timeout_ms=asked_ms), {})

        assert limits_of(parsed, limits).whole == whole


def test_no_client_of_a_stream_waits_in_silence_until_it_gives_up() -> None:
    limits = Timeouts(connect=5, first_byte=600, between_bytes=120, whole=3600)

    assert limits_of(ParsedRequest("m", True, CallOptions(), {}), limits).first_byte < 300
    assert limits_of(ParsedRequest("m", False, CallOptions(), {}), limits).first_byte == 600


def test_native_client_hears_that_a_stream_broke_off(rig: Rig) -> None:
    whole = answer_counted(Seen("POST", "/v1/messages", {}, b'{"model":"m","stream":true}', "req_1"))
    rig.stub.replies.append(replace(whole, cut_after=sum(whole.chunk_sizes[:4])))

    *_, last, end = rig.messages(stream=True).text.split("\n\n")

    assert (last.partition("\n")[0], end) == ("event: error", "")


def test_exception_that_begins_bedrocks_stream_reaches_native_clients_as_events(rig: Rig) -> None:
    connect_bedrock(rig)
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    frame = encode_frame(headers, b'{"message":"Too many requests"}')
    rig.stub.replies.append(Reply(200, {"content-type": "application/vnd.amazon.eventstream"}, frame))

    response = rig.post("/v3/anthropic/v1/messages", message_body(model="aws/anthropic/claude-sonnet-4-6", stream=True))

    assert response.headers["content-type"].startswith("text/event-stream")
    assert "rate_limit_error" in response.text
    assert [row.error_code for row in rig.ledger()] == ["rate_limit_exceeded"]


def test_stored_credential_that_is_none_is_refused_by_name(rig: Rig) -> None:
    connect_bedrock(rig, Secret("no credential of AWS"))

    response = rig.post(CHAT, {**BODY, "model": "aws/anthropic/claude-sonnet-4-6"})

    assert (response.status_code, response.json()["error"]["code"]) == (422, "provider_credential_invalid")
    assert [row.certainty for row in rig.ledger()] == ["exact"]


def connect_bedrock(rig: Rig, secret: Secret | None = None) -> None:
    key_id, password = make_access_key("acme")
    given = {"access_key_id": key_id, "secret_access_key": password}
    key = create_provider_key(
        rig.workspace,
        provider="aws",
        name="Bedrock",
        secret=secret or read_credentials(PROVIDERS["aws"], given, base_url=rig.stub.origin),
        actor=None,
        base_url=rig.stub.origin,
        key_settings={"region": "us-east-1"},
    )
    wait_for(lambda: _knows(rig, key.pk))


def _knows(rig: Rig, key_id: object) -> bool | None:
    from router import app

    current = app._gateway.holder.current if app._gateway else None
    keys = current.provider_keys.get((rig.workspace.pk, "aws"), ()) if current else ()
    return any(entry.id == key_id for entry in keys) or None
