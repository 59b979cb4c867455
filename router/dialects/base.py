"""What the three dialects share: the request as parsed, the facts they need, and the shape each of them has.

The inner language is Anthropic Messages: request body, answer body and stream events. A dialect turns its clients'
shape into it and back. Everything here is pure: time and ids come in as arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from providers.base import TokenCounts


class RequestRefused(Exception):
    """The client's request is wrong; nothing is sent upstream.

    ``code`` is one of the wire contract's error codes, ``param`` the path of the field at fault
    (``messages.2.content.0.type``), ``message`` says what to do about it; ``headers`` go with the reply.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        status: int = 400,
        code: str = "invalid_request_body",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.status = status
        self.code = code
        self.headers = headers or {}


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What translation must know of the model that will answer.

    ``max_output_tokens`` is the most it gives, ``default_max_tokens`` what is asked for where the client leaves it
    out (by default the most). ``thinking`` holds the kinds it has ("enabled": a token budget; "adaptive"),
    ``efforts`` the levels its ``output_config.effort`` takes (by default those that every adaptive model takes).
    ``thinking_off`` holds the kinds that tell it not to think ("disabled", "between_tools"; none where it always
    does), which go with an effort of at most ``thinking_off_up_to`` (empty: with any). ``structured_outputs`` says
    whether it enforces a JSON schema, ``takes_sampling`` whether it takes ``temperature``, ``top_p`` and ``top_k``,
    ``forces_tools`` whether it can be made to call a tool, ``caches_hourly`` whether a prompt can be cached for an
    hour, ``needs_max_tokens`` whether its provider wants a limit named. ``takes_urls`` is false where the provider
    fetches no images or documents itself, so that they must come as base64.
    """

    max_output_tokens: int
    default_max_tokens: int | None = None
    thinking: frozenset[str] = frozenset()
    efforts: frozenset[str] = frozenset({"low", "medium", "high"})
    structured_outputs: bool = True
    thinking_off: frozenset[str] = frozenset({"disabled"})
    thinking_off_up_to: str = ""
    takes_sampling: bool = True
    forces_tools: bool = True
    refuses_temperature_with_top_p: bool = False
    caches_hourly: bool = True
    needs_max_tokens: bool = True
    takes_urls: bool = True


class Retry(msgspec.Struct, frozen=True):
    """How often to try the same model again (1 to 5), and on which HTTP statuses (empty: the default ones)."""

    count: int
    on_codes: tuple[int, ...] = ()


class WeightedModel(msgspec.Struct, frozen=True):
    """One arm of a load balancer."""

    model: str
    weight: float


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that steer the gateway rather than the model, validated; also read from the deprecated ``orq``.

    ``fallback_on_codes`` are the HTTP statuses on which the next of ``fallbacks`` is tried (empty: the default ones).
    """

    identity: Mapping[str, Any] | None = None
    metadata: Mapping[str, str] = {}
    thread: Mapping[str, Any] | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    fallback_on_codes: tuple[int, ...] = ()
    retry: Retry | None = None
    timeout_ms: int | None = None
    load_balancer: tuple[WeightedModel, ...] = ()
    integration_id: str | None = None

    @property
    def steers(self) -> bool:
        """Whether the request chooses its way itself: keys, models, how often to try."""
        steering = (self.fallbacks, self.fallback_on_codes, self.load_balancer, self.integration_id, self.retry)
        return any(steering)

    @property
    def identity_id(self) -> str | None:
        """The ``id`` of the identity, if the client sent one."""
        return self.identity.get("id") if self.identity else None

    @property
    def thread_id(self) -> str | None:
        """The ``id`` of the thread, if the client sent one."""
        return self.thread.get("id") if self.thread else None


class ParsedRequest(msgspec.Struct):
    """A request body that is JSON of the right outline. ``body`` is the client's own, decoded.

    The native dialect leaves ``body`` empty and keeps ``raw``, which goes upstream byte for byte.
    """

    model: str
    stream: bool
    options: CallOptions
    body: dict[str, Any]
    raw: bytes = b""


class CostSplit(msgspec.Struct, frozen=True):
    """What an answer cost, in nano-dollars: ``input_nano_usd`` covers uncached input, cache reads and writes."""

    input_nano_usd: int
    output_nano_usd: int


class ReplyContext(msgspec.Struct):
    """What a reply needs beside the answer. ``created`` is in Unix seconds; ``model`` is the name the reply gives.

    ``now`` (Unix seconds) dates the end of an answer; without it the end is ``created``.
    """

    request_id: str
    model: str
    created: int
    cost_usd: Callable[[TokenCounts], CostSplit | None]
    request: ParsedRequest
    now: Callable[[], int] | None = None


class StreamRenderer(Protocol):
    """Turns the inner stream's events, one by one, into the bytes of the client's own event stream."""

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """Return what the client gets for one Messages event, possibly nothing."""
        ...

    def finish(self) -> bytes:
        """Return what closes the stream after the last event; an answer cut short closes as a failure."""
        ...

    def fail(self, code: str, message: str) -> bytes:
        """Return what tells the client that the answer broke off; nothing may follow."""
        ...


class Dialect(Protocol):
    """One client shape.

    ``gateway_fields`` are the top-level fields of a body that are the gateway's own: a provider that takes the shape
    itself must not see them.
    """

    name: str
    gateway_fields: frozenset[str]

    def parse(self, raw: bytes) -> ParsedRequest:
        """Return the request in ``raw``. Raises RequestRefused, and nothing else, for whatever is wrong with it."""
        ...

    def to_messages(self, parsed: ParsedRequest, facts: ModelFacts) -> dict[str, Any]:
        """Return the Messages body, without ``model``. Raises RequestRefused naming the field."""
        ...

    def left_out(self, parsed: ParsedRequest, facts: ModelFacts) -> list[str]:
        """Return the top-level fields of the request that ``to_messages`` makes nothing of."""
        ...

    def render_answer(self, answer: bytes | Mapping[str, Any], context: ReplyContext) -> bytes:
        """Return the client's JSON for a Messages answer. Raises UnreadableAnswer if it is not one."""
        ...

    def stream_renderer(self, context: ReplyContext) -> StreamRenderer:
        """Return a renderer for one stream."""
        ...

    def render_error(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        error_type: str | None = None,
        extra: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> bytes:
        """Return the error body in this dialect's envelope; ``extra`` adds fields beside ``message``."""
        ...


_ERROR_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_type_of(status: int) -> str:
    """Return the ``error.type`` that goes with an HTTP status when nothing more exact is known."""
    return _ERROR_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
