"""What a provider's calls are sent with, for those who may wait for it: test calls. The gateway has its own cache."""

import time
from typing import Final

import httpx

from keys.sending import send
from providers.base import Outcome, ProviderAPI
from providers.secret import Secret
from providers.tokens import TokenRefused, read_reply, unanswered

LONGEST_REPLY: Final = 64 * 1024


def get_access(api: ProviderAPI, secret: Secret, *, token_uri: str = "") -> Secret:
    """Return what ``authorize`` takes: ``secret`` itself, or an access token got for it just now.

    ``token_uri`` replaces the address that gives tokens, '' for the provider's own.
    Raises providers.tokens.TokenFailure: TokenRefused or TokenUnavailable.
    """
    exchange = api.token_exchange
    if exchange is None:
        return secret
    now = time.time()
    try:
        outbound = exchange.build_request(secret, now=now, token_uri=token_uri)
    except ValueError as error:
        raise TokenRefused(Outcome.INVALID_CREDENTIAL, str(error)) from None
    try:
        status, _, body = send(outbound, longest=LONGEST_REPLY)
    except httpx.TimeoutException:
        raise unanswered(Outcome.TIMEOUT) from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise unanswered(Outcome.UNREACHABLE) from None
    return read_reply(exchange, status, body, now=now).secret
