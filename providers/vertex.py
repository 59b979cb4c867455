"""Claude on Google Vertex AI: the Messages API inside Google's framing. Pure: the caller sends.

Source: Google Cloud, "Anthropic's Claude models: request predictions" and "Count tokens for Claude models"; Anthropic,
"Claude on Vertex AI", and its own Vertex clients. Betas go as the header ``anthropic-beta``, as those clients send
them: an ``anthropic_beta`` in the body is not heeded here (BerriAI/litellm#22321 tried all three).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from providers import anthropic
from providers.base import Answer, ModelCall, Outbound, Outcome, Shape, Target, UnreadableAnswer
from providers.betas import BETA_HEADER, BetaTable, betas_in
from providers.body import edit_body, peek_field
from providers.secret import Secret
from providers.sse import StreamMeter
from providers.usage import LARGEST_COUNT, read_message
from providers.vertex_account import ServiceAccountExchange
from providers.vertex_account import sensitive_parts as sensitive_parts
from providers.vertex_locations import counting_place, origin_of

API_VERSION: Final = "vertex-2023-10-16"
# What the account needs in its project, and the role that has it, as the Google Cloud console names them.
PERMISSIONS: Final[Sequence[str]] = ("aiplatform.endpoints.predict",)
ROLE: Final = "Vertex AI User"
# Counting is free, and for this model known to work (BerriAI/litellm#39597).
CHECK_MODEL: Final = "claude-sonnet-4-6"

translated_shapes: Final[frozenset[Shape]] = frozenset()
_SHAPES: Final = frozenset({Shape.MESSAGES, Shape.COUNT_TOKENS})
request_id_headers: Final[Sequence[str]] = ("request-id", "x-vertex-ai-received-request-id")
token_exchange: Final = ServiceAccountExchange()

_VERSION_FIELD: Final = "anthropic_version"
# A client may not choose who is billed, nor turn the call into another one; the version stands in the body.
_STOPPED_HEADERS: Final = ("anthropic-version", "x-goog-", "x-http-method")
# Sources: reports that quote its refusal, anthropics/claude-code#34802, #53855 (effort, which some models refuse and
# none needs), #21625, #13770, #11960, QuantumNous/new-api#2975, #4911, vercel/ai#10981; for the rest and the other
# name, BerriAI/litellm, anthropic_beta_headers_config.json.
HEADER_BETAS: Final = BetaTable(
    refused=frozenset(
        [
            "adaptive-thinking-2026-01-28",
            "advisor-tool-2026-03-01",
            "code-execution-2025-08-25",
            "effort-2025-11-24",
            "fast-mode-2026-02-01",
            "files-api-2025-04-14",
            "mcp-client-2025-04-04",
            "mcp-client-2025-11-20",
            "mcp-servers-2025-12-04",
            "oauth-2025-04-20",
            "prompt-caching-scope-2026-01-05",
            "redact-thinking-2026-02-12",
            "skills-2025-10-02",
            "structured-outputs-2025-11-13",
            "structured-outputs-2025-12-15",
            "tool-examples-2025-10-29",
            "web-fetch-2025-09-10",
        ]
    ),
    renamed={"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"},
)
# Counting refuses a request for betas that the same model takes when it answers (BerriAI/litellm#39597).
_BETAS_OF_COUNTING: Final = frozenset(
    [
        "claude-code-20250219",
        "context-management-2025-06-27",
        "effort-2025-11-24",
        "interleaved-thinking-2025-05-14",
        "token-counting-2024-11-01",
    ]
)
_PROJECT_ID: Final = re.compile(r"[a-z0-9][a-z0-9.:-]{0,99}")


class SettingsInvalid(ValueError):
    """The key's project or location cannot be one; nothing is sent then, for both become parts of the address."""


def shapes_at(target: Target) -> frozenset[Shape]:
    """Return Messages and its token count."""
    return _SHAPES


def build_request(call: ModelCall, target: Target) -> Outbound:
    """Return the POST of the call's body: its model moves into the address, the API's version into the body.

    Raises SettingsInvalid.
    """
    put = {} if _has_version(call.body) else {_VERSION_FIELD: API_VERSION}
    if call.shape == Shape.COUNT_TOKENS:
        # The one call whose body names the model.
        body = edit_body(call.body, put={**put, "model": call.model})
        return Outbound("POST", _url(target, "count-tokens:rawPredict"), _headers(call), body)
    verb = "streamRawPredict" if call.stream else "rawPredict"
    url = _url(target, f"{quote(call.model, safe='@')}:{verb}")
    return Outbound("POST", url, _headers(call), edit_body(call.body, drop=("model",), put=put))


def authorize(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with; ``secret`` is the access token."""
    return {**outbound.headers, "authorization": f"Bearer {secret.reveal()}"}


def read_answer(call: ModelCall, body: bytes) -> Answer:
    """Return a whole answer as it came."""
    return read_message(body)


def answer_stream(call: ModelCall) -> StreamMeter:
    """Return a meter that passes the stream on as it comes: the Messages API's own events."""
    return StreamMeter()


def region_of(model: str, target: Target) -> str:
    """Return the key's location: where Google processes the call, "global" if anywhere."""
    return target.settings.get("location", "")


def build_check(target: Target) -> Outbound:
    """Return the free request that proves a credential: it counts a word's tokens in the project.

    It needs the permission of a model call. Few places count; it goes to the one nearest to the key's location, unless
    the key has an address of its own, which may know only that location. Raises SettingsInvalid.
    """
    if not target.origin:
        place = _valid(counting_place, target.settings.get("location", ""))
        target = Target(settings={**target.settings, "location": place})
    body = {"model": CHECK_MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    call = ModelCall(CHECK_MODEL, msgspec.json.encode(body), shape=Shape.COUNT_TOKENS)
    return build_request(call, target)


def read_check(body: bytes) -> str:
    """Return that the account may call models. Raises UnreadableAnswer if the body holds no count."""
    try:
        counted = msgspec.json.decode(body, type=_Counted).input_tokens
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        counted = 0
    if not 0 < counted <= LARGEST_COUNT:
        raise UnreadableAnswer("The count of tokens could not be read.")
    return "the account may call Claude there"


def build_test_message(model: str, target: Target) -> ModelCall:
    """Return the smallest message that shows ``model`` answering: a few tokens in, at most 16 out."""
    return anthropic.build_test_message(model, target)


def classify_error(status: int, body: bytes, headers: Mapping[str, str] = {}) -> tuple[Outcome, str]:
    """Return what an answer of ``status`` >= 400 means and the provider's own message ('' if it has none).

    Google answers for what never reached the model, in its own form; the rest has Anthropic's form.
    Source: Google, AIP-193 and google.rpc.Code; google.api.ErrorReason.
    """
    outcome, message = anthropic.classify_error(status, body)
    error = _google_error(body)
    if error is None:
        return (Outcome.OVERLOADED if status == 503 else outcome), message
    if error.is_about_billing:
        return Outcome.NO_CREDIT, error.message
    if "not allowed to use Publisher Model" in error.message:
        return Outcome.MODEL_NOT_AVAILABLE, error.message
    return _OUTCOMES.get(error.status, outcome), error.message


_OUTCOMES: Final = {
    "UNAUTHENTICATED": Outcome.INVALID_CREDENTIAL,
    "PERMISSION_DENIED": Outcome.NO_PERMISSION,
    "NOT_FOUND": Outcome.MODEL_NOT_AVAILABLE,
    "RESOURCE_EXHAUSTED": Outcome.RATE_LIMITED,
    "UNAVAILABLE": Outcome.OVERLOADED,
    "DEADLINE_EXCEEDED": Outcome.TIMEOUT,
    "INTERNAL": Outcome.PROVIDER_ERROR,
    "UNKNOWN": Outcome.PROVIDER_ERROR,
    "FAILED_PRECONDITION": Outcome.INVALID_REQUEST,
    "INVALID_ARGUMENT": Outcome.INVALID_REQUEST,
    "OUT_OF_RANGE": Outcome.INVALID_REQUEST,
}


class _Counted(msgspec.Struct):
    input_tokens: int


class _GoogleError(msgspec.Struct):
    code: int
    message: str = ""
    status: str = ""
    details: list[Any] = []

    @property
    def is_about_billing(self) -> bool:
        """True when the project's billing is off: nothing works before it is on again."""
        reasons = [detail.get("reason") for detail in self.details if isinstance(detail, dict)]
        return "BILLING_DISABLED" in reasons or "billing to be enabled" in self.message


class _GoogleAnswer(msgspec.Struct):
    error: _GoogleError


_google_decoder = msgspec.json.Decoder(_GoogleAnswer | list[_GoogleAnswer])


def _google_error(body: bytes) -> _GoogleError | None:
    try:
        answer: _GoogleAnswer | list[_GoogleAnswer] = _google_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(answer, list):
        # Where a stream was asked for, a failure comes as a list of one.
        return answer[0].error if answer else None
    return answer.error


def _url(target: Target, model_and_verb: str) -> str:
    project, location = target.settings.get("project_id", ""), target.settings.get("location", "")
    if not _PROJECT_ID.fullmatch(project):
        raise SettingsInvalid("This is not the ID of a Google Cloud project.")
    origin = target.origin or _valid(origin_of, location)
    path = f"/v1/projects/{project}/locations/{quote(location, safe='')}/publishers/anthropic/models/{model_and_verb}"
    return origin + path


def _valid(asked: Callable[[str], str], location: str) -> str:
    try:
        return asked(location)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from None


def _headers(call: ModelCall) -> Mapping[str, str]:
    headers = {name: value for name, value in call.headers.items() if not name.startswith(_STOPPED_HEADERS)}
    if betas := _passed_on(headers.pop(BETA_HEADER, ""), call.shape):
        headers[BETA_HEADER] = ",".join(betas)
    return {"content-type": "application/json", **headers}


def _passed_on(header: str, shape: Shape) -> list[str]:
    if shape == Shape.COUNT_TOKENS:
        return [beta for beta in betas_in(header) if beta in _BETAS_OF_COUNTING]
    return HEADER_BETAS.passed_on(header)


def _has_version(body: bytes) -> bool:
    # The words alone are cheap to look for, and nearly never there.
    return _VERSION_FIELD.encode() in body and peek_field(body, _VERSION_FIELD) is not None
