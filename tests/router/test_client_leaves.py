"""The client goes away: the upstream is closed at once, and what was used is settled and labelled."""

import httpx

from tests.router.conftest import Rig, message_body, wait_for
from tests.stub import Reply, events_of, usage_of


def start_of_stream(text: str = "Some words that were paid for. ") -> Reply:
    """A stream that stalls after its first text: the output count never comes."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage_of("a"),
    }
    whole = Reply.of_events(events_of(message, deltas=1))
    return Reply(whole.status, whole.headers, whole.body, whole.chunk_sizes, stall_after=sum(whole.chunk_sizes[:4]))


def leave_after_first_text(rig: Rig) -> None:
    body = message_body(stream=True)
    with (
        httpx.Client(trust_env=False) as client,
        client.stream("POST", f"{rig.url}/v3/anthropic/v1/messages", json=body, headers=rig.headers) as response,
    ):
        for line in response.iter_lines():
            if "text_delta" in line:
                return


def test_input_stays_as_reported_and_output_is_estimated(rig: Rig) -> None:
    rig.stub.replies.append(start_of_stream())

    leave_after_first_text(rig)

    [row] = rig.ledger()
    reported = usage_of("a")
    assert (row.certainty, row.error_code) == ("estimated", "client_closed_request")
    assert row.uncached_input_tokens == reported["input_tokens"]
    assert row.cache_read_input_tokens == reported["cache_read_input_tokens"]
    assert row.output_tokens == 9  # 31 characters


def test_upstream_is_closed_at_once(rig: Rig) -> None:
    rig.stub.replies.append(start_of_stream())

    leave_after_first_text(rig)

    wait_for(lambda: rig.stub.disconnects or None)


def test_client_that_leaves_before_any_answer_leaves_an_unknown_row(rig: Rig) -> None:
    rig.stub.replies.append(Reply(stall_after=-1))

    with httpx.Client(trust_env=False, timeout=0.5) as client:
        try:
            client.post(f"{rig.url}/v3/anthropic/v1/messages", json=message_body(), headers=rig.headers)
        except httpx.ReadTimeout:
            pass

    [row] = rig.ledger()
    assert (row.certainty, row.output_tokens, row.error_code) == ("unknown", None, "client_closed_request")


def test_stream_that_the_provider_breaks_off_is_partial(rig: Rig) -> None:
    whole = start_of_stream()
    rig.stub.replies.append(
        Reply(whole.status, whole.headers, whole.body, whole.chunk_sizes, cut_after=whole.stall_after)
    )

    rig.messages(stream=True)

    [row] = rig.ledger()
    assert (row.certainty, row.error_code, row.output_tokens) == ("partial", "provider_error", 9)
