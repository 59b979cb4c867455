"""Making a test call: open the credential, send, and say in a sentence how it went. Nothing is stored here."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from keys.access import get_access
from keys.crypto import CryptoError
from keys.keyrings import keyring
from keys.models import TestCall, origin_of
from keys.sending import send
from keys.words import advise
from providers.base import Answer, ModelCall, Outbound, Outcome, ProviderAPI, Target, TokenCounts, UnreadableAnswer
from providers.openai_errors import is_cut_short
from providers.registry import PROVIDER_APIS
from providers.secret import Secret
from providers.tokens import TokenFailure

LONGEST_ANSWER: Final = 10 * 1024 * 1024
SIMULATOR_START_S: Final = 10.0


@dataclass(frozen=True)
class TestResult:
    """What a test call found out."""

    __test__ = False

    outcome: Outcome
    message: str
    latency_ms: int
    status: int | None = None
    upstream_request_id: str = ""
    counts: TokenCounts = field(default_factory=TokenCounts)


def perform_test_call(call: TestCall) -> TestResult:
    """Make the call and say how it went; nothing is stored. Any failure is an outcome, not an exception."""
    version = call.version
    key = version.provider_key
    try:
        secret = keyring().open(version.sealed, version.seal_context)
    except CryptoError:
        return TestResult(Outcome.MISCONFIGURED, "This secret cannot be opened any more. Rotate: paste it again.", 0)
    api, target = PROVIDER_APIS[key.provider], Target(key.url, key.settings)
    try:
        message = None if call.kind == TestCall.Kind.CHECK else api.build_test_message(call.model, target)
        outbound = api.build_request(message, target) if message else api.build_check(target)
    except ValueError as error:
        # A region, project or model that no request can be built of: the module says which, for people.
        return TestResult(Outcome.MISCONFIGURED, str(error), 0)
    if key.provider_info.is_simulated:
        _wait_for_simulator(origin_of(key.url))
    started = time.monotonic()
    try:
        access = get_access(api, secret, token_uri=settings.GOOGLE_TOKEN_URI)
        response = _call(api, outbound, access)
    except TokenFailure as failure:
        return TestResult(failure.outcome, failure.message, _since(started))
    except httpx.TimeoutException:
        return TestResult(Outcome.TIMEOUT, advise(call, Outcome.TIMEOUT), _since(started))
    except (httpx.HTTPError, httpx.InvalidURL):
        return TestResult(Outcome.UNREACHABLE, _unreachable(origin_of(outbound.url)), _since(started))
    return _read_answer(api, call, message, response, latency_ms=_since(started))


def _unreachable(origin: str) -> str:
    return f"{origin} cannot be reached from this server. Check the address, DNS and firewall."


def _wait_for_simulator(origin: str) -> None:
    """Return once ``origin`` takes connections, or after SIMULATOR_START_S: its process starts with its first key."""
    parts = urlsplit(origin)
    deadline = time.monotonic() + SIMULATOR_START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def _call(api: ProviderAPI, outbound: Outbound, secret: Secret) -> httpx.Response:
    status, headers, body = send(outbound, longest=LONGEST_ANSWER, auth=_CredentialAuth(api, outbound, secret))
    return httpx.Response(status, headers=headers, content=body)


class _CredentialAuth(httpx.Auth):
    """Adds the credential at the moment of sending, so that no request object holds it before."""

    def __init__(self, api: ProviderAPI, outbound: Outbound, secret: Secret) -> None:
        self._api, self._outbound, self._secret = api, outbound, secret

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers.update(self._api.authorize(self._outbound, self._secret))
        yield request


def _read_answer(
    api: ProviderAPI, call: TestCall, message: ModelCall | None, response: httpx.Response, *, latency_ms: int
) -> TestResult:
    request_id = next(filter(None, map(response.headers.get, api.request_id_headers)), "")
    status = response.status_code
    if message is not None and status == 400 and is_cut_short(response.content):
        sentence = f"The key works: {call.model} was still thinking when the few tokens of a test were used up."
        return TestResult(Outcome.OK, sentence, latency_ms, status, request_id)
    if status >= 300:
        outcome, told = _outcome_of(api, response)
        return TestResult(outcome, advise(call, outcome, told), latency_ms, status, request_id)
    try:
        if message is None:
            sentence = f"Checked in {latency_ms} ms; {api.read_check(response.content)}."
            return TestResult(Outcome.OK, sentence, latency_ms, status, request_id)
        answer = api.read_answer(message, response.content)
    except UnreadableAnswer:
        answer = Answer(b"", TokenCounts())
    if not answer.model and not answer.counts.is_known:
        sentence = "Something answers there, but not like the provider's API. Check the base URL."
        return TestResult(Outcome.MISCONFIGURED, sentence, latency_ms, status, request_id)
    return TestResult(
        Outcome.OK, f"{call.model} answered in {latency_ms} ms.", latency_ms, status, request_id, answer.counts
    )


def _outcome_of(api: ProviderAPI, response: httpx.Response) -> tuple[Outcome, str]:
    if response.status_code < 400:
        return Outcome.MISCONFIGURED, ""
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return api.classify_error(response.status_code, response.content, headers)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
