"""What every provider module is, and what they share: the request built, the counts read, the failures named."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from providers.secret import Secret


class Shape(StrEnum):
    """The language of a model call's body and of its answer."""

    MESSAGES = "messages"  # Anthropic Messages, the inner language
    COUNT_TOKENS = "count_tokens"  # Messages, of which only the input is counted
    CHAT = "chat"  # OpenAI Chat Completions
    RESPONSES = "responses"  # OpenAI Responses


class Target(msgspec.Struct, frozen=True):
    """Where the calls of one provider key go.

    ``origin`` is its base URL without a slash at the end, empty for the provider's own address; ``settings`` are the
    key's (region, project_id, …).
    """

    origin: str = ""
    settings: Mapping[str, str] = {}


class ModelTraits(msgspec.Struct, frozen=True):
    """What is known of a model that its provider offers.

    ``efforts`` are the levels of reasoning effort it takes, none if it does not reason; ``max_output_tokens`` is None
    where its makers have not told.
    """

    efforts: Collection[str] = ()
    max_output_tokens: int | None = None


class ModelCall(msgspec.Struct, frozen=True):
    """One call to a model, before it takes a provider's form.

    ``model`` is the provider's own id, and ``body`` (JSON in the language of ``shape``) holds it too. ``headers`` are
    the client's own, in lower case, as far as they pass (anthropic-version, anthropic-beta, …). ``traits`` are the
    model's, None for one that nobody here knows.
    """

    model: str
    body: bytes
    stream: bool = False
    shape: Shape = Shape.MESSAGES
    headers: Mapping[str, str] = {}
    traits: ModelTraits | None = None


class Outbound(msgspec.Struct, frozen=True):
    """One upstream HTTP request without its credential; any HTTP client can send it.

    ``region`` is what ``authorize`` signs for, empty for providers whose signatures know no region.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    region: str = ""


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


class NotTranslatable(ValueError):
    """A request holds what cannot be said in the provider's language; nothing is sent.

    ``param`` is the path of the field at fault (``tools.0.type``), ``message`` says what to do about it.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


class WrongRegion(ValueError):
    """The region of a provider key cannot serve the model; nothing is sent. The text says why, and what to do."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: its bytes in the call's shape, what it used, and the model that it says answered."""

    body: bytes
    counts: TokenCounts
    model: str = ""


class StreamError(msgspec.Struct, frozen=True):
    """The failure that broke a streamed answer off, as the provider names it."""

    type: str
    message: str


class AnswerStream(Protocol):
    """Reads one streamed answer: passes it on as server-sent events in the call's shape, and meters it.

    The properties tell what is known so far; ``counts`` are cumulative and ``text_chars`` (text, thinking and tool
    arguments) is exact. ``is_complete`` is true once the provider said that the answer is whole.
    """

    @property
    def first_token_seen(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, cut anywhere, and return what goes on. Raises UnreadableAnswer."""
        ...

    def end(self) -> bytes:
        """Take the end of a body that did not break off, and return what is still to go on. Raises UnreadableAnswer."""
        ...

    @property
    def counts(self) -> TokenCounts: ...

    @property
    def model(self) -> str | None: ...

    @property
    def stop_reason(self) -> str | None: ...

    @property
    def error(self) -> StreamError | None: ...

    @property
    def is_complete(self) -> bool: ...

    @property
    def text_chars(self) -> int: ...


class AccessToken(msgspec.Struct, frozen=True):
    """A short-lived credential got for a stored one; ``expires_at`` in Unix seconds."""

    secret: Secret
    expires_at: float


class TokenExchange(Protocol):
    """How a stored credential is turned into the one that calls are sent with."""

    def build_request(self, secret: Secret, *, now: float, token_uri: str = "") -> Outbound:
        """Return the request that asks for a token, at the provider's own address unless ``token_uri`` is another.

        Raises ValueError, whose text is for people, if the secret is not what it should be.
        """
        ...

    def parse_token(self, body: bytes, *, now: float) -> AccessToken:
        """Return the token in the answer. Raises UnreadableAnswer."""
        ...

    def classify_error(self, status: int, body: bytes) -> tuple[Outcome, str]:
        """Return what an answer of ``status`` >= 300 means, and a sentence that says what to do."""
        ...


class ProviderAPI(Protocol):
    """A provider's module. Everything in it is pure: the caller sends.

    ``authorize`` and ``token_exchange`` are the only ones that see the secret; with a ``token_exchange``, ``authorize``
    gets the access token in the secret's place.
    """

    @property
    def translated_shapes(self) -> frozenset[Shape]:
        """The shapes it takes by turning them into its own language and back; errors come in its own."""
        ...

    @property
    def request_id_headers(self) -> Sequence[str]:
        """The reply headers that may hold the provider's own id of the request, best first."""
        ...

    @property
    def token_exchange(self) -> TokenExchange | None: ...

    def shapes_at(self, target: Target) -> frozenset[Shape]:
        """Return the shapes it takes there; a body in another is translated into Messages first."""
        ...

    def build_request(self, call: ModelCall, target: Target) -> Outbound:
        """Return the request to send, without its credential."""
        ...

    def authorize(self, outbound: Outbound, secret: Secret) -> Mapping[str, str]:
        """Return the headers to send ``outbound`` with, the credential among them."""
        ...

    def sensitive_parts(self, secret: Secret) -> Sequence[str]:
        """Return the texts within the stored secret that may never come out again, in a provider's error either."""
        ...

    def read_answer(self, call: ModelCall, body: bytes) -> Answer:
        """Return a whole answer. Counts that are missing are not known.

        Raises UnreadableAnswer if the body has to be translated and cannot be.
        """
        ...

    def answer_stream(self, call: ModelCall) -> AnswerStream:
        """Return what reads one streamed answer."""
        ...

    def classify_error(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> tuple[Outcome, str]:
        """Return what an answer of ``status`` >= 400 means and the provider's own message ('' if it has none).

        With 200 it is asked of a failure that came inside a stream.
        ``headers`` are the answer's, by lower-case name; some providers name the error only there.
        """
        ...

    def region_of(self, model: str, target: Target) -> str:
        """Return where ``model`` is served: a region, an area ("us", "eu", …), "global", or '' if nobody says.

        Raises WrongRegion if the key's own region cannot call it.
        """
        ...

    def build_check(self, target: Target) -> Outbound:
        """Return the free request that proves a credential."""
        ...

    def read_check(self, body: bytes) -> str:
        """Return what a check's answer says, as half a sentence ("9 models available"). Raises UnreadableAnswer."""
        ...

    def build_test_message(self, model: str, target: Target) -> ModelCall:
        """Return the smallest call that shows ``model`` answering: a few tokens in, at most 16 out."""
        ...
