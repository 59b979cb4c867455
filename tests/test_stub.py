"""The stub upstream does what its docstring says, for other tests rest on it."""

import json

import httpx
import pytest

from tests.stub import Reply, Stub, answer_counted, counts_of, with_chunks
from tests.stub_fixtures import stub

__all__ = ["stub"]

BODY = {"model": "claude-sonnet-4-6", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}


def test_answers_with_the_counts_of_the_attempt(stub: Stub) -> None:
    answer = httpx.post(f"{stub.origin}/v1/messages", json=BODY)

    counts = counts_of(answer.headers["request-id"])
    assert answer.json()["usage"]["input_tokens"] == counts["uncached_input_tokens"]
    assert answer.json()["usage"]["output_tokens"] == counts["output_tokens"]


def test_logs_each_attempt_once_before_it_answers(stub: Stub) -> None:
    with httpx.Client() as client:
        ids = [client.post(f"{stub.origin}/v1/messages", json=BODY).headers["request-id"] for _ in range(3)]

    assert [line["attempt_id"] for line in stub.truth()] == ids
    assert len({line["output_tokens"] for line in stub.truth()} | {0}) > 1


def test_remembers_what_it_saw(stub: Stub) -> None:
    httpx.post(f"{stub.origin}/v1/messages?beta=true", json=BODY, headers={"x-api-key": "k"})

    seen = stub.requests[0]
    assert (seen.method, seen.path, seen.headers["x-api-key"], seen.json) == (
        "POST",
        "/v1/messages?beta=true",
        "k",
        BODY,
    )


def test_streams_when_the_body_asks(stub: Stub) -> None:
    answer = httpx.post(f"{stub.origin}/v1/messages", json={**BODY, "stream": True})

    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[0]["type"] == "message_start"
    assert events[-2]["usage"]["output_tokens"] == counts_of(answer.headers["request-id"])["output_tokens"]


def test_scripted_replies_come_first_and_in_order(stub: Stub) -> None:
    stub.replies.append(Reply.of_error(529, "overloaded_error", "Overloaded"))

    statuses = [httpx.post(f"{stub.origin}/v1/messages", json=BODY).status_code for _ in range(2)]

    assert statuses == [529, 200]


def test_cuts_the_body_where_told(stub: Stub) -> None:
    whole = answer_counted_stream(stub)
    stub.replies.append(Reply(200, whole.headers, whole.body, whole.chunk_sizes, cut_after=100))

    received, failure = receive_raw(stub)

    assert isinstance(failure, httpx.TransportError)
    assert received == whole.body[:100]


def test_stalls_until_the_client_leaves(stub: Stub) -> None:
    stub.replies.append(Reply(stall_after=-1))

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{stub.origin}/v1/messages", json=BODY, timeout=0.1)

    assert len(stub.requests) == 1


def test_network_chunks_need_not_follow_events(stub: Stub) -> None:
    stub.replies.append(with_chunks(answer_counted_stream(stub), 7))

    answer = httpx.post(f"{stub.origin}/v1/messages", json={**BODY, "stream": True})

    assert answer.text.endswith('data: {"type": "message_stop"}\n\n')


def answer_counted_stream(stub: Stub) -> Reply:
    httpx.post(f"{stub.origin}/v1/messages", json={**BODY, "stream": True})
    return answer_counted(stub.requests[-1])


def receive_raw(stub: Stub) -> tuple[bytes, httpx.TransportError | None]:
    received = b""
    with httpx.stream("POST", f"{stub.origin}/v1/messages", json=BODY) as answer:
        try:
            for chunk in answer.iter_raw():
                received += chunk
        except httpx.TransportError as failure:
            return received, failure
    return received, None
