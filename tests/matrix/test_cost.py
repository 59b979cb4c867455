"""The cost in a reply is the cost on the ledger, wherever the model was served."""

import pytest

from tests.clouds import PREFIXES
from tests.gateway import Gateway

CHAT, RESPONSES = "/v3/router/chat/completions", "/v3/router/responses"


@pytest.mark.parametrize(
    "model", [*(f"{prefix}claude-sonnet-4-6" for prefix in PREFIXES.values()), "aws/us.anthropic.claude-sonnet-4-6"]
)
def test_cost_told_is_the_cost_counted(gateway: Gateway, model: str) -> None:
    chat = gateway.post(CHAT, {"model": model, "messages": [{"role": "user", "content": "Hello"}]}).json()
    response = gateway.post(RESPONSES, {"model": model, "input": "Hello"}).json()

    first, second = gateway.new_rows(2)
    assert round(chat["usage"]["cost"] * 1e9) == first.cost_nano > 0
    assert round(response["usage"]["total_cost"] * 1e9) == second.cost_nano > 0
