"""What every provider module shares: the request it builds, the counts it reads, the failures it names."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Outbound(msgspec.Struct, frozen=True):
    """One upstream HTTP request without its credential; any HTTP client can send it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class TokenCounts(msgspec.Struct, frozen=True):
    """Five disjoint token counts of one attempt; None where the provider reported nothing.

    ``reasoning_output`` is a part of ``output``. Missing is not zero: an explicit 0 stays 0.
    """

    uncached_input: int | None = None
    cache_read_input: int | None = None
    cache_write_5m_input: int | None = None
    cache_write_1h_input: int | None = None
    output: int | None = None
    reasoning_output: int | None = None
    web_searches: int | None = None

    @property
    def is_known(self) -> bool:
        """True when the provider reported both what went in and what came out."""
        return self.uncached_input is not None and self.output is not None

    @property
    def input_total(self) -> int:
        """All input tokens: uncached, read from cache and written to it."""
        return (
            (self.uncached_input or 0)
            + (self.cache_read_input or 0)
            + (self.cache_write_5m_input or 0)
            + (self.cache_write_1h_input or 0)
        )


class Outcome(StrEnum):
    """How a call to a provider ended, in the words shown for test calls and stored as an error's cause."""

    OK = "ok"
    INVALID_CREDENTIAL = "invalid_credential"
    NO_PERMISSION = "no_permission"
    MODEL_NOT_AVAILABLE = "model_not_available"
    NO_CREDIT = "no_credit"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    PROVIDER_ERROR = "provider_error"
    MISCONFIGURED = "misconfigured"
    INVALID_REQUEST = "invalid_request"


class UnreadableAnswer(ValueError):
    """The provider's answer does not have the documented shape."""
