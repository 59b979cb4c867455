"""Answers that no provider sends but something in between might: told for what they are, and never a crash."""

import pytest

from providers.base import Outcome, ProviderAPI, Target, UnreadableAnswer
from providers.registry import PROVIDER_APIS

TARGET = Target("", {"region": "eu-west-1", "project_id": "acme", "location": "global"})
DEEP = b"[" * 100_000
ODD = [
    b"",
    b"<html>",
    b"[]",
    b"\xff",
    b'{"data": [{"id": "\xff"}], "modelSummaries": [{"modelArn": "\xff"}], "input_tokens": "\xff"}',
    b'{"error": {"type": "\xff", "message": "\xff", "status": "\xff"}, "message": "\xff"}',
    b'{"odd": ' + DEEP,
    b'{"error": ' + DEEP,
]


@pytest.fixture(params=sorted(PROVIDER_APIS))
def api(request: pytest.FixtureRequest) -> ProviderAPI:
    return PROVIDER_APIS[request.param]


@pytest.mark.parametrize("body", ODD)
def test_an_odd_refusal_is_known_by_its_status(api: ProviderAPI, body: bytes) -> None:
    outcome, _ = api.classify_error(401, body, {})

    assert outcome in (Outcome.INVALID_CREDENTIAL, Outcome.NO_PERMISSION)


@pytest.mark.parametrize("body", [body for body in ODD if body != b"[]"])
def test_an_odd_answer_to_a_check_is_unreadable(api: ProviderAPI, body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        api.read_check(body)


@pytest.mark.parametrize("body", ODD)
def test_an_odd_answer_to_a_message_has_no_counts(api: ProviderAPI, body: bytes) -> None:
    call = api.build_test_message("claude-haiku-4-5", TARGET)

    try:
        is_known = api.read_answer(call, body).counts.is_known
    except UnreadableAnswer:
        is_known = False

    assert not is_known
