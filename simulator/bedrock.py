"""Amazon Bedrock: InvokeModel whole and streamed, CountTokens, and the lists of models, for Claude.

Source: Amazon Bedrock API reference; wording of refusals as recorded from the live service or reported by its users.
"""

import base64
import binascii
import random
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from simulator.aws_keys import caller_of_access_key, caller_of_api_key, secret_of
from simulator.call import Call, Caller
from simulator.cloud_body import check_cloud_body, check_no_schema_is_enforced, check_no_ttl_is_set, check_tool_types
from simulator.engine import Engine, read_json
from simulator.errors import ApiError, invalid
from simulator.eventstream import CONTENT_TYPE, encode_chunk, encode_exception, with_wrong_checksum
from simulator.http import send_json
from simulator.models import Model
from simulator.sending import send_stream, send_whole
from simulator.sigv4 import check_signature, read_signature
from simulator.stream import events_of
from simulator.versions import NEWEST

# The second is what the SDKs of Anthropic send since the Messages API has that version.
ANTHROPIC_VERSIONS = ("bedrock-2023-05-31", NEWEST)
# Source: Amazon Bedrock user guide, "Anthropic Claude Messages API", and reports of what it lets pass.
BETAS = frozenset(
    {
        *("claude-code-20250219", "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24"),
        *("computer-use-2025-11-24", "context-1m-2025-08-07", "context-management-2025-06-27"),
        *("dev-full-thinking-2025-05-14", "effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14"),
        *("interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "structured-outputs-2025-11-13"),
        *("structured-outputs-2025-12-15", "token-efficient-tools-2025-02-19", "tool-examples-2025-10-29"),
        "tool-search-tool-2025-10-19",
    }
)
# It runs no tools of its own.
_TOOL_TYPES = ("bash_", "computer_", "custom", "memory_", "text_editor_", "tool_search_tool_")
_SERVICE = "bedrock"
_TYPE_NAMESPACE = "http://internal.amazon.com/coral/com.amazon.bedrock/"
# The prefixes of inference profiles, and how the regions begin from which each can be called.
_AREAS: Mapping[str, tuple[str, ...]] = {
    "us-gov": ("us-gov-",),
    "us": ("us-", "ca-"),
    "eu": ("eu-",),
    "apac": ("ap-",),
    "jp": ("ap-northeast-",),
    "au": ("ap-southeast-",),
    "in": ("ap-south-",),
    "ca": ("ca-",),
    "global": ("",),
}
_PROFILE = re.compile(rf"({'|'.join(_AREAS)})\.(anthropic\..+)")
_ARN = re.compile(
    r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(foundation-model|inference-profile|application-inference-profile)/(.+)"
)
_NO_PAYMENT = (
    *(403, "AccessDeniedException"),
    "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided. Your "
    "AWS Marketplace subscription for this model cannot be completed at this time.",
)
# How the words of the Messages API, or a failure on demand, are said here.
_IN_AWS_WORDS: Mapping[str, tuple[int, str, str]] = {
    "authentication_error": (
        *(403, "UnrecognizedClientException"),
        "The security token included in the request is invalid.",
    ),
    "credit": _NO_PAYMENT,
    "billing_error": _NO_PAYMENT,
    "not_found": (404, "ResourceNotFoundException", "The requested model was not found for this account."),
    "permission_error": (
        *(403, "AccessDeniedException"),
        "You don't have access to the model with the specified model ID.",
    ),
    "rate_limit_error": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "overloaded_error": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    "api_error": (
        *(500, "InternalServerException"),
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    "timeout_error": (408, "ModelTimeoutException", "The request took too long to process. Try your request again."),
}
_EXCEPTIONS: Mapping[str, str] = {
    "invalid_request_error": "ValidationException",
    "not_found_error": "ResourceNotFoundException",
    "request_too_large": "ValidationException",
}


class BedrockAPI:
    """The runtime and, as far as it lists models, the control plane, on one origin."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._models = {name: model for model in engine.models for name in _names(model)}
        # A profile of one's own has an id that says nothing; here it is the model's.
        self._own_profiles = {model.id: model for model in engine.models if model.aws_ids}

    async def answer(self, call: Call) -> None:
        """Answer one request. Raises ApiError."""
        caller, region = self._check_access(call)
        match call.method, call.raw_path.split("/")[1:]:
            case "POST", ["model", name, "invoke"]:
                await self._invoke(call, caller, self._find_model(name, region))
            case "POST", ["model", name, "invoke-with-response-stream"]:
                await self._invoke_streamed(call, caller, self._find_model(name, region))
            case "POST", ["model", name, "count-tokens"]:
                await self._count(call, caller, self._find_model(name, region))
            case "GET", ["foundation-models"]:
                await self._send_free(call, caller, {"modelSummaries": self._list_models(call.query)})
            case "GET", ["inference-profiles"]:
                await self._send_free(call, caller, {"inferenceProfileSummaries": self._list_profiles()})
            case _:
                raise ApiError(404, "UnknownOperationException", "")

    async def refuse(self, call: Call, error: ApiError) -> None:
        """Send an error as AWS does: its name in a header, its message alone in the body."""
        status, name, message = _in_aws_words(error)
        headers = {**self._headers(call), "x-amzn-errortype": f"{name}:{_TYPE_NAMESPACE}"}
        await send_json(call.send, status, {"message": message}, headers)

    def _check_access(self, call: Call) -> tuple[Caller, str]:
        """Return who asks, and the region that a signature is for ('' with an API key, which names none)."""
        authorization = call.headers.get("authorization", "")
        if not authorization:
            raise ApiError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        if call.bearer:
            caller = caller_of_api_key(call.bearer)
            if caller is None:
                message = "Authentication failed: Please make sure your API Key is valid."
                raise ApiError(403, "AccessDeniedException", message)
            return caller, ""
        signature = read_signature(authorization)
        caller = caller_of_access_key(signature.access_key_id)
        if caller is None:
            raise ApiError(403, "authentication_error", "")
        secret = secret_of(signature.access_key_id)
        check_signature(call, signature, secret, service=_SERVICE, now=self._engine.clock())
        return caller, signature.region

    def _find_model(self, sent: str, region: str) -> Model:
        """Return the model that a percent-encoded id, profile or ARN names in ``region``. Raises ApiError 400."""
        name = unquote(sent)
        arn = _ARN.fullmatch(name)
        if arn and arn[1] == "application-inference-profile":
            model = self._own_profiles.get(arn[2])
        else:
            model = self._models.get(arn[2] if arn else name)
        profile = _PROFILE.fullmatch(arn[2] if arn else name)
        is_elsewhere = bool(profile and region and not region.startswith(_AREAS[profile[1]]))
        if model is None or is_elsewhere:
            raise invalid("The provided model identifier is invalid.")
        return model

    async def _invoke(self, call: Call, caller: Caller, model: Model) -> None:
        body = _read_invocation(call.body, model)
        reply = await self._engine.reply(call, caller, model, body, version=body["anthropic_version"])
        headers = {**self._headers(call), **_usage_headers(reply.message["usage"])}
        await send_whole(call, self._engine, reply, _message(reply.message), headers)

    async def _invoke_streamed(self, call: Call, caller: Caller, model: Model) -> None:
        body = _read_invocation(call.body, model)
        reply = await self._engine.reply(call, caller, model, body, version=body["anthropic_version"])
        frames = list(_frames(_message(reply.message), reply.dice))
        headers = {
            **self._headers(call),
            "content-type": CONTENT_TYPE,
            "x-amzn-bedrock-content-type": "application/json",
        }
        await send_stream(call, self._engine, reply, frames, headers, _Framing())

    async def _count(self, call: Call, caller: Caller, model: Model) -> None:
        asked = read_json(call.body).get("input")
        invocation = asked.get("invokeModel") if isinstance(asked, dict) else None
        if not isinstance(invocation, dict) or not isinstance(invocation.get("body"), str):
            raise invalid("The simulator counts the tokens of input.invokeModel.body, which is Base64.")
        try:
            body = base64.b64decode(invocation["body"], validate=True)
        except binascii.Error:
            raise invalid("input.invokeModel.body: invalid Base64") from None
        message = _read_invocation(body, model)
        await self._send_free(call, caller, {"inputTokens": await self._engine.count(call, caller, message)})

    async def _send_free(self, call: Call, caller: Caller, value: object) -> None:
        await self._engine.fail_free_call_if_asked(call, caller)
        await send_json(call.send, 200, value, self._headers(call))

    def _list_models(self, query: str) -> list[dict[str, object]]:
        if "byprovider=" in query.lower() and "byprovider=anthropic" not in query.lower():
            return []
        return [_summary(model) for model in self._engine.models if model.aws_ids]

    def _list_profiles(self) -> list[dict[str, object]]:
        return [_profile(model, name) for model in self._engine.models for name in model.aws_ids]

    @staticmethod
    def _headers(call: Call) -> dict[str, str]:
        request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, call.request_id))
        return {"content-type": "application/json", "x-amzn-requestid": request_id}


def _read_invocation(content: bytes, model: Model) -> dict[str, Any]:
    """Return the body of a call to ``model``. Raises ApiError 400 for what Bedrock itself does not take."""
    body = read_json(content)
    for key in ("model", "stream"):
        if key in body:
            raise _malformed(f"#: extraneous key [{key}] is not permitted")
    if "anthropic_version" not in body:
        raise _malformed("#: required key [anthropic_version] not found")
    if body["anthropic_version"] not in ANTHROPIC_VERSIONS[: 2 if _is_of_newest(model) else 1]:
        raise _malformed(f"#/anthropic_version: {body['anthropic_version']} is not a valid enum value")
    check_cloud_body(body)
    check_tool_types(body, _TOOL_TYPES)
    if "structured_outputs" in model.aws_lacks:
        check_no_schema_is_enforced(body)
    if "hourly_cache" in model.aws_lacks:
        check_no_ttl_is_set(body)
    betas = body.get("anthropic_beta") or []
    if not isinstance(betas, list) or not BETAS.issuperset(map(str, betas)):
        raise invalid("The model returned the following errors: invalid beta flag")
    return body


def _names(model: Model) -> Iterator[str]:
    """Yield every id that reaches ``model``: bare, and under each area's prefix; "global." only where it is offered."""
    for name in model.aws_ids:
        profile = _PROFILE.fullmatch(name)
        base = profile[2] if profile else name
        yield name
        yield base
        yield from (f"{area}.{base}" for area in _AREAS if area != "global")


def _is_of_newest(model: Model) -> bool:
    """True for Claude 4.7 and later, which alone have the newest version of the API here."""
    return model.has_adaptive_thinking and not model.has_manual_thinking


def _summary(model: Model) -> dict[str, object]:
    base = next(name for name in _names(model) if name.startswith("anthropic."))
    return {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{base}",
        "modelId": base,
        "modelName": model.display_name,
        "providerName": "Anthropic",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"],
        "modelLifecycle": {"status": "ACTIVE"},
    }


def _profile(model: Model, name: str) -> dict[str, object]:
    return {
        "inferenceProfileName": f"{name.partition('.')[0].upper()} {model.display_name}",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{name}",
        "inferenceProfileId": name,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "models": [],
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as Bedrock has it: an id of its own, and no service tier."""
    usage = {name: value for name, value in message["usage"].items() if name != "service_tier"}
    return {**message, "id": message["id"].replace("msg_", "msg_bdrk_"), "usage": usage}


def _frames(message: Mapping[str, Any], dice: random.Random) -> Iterator[bytes]:
    """Yield the frames that stream ``message``. There are no pings, and the last event carries the counts once more."""
    for event in events_of(message, dice):
        if event["type"] == "ping":
            continue
        metrics = {"amazon-bedrock-invocationMetrics": _metrics(message["usage"])}
        yield encode_chunk({**event, **(metrics if event["type"] == "message_stop" else {})}, dice.randint(1, 62))


def _metrics(usage: Mapping[str, Any]) -> dict[str, int]:
    return {
        "inputTokenCount": usage["input_tokens"],
        "outputTokenCount": usage["output_tokens"],
        "cacheReadInputTokenCount": usage["cache_read_input_tokens"],
        "cacheWriteInputTokenCount": usage["cache_creation_input_tokens"],
        "invocationLatency": 1_000,
        "firstByteLatency": 350,
    }


def _usage_headers(usage: Mapping[str, Any]) -> dict[str, str]:
    return {
        "x-amzn-bedrock-invocation-latency": "1000",
        "x-amzn-bedrock-input-token-count": str(usage["input_tokens"]),
        "x-amzn-bedrock-output-token-count": str(usage["output_tokens"]),
        "x-amzn-bedrock-cache-read-input-token-count": str(usage["cache_read_input_tokens"]),
        "x-amzn-bedrock-cache-write-input-token-count": str(usage["cache_creation_input_tokens"]),
    }


class _Framing:
    """The rest of an event stream: see sending.Framing. Bedrock itself sends no pings."""

    ping = encode_chunk({"type": "ping"}, padding=1)
    broken = with_wrong_checksum(ping)

    def failed(self, error: ApiError, sent: int) -> bytes:
        _, name, message = _in_aws_words(error)
        return encode_exception(name[0].lower() + name[1:], message)


def _in_aws_words(error: ApiError) -> tuple[int, str, str]:
    """Return status, exception and message; what is AWS's own already stays as it is."""
    said = _IN_AWS_WORDS.get(error.failure) or _IN_AWS_WORDS.get(error.kind)
    return said or (error.status, _EXCEPTIONS.get(error.kind, error.kind), error.message)


def _malformed(what: str) -> ApiError:
    return invalid(f"Malformed input request: {what}, please reformat your input and try again.")
