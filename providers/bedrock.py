"""Claude on Amazon Bedrock: build requests, read answers, name failures. Pure: the caller sends.

The stored secret is the JSON text of a credential (``parse_credential``); the host's own AWS identity is never used.
Settings: ``region``, one of REGIONS, and ``inference_profile``, one of INFERENCE_PROFILES or absent.
Source: Amazon Bedrock Runtime API Reference (InvokeModel, InvokeModelWithResponseStream, CountTokens), Amazon Bedrock
API Reference (ListFoundationModels), Anthropic API reference ("Claude on Amazon Bedrock").
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from providers.aws_credentials import authorized_headers, secrets_in
from providers.aws_credentials import parse_credential as parse_credential
from providers.aws_regions import INFERENCE_PROFILES as INFERENCE_PROFILES
from providers.aws_regions import REGIONS as REGIONS
from providers.aws_regions import arn_region, foundation_model, known_region, region_served_in, resolve_model
from providers.aws_regions import has_own_profiles as has_own_profiles
from providers.base import Answer, ModelCall, NotTranslatable, Outbound, Shape, Target, TokenCounts, UnreadableAnswer
from providers.bedrock_errors import classify_error as classify_error
from providers.bedrock_stream import BedrockStream
from providers.betas import BETA_HEADER, BetaTable
from providers.body import edit_body, peek_field
from providers.secret import Secret
from providers.usage import read_message

API_VERSION: Final = "bedrock-2023-05-31"
PERMISSIONS: Final = (
    "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for the models and their inference profiles, "
    "bedrock:CountTokens to count tokens, bedrock:ListFoundationModels for the free check; "
    "with a Bedrock API key also bedrock:CallWithBearerToken."
)
# Sources: router-for-me/CLIProxyAPI#4750 (each tried alone); BerriAI/litellm#19875 and its
# anthropic_beta_headers_config.json; anthropics/claude-code#49370 and #49648 (claude-code-20250219, which asks for
# nothing and is refused by some models), #30926 (the other name).
HEADER_BETAS: Final = BetaTable(
    refused=frozenset(
        [
            "advisor-tool-2026-03-01",
            "claude-code-20250219",
            "code-execution-2025-05-22",
            "code-execution-2025-08-25",
            "fast-mode-2026-02-01",
            "files-api-2025-04-14",
            "mcp-servers-2025-12-04",
            "oauth-2025-04-20",
            "per-turn-control-2026-07-01",
            "prompt-caching-scope-2026-01-05",
            "redact-thinking-2026-02-12",
            "skills-2025-10-02",
            "token-efficient-tools-2026-03-28",
            "web-fetch-2025-09-10",
        ]
    ),
    renamed={"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"},
)

translated_shapes: Final[frozenset[Shape]] = frozenset()
request_id_headers: Final[Sequence[str]] = ("x-amzn-requestid",)
token_exchange: Final = None

_SHAPES: Final = frozenset({Shape.MESSAGES, Shape.COUNT_TOKENS})
_JSON_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json", "accept": "application/json"}
# The longest an id may be is AWS's own limit; a first character other than a dot keeps the path what it is.
_MODEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,2047}")
# CountTokens wants a body that InvokeModel would take, which has to have max_tokens, and more of them than thinking.
_COUNTED_MAX_TOKENS: Final = 1024


def shapes_at(target: Target) -> frozenset[Shape]:
    """Return the shapes that Bedrock takes, whatever its address."""
    return _SHAPES


def build_request(call: ModelCall, target: Target) -> Outbound:
    """Return the POST of the call's body in the form that Bedrock takes.

    ``model`` and ``stream`` leave the body, ``anthropic_version`` and the betas of the client's header enter it, but
    for those known to be refused; its headers, which are Anthropic's or nobody's, do not go on. Raises WrongRegion if
    the key's region cannot serve the model, NotTranslatable if no model can have such an id.
    """
    region, model = _region_and_model(call, target)
    body = _invoke_body(call)
    if call.shape is Shape.COUNT_TOKENS:
        action, body = "count-tokens", _count_body(body)
    else:
        action = "invoke-with-response-stream" if call.stream else "invoke"
    # A colon stays as it is: whatever rewrites URLs on the way (yarl, httpx) would put it back, and the signature is
    # over the path as sent. The slash in an ARN must not separate.
    url = f"{_origin(target, 'bedrock-runtime', region)}/model/{quote(model, safe=':')}/{action}"
    return Outbound("POST", url, _JSON_HEADERS, body, region)


def authorize(outbound: Outbound, secret: Secret) -> Mapping[str, str]:
    """Return the headers to send ``outbound`` with, signed as of now or with the API key.

    Raises ValueError if the secret is no AWS credential.
    """
    return authorized_headers(outbound, secret)


def sensitive_parts(secret: Secret) -> Sequence[str]:
    """Return the secret access key, or the API key."""
    return secrets_in(secret)


def read_answer(call: ModelCall, body: bytes) -> Answer:
    """Return a whole answer: a message as it came, a count as Anthropic's API words it.

    Raises UnreadableAnswer if a count cannot be read.
    """
    if call.shape is not Shape.COUNT_TOKENS:
        return read_message(body)
    try:
        counted = msgspec.json.decode(body, type=_Counted).inputTokens
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("The count of tokens could not be read.") from None
    return Answer(msgspec.json.encode({"input_tokens": counted}), TokenCounts())


def answer_stream(call: ModelCall) -> BedrockStream:
    """Return what reads one event stream."""
    return BedrockStream()


def region_of(model: str, target: Target) -> str:
    """Return the area of the inference profile that ``model`` is called by ("us", "global", …), else the region.

    Raises WrongRegion if the key's region cannot call it.
    """
    region, profile = target.settings.get("region", ""), target.settings.get("inference_profile", "")
    return region_served_in(resolve_model(model, region=region, profile=profile), region=region)


def build_check(target: Target) -> Outbound:
    """Return the free request that proves a credential: Anthropic's models in the key's region. Raises WrongRegion."""
    region = known_region(target.settings.get("region", ""))
    url = f"{_origin(target, 'bedrock', region)}/foundation-models?byProvider=anthropic"
    return Outbound("GET", url, {"accept": "application/json"}, region=region)


def read_check(body: bytes) -> str:
    """Return how many models a ListFoundationModels answer has, and where. Raises UnreadableAnswer."""
    try:
        models = msgspec.json.decode(body, type=_ModelList).modelSummaries
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableAnswer("The list of models could not be read.") from None
    regions = {region for model in models if (region := arn_region(model.modelArn))}
    return f"{len(models)} Anthropic models" + (f" in {', '.join(sorted(regions))}" if regions else "")


def build_test_message(model: str, target: Target) -> ModelCall:
    """Return the smallest message that shows ``model`` answering: a few tokens in, at most 16 out."""
    body = {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "Reply with the word OK."}]}
    return ModelCall(model, msgspec.json.encode(body))


class _Counted(msgspec.Struct):
    inputTokens: int


class _ModelSummary(msgspec.Struct):
    modelArn: str = ""


class _ModelList(msgspec.Struct):
    modelSummaries: list[_ModelSummary]


def _region_and_model(call: ModelCall, target: Target) -> tuple[str, str]:
    region = known_region(target.settings.get("region", ""))
    if not _MODEL_ID.fullmatch(call.model):
        raise NotTranslatable("model", "Bedrock's model ids have letters, digits and -._:/ only. Copy it from AWS.")
    model = resolve_model(call.model, region=region, profile=target.settings.get("inference_profile", ""))
    # CountTokens knows models, not the inference profiles that newer ones are called by.
    return region, foundation_model(model) if call.shape is Shape.COUNT_TOKENS else model


def _origin(target: Target, service: str, region: str) -> str:
    return target.origin or f"https://{service}.{region}.amazonaws.com"


def _invoke_body(call: ModelCall) -> bytes:
    put: dict[str, object] = {}
    if betas := _merged_betas(call):
        put["anthropic_beta"] = betas
    if _field(call.body, "anthropic_version") is None:
        put["anthropic_version"] = API_VERSION
    return edit_body(call.body, drop=("model", "stream"), put=put)


def _merged_betas(call: ModelCall) -> list[str] | None:
    """Return the body's betas and then the header's, each once; None if the body's list can stay as it is."""
    in_header = HEADER_BETAS.passed_on(call.headers.get(BETA_HEADER, ""))
    if not in_header:
        return None
    in_body = _decoded(_field(call.body, "anthropic_beta"))
    if in_body is not None and not _is_texts(in_body):
        return None  # not a list of betas: AWS says best what is wrong with it
    return list(dict.fromkeys([*(in_body or ()), *in_header]))


def _count_body(body: bytes) -> bytes:
    if _field(body, "max_tokens") is None:
        thinking = _decoded(_field(body, "thinking"))
        budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
        body = edit_body(body, put={"max_tokens": budget + 1 if type(budget) is int else _COUNTED_MAX_TOKENS})
    return msgspec.json.encode({"input": {"invokeModel": {"body": b64encode(body).decode()}}})


def _field(body: bytes, name: str) -> msgspec.Raw | None:
    # Bodies are long and most have none of these fields: look before parsing.
    return peek_field(body, name) if f'"{name}"'.encode() in body else None


def _decoded(value: msgspec.Raw | None) -> Any:
    return None if value is None else msgspec.json.decode(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
