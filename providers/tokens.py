"""Access tokens, as whoever exchanges a stored credential for one sees them: the answer read, the failures typed. Pure.

Used by the gateway's cache of tokens and by test calls.
"""

from typing import Final

from providers.base import AccessToken, Outcome, TokenExchange, UnreadableAnswer

_MAY_PASS: Final = frozenset(
    [Outcome.RATE_LIMITED, Outcome.OVERLOADED, Outcome.PROVIDER_ERROR, Outcome.TIMEOUT, Outcome.UNREACHABLE]
)


class TokenFailure(Exception):
    """No access token was got; ``message`` is a sentence for people that holds nothing secret."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome, self.message = outcome, message


class TokenRefused(TokenFailure):
    """The stored credential is not accepted, or is none: another try brings the same."""


class TokenUnavailable(TokenFailure):
    """Whoever gives tokens cannot be reached or fails: another try may succeed."""


def failure_of(outcome: Outcome, message: str) -> TokenFailure:
    """Return the failure that ``outcome`` makes."""
    return (TokenUnavailable if outcome in _MAY_PASS else TokenRefused)(outcome, message)


def unanswered(outcome: Outcome) -> TokenFailure:
    """Return the failure of a token service that no answer came from; ``outcome`` says why not."""
    if outcome == Outcome.TIMEOUT:
        return TokenUnavailable(outcome, "The token service did not answer in time. Try again.")
    return TokenUnavailable(outcome, "The token service cannot be reached from here. Check DNS and firewall.")


def read_reply(exchange: TokenExchange, status: int, body: bytes, *, now: float) -> AccessToken:
    """Return the token in a reply to the exchange's request. Raises TokenFailure."""
    if status >= 300:
        raise failure_of(*exchange.classify_error(status, body))
    try:
        return exchange.parse_token(body, now=now)
    except UnreadableAnswer:
        sentence = "Something answers there, but not like a token service. Check ORQADMIN_GOOGLE_TOKEN_URI."
        raise failure_of(Outcome.MISCONFIGURED, sentence) from None
