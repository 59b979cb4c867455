"""In JSON 3.0 is the integer 3, and Orq's package writes it so; the provider gets 3."""

import pytest

from router.dialects import CHAT, RESPONSES
from router.dialects.base import RequestRefused, Retry
from tests.dialects.samples import BUDGET_ONLY, parse, translate

HI = [{"role": "user", "content": "Hi"}]


def test_limits_and_budgets():
    body = translate(
        CHAT,
        BUDGET_ONLY,
        messages=HI,
        max_tokens=4096.0,
        top_k=40.0,
        thinking={"type": "enabled", "budget_tokens": 2048.0},
    )

    numbers = [body["max_tokens"], body["top_k"], body["thinking"]["budget_tokens"]]
    assert numbers == [4096, 40, 2048]
    assert {type(number) for number in numbers} == {int}


@pytest.mark.parametrize(("dialect", "said"), [(CHAT, {"messages": HI}), (RESPONSES, {"input": "Hi"})])
def test_what_steers_the_gateway(dialect, said):
    steering = {"retry": {"count": 2.0, "on_codes": [429.0, 529]}, "timeout": {"call_timeout": 250.0}}

    options = parse(dialect, **said, **steering).options

    assert (options.retry, options.timeout_ms) == (Retry(2, (429, 529)), 250)


@pytest.mark.parametrize("count", [2.5, 1e300, float(2**53), -1.0, True, "2"])
def test_others_are_refused(count):
    with pytest.raises(RequestRefused) as refused:
        parse(CHAT, messages=HI, retry={"count": count})

    assert refused.value.param == "retry.count"
