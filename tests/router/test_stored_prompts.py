"""The running gateway keeps what is said only where the workspace wants that, and then only sealed."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from router.exchanges import FOLDER
from tests.router.conftest import Rig, message_body, wait_for
from tests.security.leaks import database_columns, files_below, leaks_in, redis_values
from tests.stub import Reply
from usage.models import Attempt, StoredExchange
from usage.prompt_storage import Exchange, delete_stored_prompts, read_stored, set_prompt_storage

ASKED = 'a canary, "7f3a", that only the client said'
ANSWERED = 'a canary, "91c2", that only the model said'
ASK = {"messages": [{"role": "user", "content": ASKED}]}
USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [{"type": "text", "text": ANSWERED}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWERED}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
    {"type": "message_stop"},
]
CALLS = {
    "native": ("/v3/anthropic/v1/messages", message_body(**ASK), False),
    "native, streamed": ("/v3/anthropic/v1/messages", message_body(**ASK, stream=True), True),
    "chat": ("/v3/router/chat/completions", {"model": "anthropic/claude-sonnet-4-6", **ASK}, False),
    "chat, streamed": (
        "/v3/router/chat/completions",
        {"model": "anthropic/claude-sonnet-4-6", **ASK, "stream": True},
        True,
    ),
    "responses": ("/v3/router/responses", {"model": "anthropic/claude-sonnet-4-6", "input": ASKED}, False),
    "responses, streamed": (
        "/v3/router/responses",
        {"model": "anthropic/claude-sonnet-4-6", "input": ASKED, "stream": True},
        True,
    ),
}


@pytest.fixture
def storing(rig: Rig) -> Iterator[Rig]:
    """The rig with storage switched on, as soon as its gateway knows of it."""
    set_prompt_storage(rig.workspace, store=True, retention_days=7, actor=None)

    def is_followed() -> bool | None:
        rig.messages()
        return any(rig.outbox.exchanges.batches()) or None

    wait_for(is_followed)
    rig.ledger()
    StoredExchange.objects.all().delete()
    return rig


def answer_with(rig: Rig, *, streamed: bool) -> None:
    rig.stub.replies.append(Reply.of_events(EVENTS) if streamed else Reply.of_json(MESSAGE))


def stored(rig: Rig, request_id: str) -> Exchange:
    def look() -> StoredExchange | None:
        rig.ledger()
        return StoredExchange.objects.filter(request_id=request_id).first()

    return read_stored(wait_for(look), rig.workspace, actor=None)


@pytest.mark.parametrize("call", CALLS)
def test_exchange_is_kept_byte_for_byte_as_client_and_gateway_said_it(storing: Rig, call: str) -> None:
    path, body, streamed = CALLS[call]
    answer_with(storing, streamed=streamed)

    reply = storing.post(path, body)

    exchange = stored(storing, reply.headers["x-orq-trace-id"])
    assert reply.status_code == 200
    assert exchange.request == reply.request.content
    assert exchange.answer == reply.content
    assert exchange.stored.id == Attempt.objects.get(request_id=exchange.stored.request_id, final=True).id
    assert exchange.stored.gateway_key_id == storing.gateway_key.pk


def test_refusal_of_the_provider_is_kept_too(storing: Rig) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too odd"}}
    storing.stub.replies.append(Reply.of_json(error, status=400))

    reply = storing.messages(**ASK)

    assert stored(storing, reply.headers["x-orq-trace-id"]).answer == reply.content


def test_nothing_holds_a_word_of_it_in_plain_text(storing: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = []
    for path, body, streamed in CALLS.values():
        answer_with(storing, streamed=streamed)
        assert storing.post(path, body).status_code == 200
        wait_for(lambda: any(storing.outbox.exchanges.batches()) or None)
        found += files_below(storing.outbox.exchanges.outbox)
    wait_for(lambda: (storing.ledger() and StoredExchange.objects.count() == len(CALLS)) or None)

    found += [*files_below(storing.outbox.exchanges.outbox), *database_columns(), *redis_values()]
    found.append(("logs", caplog.text.encode()))

    assert any(where.startswith(FOLDER) for where, _ in found)
    assert any(where.startswith("usage_storedexchange.sealed_answer") and held for where, held in found)
    assert {where: names for where, content in found if (names := leaks_in(content, [ASKED, ANSWERED]))} == {}


def test_nothing_is_kept_unless_it_is_switched_on(rig: Rig) -> None:
    rig.messages(**ASK)
    rig.ledger()

    assert not (rig.outbox.exchanges.outbox / FOLDER).exists()
    assert not StoredExchange.objects.exists()


def test_switching_off_reaches_the_gateway(storing: Rig) -> None:
    set_prompt_storage(storing.workspace, store=False, retention_days=7, actor=None)

    def is_followed() -> bool | None:
        before = StoredExchange.objects.count()
        storing.messages()
        storing.ledger()
        return StoredExchange.objects.count() == before or None

    assert wait_for(is_followed)


def test_deletion_reaches_what_still_lies_in_the_outbox(storing: Rig) -> None:
    storing.messages(**ASK)
    assert any(wait_for(lambda: list(storing.outbox.exchanges.batches()) or None))

    delete_stored_prompts(storing.workspace, actor=None)
    storing.ledger()

    assert not StoredExchange.objects.exists()
    assert not any(storing.outbox.exchanges.batches())
