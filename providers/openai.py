"""OpenAI, and every server that speaks its language: build requests, read answers, name failures. Pure.

Chat completions and responses pass as they are. A Messages call is translated into chat completions and back.
Source: OpenAI API reference (Chat, Responses, Models), and its guide "Error codes".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from providers.base import (
    Answer,
    AnswerStream,
    ModelCall,
    NotTranslatable,
    Outbound,
    Outcome,
    Shape,
    Target,
    UnreadableAnswer,
)
from providers.body import edit_body, peek_field
from providers.openai_answer import to_message
from providers.openai_chat import TRANSLATION_RULES as TRANSLATION_RULES
from providers.openai_chat import to_chat
from providers.openai_errors import classify_openai_error
from providers.openai_events import MessagesStream
from providers.openai_passing import without_cache_marks
from providers.openai_stream import ChatReading, PassingStream, ResponsesReading
from providers.openai_usage import read_openai_answer
from providers.secret import Secret

DEFAULT_ORIGIN: Final = "https://api.openai.com"

translated_shapes: Final = frozenset({Shape.MESSAGES})
request_id_headers: Final[Sequence[str]] = ("x-request-id",)
token_exchange: Final = None

_SHAPES: Final = frozenset({Shape.MESSAGES, Shape.CHAT, Shape.RESPONSES})
_PATHS: Final = {
    Shape.MESSAGES: "/chat/completions",
    Shape.CHAT: "/chat/completions",
    Shape.RESPONSES: "/responses",
}
_JSON_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json"}
_VERSION_IN_PATH: Final = re.compile(r"/v\d[^/]*(/|$)")


def shapes_at(target: Target) -> frozenset[Shape]:
    """Return the shapes that ``target`` takes: responses only where its setting, or OpenAI itself, says so."""
    has_responses = target.settings.get("responses") or ("yes" if _is_openai(target) else "no")
    return _SHAPES if has_responses == "yes" else _SHAPES - {Shape.RESPONSES}


def build_request(call: ModelCall, target: Target) -> Outbound:
    """Return the POST of the call; a streamed chat completion is asked for its usage.

    Raises NotTranslatable, naming the field, for a Messages body that chat completions cannot say.
    """
    # The client's headers were written for Anthropic; some would choose the organization that pays.
    return Outbound("POST", _url(target, _PATHS[call.shape]), _JSON_HEADERS, _body(call, target))


def authorize(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with, the credential among them."""
    return {**outbound.headers, "authorization": f"Bearer {secret.reveal()}"}


def sensitive_parts(secret: Secret) -> Sequence[str]:
    """Return the key itself."""
    return (secret.reveal(),)


def read_answer(call: ModelCall, body: bytes) -> Answer:
    """Return a whole answer: as it came, or for a Messages call translated. Raises UnreadableAnswer for the latter."""
    return to_message(call, body) if call.shape is Shape.MESSAGES else read_openai_answer(body)


def answer_stream(call: ModelCall) -> AnswerStream:
    """Return what passes one stream on, or for a Messages call translates it."""
    if call.shape is Shape.MESSAGES:
        return MessagesStream(call)
    if call.shape is Shape.RESPONSES:
        return PassingStream(ResponsesReading())
    return PassingStream(ChatReading(), holds_back_usage=not _asks_for_usage(call.body))


def classify_error(status: int, body: bytes, headers: Mapping[str, str] = {}) -> tuple[Outcome, str]:
    """Return what an answer of ``status`` >= 400 means and the provider's own message ('' if it has none)."""
    return classify_openai_error(status, body)


def region_of(model: str, target: Target) -> str:
    """Return '': OpenAI does not say where it serves a call."""
    return ""


def build_check(target: Target) -> Outbound:
    """Return the free request that proves a credential: the model list."""
    return Outbound("GET", _url(target, "/models"), _JSON_HEADERS)


def read_check(body: bytes) -> str:
    """Return how many models a list-models answer has. Raises UnreadableAnswer if the body is not that shape."""
    return f"{len(parse_models(body))} models available"


def build_test_message(model: str, target: Target) -> ModelCall:
    """Return the smallest chat completion that shows ``model`` answering: a few tokens in, at most 16 out.

    A model that reasons may spend these on it, for which OpenAI has an error of its own: see ``is_cut_short``.
    """
    limit = "max_completion_tokens" if _is_openai(target) else "max_tokens"
    body = {"model": model, limit: 16, "messages": [{"role": "user", "content": "Reply with the word OK."}]}
    return ModelCall(model, msgspec.json.encode(body), shape=Shape.CHAT)


def parse_models(body: bytes) -> list[str]:
    """Return the model ids in a list-models answer, in the provider's order; some servers send the bare array.

    Raises UnreadableAnswer if the body is not that shape.
    """
    try:
        answer = msgspec.json.decode(body, type=_ModelList | list[_Model])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("The list of models could not be read.") from None
    return [model.id for model in (answer if isinstance(answer, list) else answer.data)]


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


def _is_openai(target: Target) -> bool:
    host = urlsplit(target.origin or DEFAULT_ORIGIN).hostname or ""
    # Keys that are bound to a region call eu.api.openai.com and the like.
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def _url(target: Target, path: str) -> str:
    """Return the address of ``path``; a base URL that names its version ("…/v1", "…/v1beta/openai") gets no other."""
    base = target.origin or DEFAULT_ORIGIN
    return base + ("" if _VERSION_IN_PATH.search(urlsplit(base).path) else "/v1") + path


def _body(call: ModelCall, target: Target) -> bytes:
    is_openai = _is_openai(target)
    if call.shape is Shape.MESSAGES:
        return to_chat(call, is_openai=is_openai)
    body = without_cache_marks(call.body) if is_openai else call.body
    return _asking_for_usage(body) if call.shape is Shape.CHAT and call.stream else body


def _asking_for_usage(body: bytes) -> bytes:
    if _asks_for_usage(body):
        return body
    options = _stream_options(body)
    if options is None or bytes(options) == b"null":
        return edit_body(body, put={"stream_options": {"include_usage": True}})
    try:
        asking = edit_body(bytes(options), put={"include_usage": True})
    except msgspec.DecodeError:
        raise NotTranslatable("stream_options", "stream_options must be an object.") from None
    return edit_body(body, put={"stream_options": msgspec.Raw(asking)})


def _asks_for_usage(body: bytes) -> bool:
    options = _stream_options(body)
    try:
        return options is not None and _decode_options(options).get("include_usage") is True
    except msgspec.DecodeError:
        return False


def _decode_options(options: msgspec.Raw) -> dict[str, Any]:
    return msgspec.json.decode(options, type=dict[str, Any])


def _stream_options(body: bytes) -> msgspec.Raw | None:
    return peek_field(body, "stream_options")
