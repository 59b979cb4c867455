"""Access tokens got for stored credentials, kept while they last. In memory of one process, and nowhere else.

A token is replaced in the background before it runs out, so that hardly a request ever waits for one. However many
requests want a token, one request for it is under way; a request that is cancelled leaves it running for the others.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from keys.crypto import CryptoError
from providers.base import AccessToken, Outcome, TokenExchange
from providers.secret import Secret
from providers.tokens import TokenFailure, TokenRefused, failure_of, read_reply, unanswered
from router.upstream import Timeouts, UpstreamClient, UpstreamFailed

logger = logging.getLogger(__name__)

# A token with less than this left is replaced, while requests go on with it…
REFRESH_AHEAD_S: Final = 300.0
# …and with less than this left it is used no more: a call must arrive while its token is good.
LEAST_LEFT_S: Final = 60.0
# After a failure nobody asks again for this long.
RETRY_AFTER_S: Final = 2.0
# Beyond this the oldest are forgotten.
MOST_TOKENS: Final = 1000
LONGEST_REPLY: Final = 64 * 1024

_TIMEOUTS: Final = Timeouts(connect=5, first_byte=10, between_bytes=10, whole=15)

# (provider key, version)
TokenName = tuple[UUID, int]


class _Held:
    """One credential's token, and how getting the next one goes. Times are Unix seconds."""

    __slots__ = ("failed_at", "failure", "refresh", "refresh_from", "token", "use_until")

    def __init__(self) -> None:
        self.token: AccessToken | None = None
        self.refresh_from = self.use_until = 0.0
        self.failure: TokenFailure | None = None
        self.failed_at = 0.0
        self.refresh: asyncio.Task[None] | None = None

    def keep(self, token: AccessToken, now: float) -> None:
        """Use ``token`` from now on. Of a short-lived one, most of its life is still used."""
        lifetime = token.expires_at - now
        self.token, self.failure = token, None
        self.refresh_from = token.expires_at - min(REFRESH_AHEAD_S, lifetime / 2)
        self.use_until = token.expires_at - min(LEAST_LEFT_S, lifetime / 4)

    def fail(self, failure: TokenFailure, now: float) -> None:
        self.failure, self.failed_at = failure, now

    def usable(self, now: float) -> Secret | None:
        return self.token.secret if self.token is not None and now < self.use_until else None

    def wants_refresh(self, now: float) -> bool:
        if now < self.refresh_from or self.refresh is not None:
            return False
        return self.failure is None or not 0 <= now - self.failed_at < RETRY_AFTER_S


class AccessTokens:
    """One process's access tokens; made once there is an event loop.

    ``token_uri`` replaces the address that gives tokens, '' for the provider's own.
    """

    def __init__(self, client: UpstreamClient, *, token_uri: str = "", clock: Callable[[], float] = time.time) -> None:
        self._client, self._token_uri, self._clock = client, token_uri, clock
        self._held: dict[TokenName, _Held] = {}
        self._refreshes: set[asyncio.Task[None]] = set()

    async def get(
        self, provider_key: UUID, version: int, open_secret: Callable[[], Secret], exchange: TokenExchange
    ) -> Secret:
        """Return a token for a version's credential, which ``open_secret`` decrypts if it is needed.

        Raises TokenRefused or TokenUnavailable.
        """
        held = self._find((provider_key, version))
        now = self._clock()
        if held.wants_refresh(now):
            self._start_refresh(held, open_secret, exchange)
        if (secret := held.usable(now)) is not None:
            return secret
        if held.refresh is not None:
            # Unlike awaiting the task itself, this leaves it alone when the waiting request is cancelled.
            await asyncio.wait([held.refresh])
        if (secret := held.usable(self._clock())) is not None:
            return secret
        raise _again(held.failure)

    def forget(self, *, keep: Collection[TokenName]) -> None:
        """Drop the tokens of all versions but those in ``keep``."""
        for name in self._held.keys() - set(keep):
            del self._held[name]

    async def close(self) -> None:
        """Stop asking for tokens; whoever waits for one is told that there is none."""
        refreshes = list(self._refreshes)
        for refresh in refreshes:
            refresh.cancel()
        await asyncio.gather(*refreshes, return_exceptions=True)

    def _find(self, name: TokenName) -> _Held:
        held = self._held.get(name)
        if held is None:
            if len(self._held) >= MOST_TOKENS:
                del self._held[next(iter(self._held))]
            held = self._held[name] = _Held()
        return held

    def _start_refresh(self, held: _Held, open_secret: Callable[[], Secret], exchange: TokenExchange) -> None:
        refresh = held.refresh = asyncio.create_task(self._refresh(held, open_secret, exchange))
        # The event loop itself does not keep a task alive.
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._refreshes.discard)

    async def _refresh(self, held: _Held, open_secret: Callable[[], Secret], exchange: TokenExchange) -> None:
        try:
            held.keep(await self._ask(open_secret, exchange), self._clock())
        except TokenFailure as failure:
            logger.warning("No access token: %s", failure.message)
            held.fail(failure, self._clock())
        except Exception:
            logger.exception("Getting an access token failed inside the gateway")
            held.fail(failure_of(Outcome.PROVIDER_ERROR, "The gateway failed; see its log."), self._clock())
        finally:
            held.refresh = None

    async def _ask(self, open_secret: Callable[[], Secret], exchange: TokenExchange) -> AccessToken:
        now = self._clock()
        try:
            # Signing takes 0.6 ms of the event loop, once an hour for a key; a thread would hold it up just as long.
            outbound = exchange.build_request(open_secret(), now=now, token_uri=self._token_uri)
        except CryptoError:
            sentence = "The stored key cannot be opened. Paste it again."
            raise TokenRefused(Outcome.INVALID_CREDENTIAL, sentence) from None
        except ValueError as error:
            raise TokenRefused(Outcome.INVALID_CREDENTIAL, str(error)) from None
        try:
            answer = await self._client.send(outbound, outbound.headers, _TIMEOUTS)
            body = b""
            try:
                async for chunk in answer.chunks():
                    body += chunk
                    if len(body) > LONGEST_REPLY:
                        break
            finally:
                answer.close()
        except UpstreamFailed as failed:
            raise unanswered(failed.outcome) from None
        return read_reply(exchange, answer.status, body, now=now)


def _again(failure: TokenFailure | None) -> TokenFailure:
    # An exception is raised to many requests at once, and would collect the traces of all.
    if failure is None:
        return unanswered(Outcome.UNREACHABLE)
    return type(failure)(failure.outcome, failure.message)
