"""Requests over the REST API, one by one: what the ledger holds of each, and pages that neither skip nor repeat."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from providers.base import TokenCounts
from teams.models import Workspace
from tests.api.conftest import Api
from tests.factories import make_gateway_key, make_provider_key
from tests.usage.samples import COUNTS, make_opened, make_record, record
from usage.records import AttemptRecord, Certainty, RefusalRecord, microseconds_of, uuid7
from usage.services import record_refusals


def seconds_ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def refuse(workspace: Workspace, *, at: Any, **fields: Any) -> RefusalRecord:
    at_us = microseconds_of(at)
    defaults: dict[str, Any] = {
        "id": uuid7(at_us),
        "request_id": uuid7(at_us).hex,
        "workspace": workspace.pk,
        "gateway_key": uuid4(),
        "dialect": "chat",
        "model_asked": "anthropic/claude-nobody",
        "status": 404,
        "error_code": "model_not_found",
        "message": "There is no model “anthropic/claude-nobody”.",
        "at_us": at_us,
    }
    refusal = RefusalRecord(**defaults | fields)
    record_refusals([refusal])
    return refusal


def listed(api: Api, **question: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = api.get("/requests", question).json()["data"]
    return data


def test_a_request_shows_its_tokens_and_cost(api: Api, workspace: Workspace) -> None:
    provider_key, gateway_key = make_provider_key(workspace), make_gateway_key(workspace).key
    sent = make_record(workspace, at=seconds_ago(5), provider_key=provider_key.pk, gateway_key=gateway_key.pk)
    record(sent)

    [shown] = listed(api)

    assert (shown["id"], shown["request_id"]) == (str(sent.opened.id), sent.opened.request_id)
    assert (shown["state"], shown["certainty"], shown["status"], shown["final"]) == ("settled", "exact", 200, True)
    assert (shown["provider_key"], shown["provider_key_name"]) == (str(provider_key.pk), "Production")
    assert (shown["gateway_key"], shown["gateway_key_name"]) == (str(gateway_key.pk), "app")
    assert (shown["latency_ms"], shown["ttft_ms"], shown["upstream_request_id"]) == (412, 120, "req_01")
    assert shown["uncached_input_tokens"] == COUNTS.uncached_input
    assert shown["cache_read_input_tokens"] == COUNTS.cache_read_input
    assert shown["cache_write_5m_input_tokens"] == COUNTS.cache_write_5m_input
    assert shown["cache_write_1h_input_tokens"] == COUNTS.cache_write_1h_input
    assert shown["output_tokens"] == COUNTS.output
    assert shown["input_tokens"] == COUNTS.input_total
    assert (shown["cost_usd"], shown["is_unpriced"], shown["error"]) == ("0.00228", False, None)


def test_what_is_not_known_is_null_and_not_zero(api: Api, workspace: Workspace) -> None:
    record(make_record(workspace, at=seconds_ago(5), settled={"counts": TokenCounts(), "certainty": Certainty.UNKNOWN}))

    [shown] = listed(api)

    assert shown["certainty"] == "unknown"
    assert shown["output_tokens"] is shown["input_tokens"] is shown["uncached_input_tokens"] is None


def test_a_request_in_flight_is_shown_as_such(api: Api, workspace: Workspace) -> None:
    record(AttemptRecord(make_opened(workspace, at=seconds_ago(5))))

    [shown] = listed(api, shown="unsettled")

    assert (shown["state"], shown["cost_usd"], shown["ended_at"]) == ("open", None, None)


def test_a_model_without_a_price_is_not_shown_as_free(api: Api, workspace: Workspace) -> None:
    record(make_record(workspace, at=seconds_ago(5), model="claude-new"))

    assert listed(api)[0]["is_unpriced"] is True


def test_a_refused_request_says_why_and_what_to_do(api: Api, workspace: Workspace) -> None:
    refusal = refuse(workspace, at=seconds_ago(5))

    [shown] = listed(api)

    assert (shown["state"], shown["status"], shown["error_code"]) == ("refused", 404, "model_not_found")
    assert shown["error"] == "There is no such model."
    assert shown["what_to_do"]
    assert (shown["request_id"], shown["model_asked"]) == (refusal.request_id, refusal.model_asked)


def test_pages_follow_each_other_without_gap_or_repeat(api: Api, workspace: Workspace) -> None:
    ids = []
    for seconds in range(9):
        at = seconds_ago(seconds)
        if seconds % 3:
            sent = make_record(workspace, at=at)
            record(sent)
            ids.append(str(sent.opened.id))
        else:
            ids.append(str(refuse(workspace, at=at).id))

    found, before, pages = list[str](), None, 0
    while pages == 0 or before:
        answer = api.get("/requests", {"limit": 4} | ({"before": before} if before else {})).json()
        found += [one["id"] for one in answer["data"]]
        before, pages = answer["next_before"], pages + 1

    assert found == ids
    assert pages == 3


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ({}, 3),
        ({"shown": "failed"}, 1),
        ({"shown": "refused"}, 1),
        ({"shown": "unsettled"}, 0),
        ({"search": "req_failed"}, 1),
        ({"search": "ticket-7"}, 1),
        ({"search": "nobody"}, 0),
        ({"search": "ticket-7", "shown": "failed"}, 0),
        ({"search": "req_failed", "shown": "failed"}, 1),
        ({"search": "x\x00"}, 0),
    ],
)
def test_a_list_can_be_narrowed(api: Api, workspace: Workspace, question: dict[str, str], count: int) -> None:
    failed = {"status": 500, "error_code": "provider_error", "upstream_request_id": "req_failed"}
    record(
        make_record(workspace, at=seconds_ago(3), session="ticket-7"),
        make_record(workspace, at=seconds_ago(2), settled=failed),
    )
    refuse(workspace, at=seconds_ago(1))

    assert len(listed(api, **question)) == count


def test_one_request_shows_each_of_its_attempts(api: Api, workspace: Workspace) -> None:
    first = make_record(workspace, at=seconds_ago(5), request_id="r1", settled={"final": False, "status": 401})
    second = make_record(workspace, at=seconds_ago(4), request_id="r1", attempt=2)
    record(first, second)

    shown = api.get("/requests/r1").json()["data"]

    assert [(one["attempt"], one["status"], one["final"]) for one in shown] == [(1, 401, False), (2, 200, True)]
    assert [one["attempt"] for one in listed(api)] == [2]


def test_anothers_requests_are_not_there(workspace: Workspace, mallorys_api: Api) -> None:
    record(make_record(workspace, at=seconds_ago(5), request_id="r1"))

    assert listed(mallorys_api) == listed(mallorys_api, search="r1") == []
    theirs, wrong = mallorys_api.get("/requests/r1"), mallorys_api.get("/requests/r2")
    assert (theirs.status_code, theirs.content) == (404, wrong.content)


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"before": "yesterday"}, "before"),
        ({"shown": "some"}, "shown"),
        ({"search": "x" * 201}, "search"),
        ({"page": 2}, "page"),
    ],
)
def test_a_question_without_an_answer_is_refused(api: Api, question: dict[str, Any], field: str) -> None:
    answer = api.get("/requests", question)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
