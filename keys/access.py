"""What a provider's calls are sent with, for those who may wait for it: test calls. The gateway has its own cache.

No redirects and no proxies from the environment: an assertion goes to the token service or nowhere.
"""

import time
from typing import Final

import httpx

from providers.base import Outbound, Outcome, ProviderAPI
from providers.secret import Secret
from providers.tokens import TokenRefused, read_reply, unanswered

STEP_TIMEOUT_S: Final = 10.0
WHOLE_TIMEOUT_S: Final = 20.0
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
        status, body = _send(outbound)
    except httpx.TimeoutException:
        raise unanswered(Outcome.TIMEOUT) from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise unanswered(Outcome.UNREACHABLE) from None
    return read_reply(exchange, status, body, now=now).secret


def _send(outbound: Outbound) -> tuple[int, bytes]:
    headers = {**outbound.headers, "accept-encoding": "identity"}
    deadline, body = time.monotonic() + WHOLE_TIMEOUT_S, b""
    with (
        httpx.Client(timeout=STEP_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
        client.stream(outbound.method, outbound.url, headers=headers, content=outbound.body) as response,
    ):
        # httpx limits each read; an answer that comes in drops is limited as a whole here.
        for chunk in response.iter_raw():
            body += chunk
            if time.monotonic() > deadline or len(body) > LONGEST_REPLY:
                raise httpx.ReadTimeout("The answer does not end.")
        return response.status_code, body
