"""Access tokens are got once, kept while they last, replaced before they end, and never outlive a refusal unnoticed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from uuid import UUID, uuid4

import pytest

from keys.crypto import CannotOpen
from providers.base import Outcome
from providers.secret import Secret
from providers.tokens import TokenRefused, TokenUnavailable
from providers.vertex_account import ServiceAccountExchange
from router.tokens import MOST_TOKENS, REFRESH_AHEAD_S, RETRY_AFTER_S, AccessTokens
from router.upstream import UpstreamClient
from tests.providers.vertex_keys import key_secret
from tests.stub import Reply, Stub
from tests.stub_fixtures import stub

__all__ = ["stub"]

LIFETIME_S = 3599
EXCHANGE = ServiceAccountExchange()
KEY = uuid4()


class Clock:
    """The time as the cache sees it; a test moves it."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Tokens:
    """A cache in front of a token service, and a word for getting a token."""

    def __init__(self, client: UpstreamClient, origin: str) -> None:
        self.clock = Clock()
        self.cache = AccessTokens(client, token_uri=f"{origin}/token", clock=self.clock)

    async def get(self, key: UUID = KEY, version: int = 1, *, open_secret: Callable[[], Secret] | None = None) -> str:
        token = await self.cache.get(key, version, open_secret or key_secret, EXCHANGE)
        return token.reveal()

    async def settle(self) -> None:
        """Let the refreshes under way end."""
        await asyncio.gather(*self.cache._refreshes)


@pytest.fixture
async def tokens(stub: Stub) -> AsyncIterator[Tokens]:
    client = UpstreamClient()
    tokens = Tokens(client, stub.origin)
    stub.handler = lambda seen: grant(f"token-{len(stub.requests)}")
    yield tokens
    await tokens.cache.close()
    await client.close()


def grant(token: str, *, lifetime_s: float = LIFETIME_S) -> Reply:
    return Reply.of_json({"access_token": token, "expires_in": lifetime_s, "token_type": "Bearer"})


REFUSAL = Reply.of_json({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, status=400)
FAILURE = Reply.of_json({"error": "internal_failure"}, status=500)


async def until_asked(stub: Stub) -> None:
    for _ in range(1000):
        if stub.requests:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody asked for a token")


def slowly(reply: Reply) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, delay_s=0.2)


async def test_token_is_asked_for_once_and_kept(tokens: Tokens, stub: Stub) -> None:
    assert [await tokens.get() for _ in range(3)] == ["token-1"] * 3

    [asked] = stub.requests
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["accept-encoding"] == "identity"
    assert b"assertion=" in asked.body
    assert "authorization" not in asked.headers


async def test_fifty_requests_at_once_ask_for_one_token(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(slowly(grant("shared")))

    got = await asyncio.gather(*(tokens.get() for _ in range(50)))

    assert set(got) == {"shared"}
    assert len(stub.requests) == 1


async def test_secret_is_opened_only_when_a_token_is_asked_for(tokens: Tokens) -> None:
    opened = []

    def open_secret() -> Secret:
        opened.append(1)
        return key_secret()

    for _ in range(5):
        await tokens.get(open_secret=open_secret)

    assert len(opened) == 1


async def test_each_key_and_version_has_its_own_token(tokens: Tokens) -> None:
    other = uuid4()

    assert await tokens.get(KEY, 1) == "token-1"
    assert await tokens.get(KEY, 2) == "token-2"
    assert await tokens.get(other, 1) == "token-3"
    assert await tokens.get(KEY, 1) == "token-1"


async def test_expired_token_is_replaced_before_anyone_gets_it(tokens: Tokens) -> None:
    await tokens.get()
    tokens.clock.now += LIFETIME_S + 1

    assert await tokens.get() == "token-2"


async def test_token_about_to_end_is_not_used_any_more(tokens: Tokens) -> None:
    await tokens.get()
    tokens.clock.now += LIFETIME_S - 59

    assert await tokens.get() == "token-2"


async def test_token_is_replaced_ahead_while_requests_go_on_with_it(tokens: Tokens, stub: Stub) -> None:
    await tokens.get()
    tokens.clock.now += LIFETIME_S - REFRESH_AHEAD_S + 1
    stub.replies.append(slowly(grant("next")))

    meanwhile = [await tokens.get() for _ in range(20)]
    await tokens.settle()

    assert set(meanwhile) == {"token-1"}
    assert await tokens.get() == "next"
    assert len(stub.requests) == 2


async def test_token_with_time_left_is_not_replaced(tokens: Tokens, stub: Stub) -> None:
    await tokens.get()
    tokens.clock.now += LIFETIME_S - REFRESH_AHEAD_S - 1

    await tokens.get()
    await tokens.settle()

    assert len(stub.requests) == 1


async def test_failing_to_replace_ahead_harms_nobody(tokens: Tokens, stub: Stub) -> None:
    await tokens.get()
    tokens.clock.now += LIFETIME_S - REFRESH_AHEAD_S + 1
    stub.replies.append(FAILURE)

    for _ in range(5):
        assert await tokens.get() == "token-1"
        await tokens.settle()

    assert len(stub.requests) == 2


async def test_short_lived_token_is_used_for_most_of_its_life(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(grant("brief", lifetime_s=40))

    assert await tokens.get() == "brief"
    tokens.clock.now += 19
    assert await tokens.get() == "brief"
    tokens.clock.now += 12
    assert await tokens.get() == "token-2"


async def test_refusal_says_what_to_do_and_is_not_asked_for_again_at_once(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(REFUSAL)

    failures = await asyncio.gather(*(tokens.get() for _ in range(10)), return_exceptions=True)
    with pytest.raises(TokenRefused, match="Make a new key") as again:
        await tokens.get()

    assert again.value.outcome == Outcome.INVALID_CREDENTIAL
    assert {type(failure) for failure in failures} == {TokenRefused}
    assert len({id(failure) for failure in failures}) == 10
    assert len(stub.requests) == 1


async def test_refusal_is_not_kept(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(REFUSAL)
    with pytest.raises(TokenRefused):
        await tokens.get()
    tokens.clock.now += RETRY_AFTER_S

    assert await tokens.get() == "token-2"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (FAILURE, Outcome.PROVIDER_ERROR),
        (Reply(503), Outcome.OVERLOADED),
        (Reply(429), Outcome.RATE_LIMITED),
        (Reply(cut_after=-1), Outcome.UNREACHABLE),
        (Reply(body=b'{"access_token": "t"', cut_after=5), Outcome.PROVIDER_ERROR),
    ],
    ids=["fails", "overloaded", "too many", "hangs up", "breaks off"],
)
async def test_token_service_that_fails_is_unavailable(
    tokens: Tokens, stub: Stub, reply: Reply, outcome: Outcome
) -> None:
    stub.replies.append(reply)

    with pytest.raises(TokenUnavailable) as failed:
        await tokens.get()

    assert failed.value.outcome == outcome


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply.of_json({"access_token": "t"}),
        Reply(body=b" " * 100_000 + b"{}"),
        Reply(302, {"location": "http://127.0.0.1:1/token"}),
    ],
    ids=["html", "no end", "too long", "redirect"],
)
async def test_what_is_no_token_service_is_refused_and_not_followed(tokens: Tokens, stub: Stub, reply: Reply) -> None:
    stub.replies.append(reply)

    with pytest.raises(TokenRefused) as failed:
        await tokens.get()

    assert failed.value.outcome == Outcome.MISCONFIGURED
    assert len(stub.requests) == 1


async def test_secret_that_cannot_be_opened_is_refused(tokens: Tokens, stub: Stub) -> None:
    def cannot_open() -> Secret:
        raise CannotOpen("made for another row")

    with pytest.raises(TokenRefused, match="Paste it again"):
        await tokens.get(open_secret=cannot_open)

    assert not stub.requests


async def test_secret_that_is_no_service_account_is_refused(tokens: Tokens, stub: Stub) -> None:
    with pytest.raises(TokenRefused, match="Paste the JSON key"):
        await tokens.get(open_secret=lambda: Secret("sk-ant-api03-something"))

    assert not stub.requests


async def test_fault_of_our_own_reaches_those_who_wait_and_the_log(
    tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Secret:
        raise RuntimeError("a bug")

    with pytest.raises(TokenUnavailable):
        await tokens.get(open_secret=broken)

    assert "a bug" in caplog.text


async def test_cancelled_request_leaves_the_token_to_the_others(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(slowly(grant("shared")))
    first, second = (asyncio.create_task(tokens.get()) for _ in range(2))
    await until_asked(stub)

    first.cancel()

    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "shared"
    assert len(stub.requests) == 1


async def test_token_that_everybody_stopped_waiting_for_is_kept(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(slowly(grant("shared")))
    only = asyncio.create_task(tokens.get())
    await until_asked(stub)
    only.cancel()
    await tokens.settle()

    assert await tokens.get() == "shared"
    assert len(stub.requests) == 1


async def test_versions_that_left_are_forgotten(tokens: Tokens) -> None:
    await tokens.get(KEY, 1)
    await tokens.get(KEY, 2)

    tokens.cache.forget(keep={(KEY, 2)})

    assert await tokens.get(KEY, 2) == "token-2"
    assert await tokens.get(KEY, 1) == "token-3"


async def test_version_that_left_while_its_token_came_still_serves_who_waits(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(slowly(grant("last")))
    waiting = asyncio.create_task(tokens.get())
    await until_asked(stub)

    tokens.cache.forget(keep=())

    assert await waiting == "last"
    assert await tokens.get() == "token-2"


async def test_tokens_are_bounded(tokens: Tokens) -> None:
    async def refuse(key: UUID) -> None:
        with pytest.raises(TokenRefused):
            await tokens.get(key, open_secret=lambda: Secret("{}"))

    for _ in range(MOST_TOKENS + 10):
        await refuse(uuid4())

    assert len(tokens.cache._held) == MOST_TOKENS


async def test_closing_tells_those_who_wait(tokens: Tokens, stub: Stub) -> None:
    stub.replies.append(Reply(stall_after=-1))
    waiting = asyncio.create_task(tokens.get())
    await until_asked(stub)

    await tokens.cache.close()

    with pytest.raises(TokenUnavailable):
        await waiting


async def test_neither_token_nor_assertion_is_logged(
    tokens: Tokens, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.replies.append(REFUSAL)
    with pytest.raises(TokenRefused):
        await tokens.get()
    tokens.clock.now += RETRY_AFTER_S
    token = await tokens.get()

    assertion = stub.requests[0].body.decode().rpartition("assertion=")[2]
    assert token not in caplog.text
    assert assertion not in caplog.text
    assert "PRIVATE KEY" not in caplog.text
    assert "No access token" in caplog.text
