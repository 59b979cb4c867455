"""What the ledger says of an attempt's tokens, by how its stream ended."""

from uuid import UUID

import pytest

from providers import openai
from providers.base import ModelCall, Shape
from router.attempt import Attempt
from tests.router.candidates import candidate
from tests.usage.samples import make_opened
from usage.records import AttemptSettled, Certainty

TEXT = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
FAILURE = b'data: {"error":{"message":"Broken","type":"server_error"}}\n\n'


@pytest.mark.parametrize(("stream", "certainty"), [(FAILURE, Certainty.EXACT), (TEXT + FAILURE, Certainty.UNKNOWN)])
def test_failure_uses_no_tokens_only_if_nothing_came_before_it(stream: bytes, certainty: Certainty) -> None:
    settled: list[AttemptSettled] = []
    attempt = Attempt(candidate(), make_opened(UUID(int=1)), lambda _id, how: settled.append(how), is_count=False)
    attempt.meter = openai.answer_stream(ModelCall("m", b"{}", stream=True, shape=Shape.CHAT))
    attempt.meter.feed(stream)

    attempt.settle_stream("provider_error")

    assert [how.certainty for how in settled] == [certainty]
