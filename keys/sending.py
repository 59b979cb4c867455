"""Sending one call for those who may wait for it: test calls, and the exchange of a credential for a token."""

import time
from typing import Final

import httpx

from providers.base import Outbound

STEP_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 20.0


def send(outbound: Outbound, *, longest: int, auth: httpx.Auth | None = None) -> tuple[int, httpx.Headers, bytes]:
    """Return the answer's status, headers and body as it came; ``auth`` adds the credential.

    No redirects and no proxies from the environment: what is secret goes to the address in ``outbound`` or nowhere.
    Raises httpx.HTTPError or httpx.InvalidURL; an answer beyond ``longest`` bytes or ANSWER_TIMEOUT_S is a ReadTimeout.
    """
    headers = {**outbound.headers, "accept-encoding": "identity"}
    with (
        httpx.Client(timeout=STEP_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
        client.stream(outbound.method, outbound.url, headers=headers, content=outbound.body, auth=auth) as response,
    ):
        deadline, body = time.monotonic() + ANSWER_TIMEOUT_S, b""
        # httpx limits each read; an answer that comes in drops is limited as a whole here.
        for chunk in response.iter_raw():
            body += chunk
            if time.monotonic() > deadline or len(body) > longest:
                raise httpx.ReadTimeout("The answer does not end.")
        return response.status_code, response.headers, body
