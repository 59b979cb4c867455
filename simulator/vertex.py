"""Claude on Google's Vertex AI: rawPredict, streamRawPredict, token counts, models, and the endpoint that gives tokens.

Source: Google Cloud documentation, "Claude request/response"; wording of refusals as reported by its users. What the
model refuses comes in Anthropic's envelope; what Google refuses comes in Google's, in an array where a stream was
asked for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from simulator.call import Call, Caller
from simulator.cloud_body import check_cloud_body
from simulator.engine import Engine, read_json
from simulator.errors import ApiError, invalid
from simulator.google_keys import (
    TOKEN_URI,
    AssertionRefused,
    account_of,
    caller_of_account,
    check_assertion,
    make_token,
    project_of,
)
from simulator.http import send_json
from simulator.models import Model
from simulator.sending import send_stream, send_whole
from simulator.stream import EventFraming, events_of, frame
from simulator.versions import NEWEST

# The second is what the SDKs of Anthropic send since the Messages API has that version.
ANTHROPIC_VERSIONS = ("vertex-2023-10-16", NEWEST)
# Source: reports that quote the refusal (anthropics/claude-code#13770, #21625, #34802).
REFUSED_BETAS = frozenset(
    {
        *("adaptive-thinking-2026-01-28", "advanced-tool-use-2025-11-20", "effort-2025-11-24", "fast-mode-2026-02-01"),
        *("oauth-2025-04-20", "prompt-caching-scope-2026-01-05", "structured-outputs-2025-12-15"),
    }
)
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LOCATION = re.compile(r"global|us|eu|[a-z]+-[a-z]+\d{1,2}")
_COUNTING = "count-tokens"
_NO_BILLING = (
    *(403, "PERMISSION_DENIED"),
    "This API method requires billing to be enabled. Please enable billing on the project and retry.",
)
# How a failure on demand, or the words of the Messages API, are said by Google: status, name and message.
_IN_GOOGLE_WORDS: Mapping[str, tuple[int, str, str]] = {
    "authentication_error": (
        *(401, "UNAUTHENTICATED"),
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    ),
    "credit": _NO_BILLING,
    "billing_error": _NO_BILLING,
    "not_found": (404, "NOT_FOUND", "Publisher Model was not found or your project does not have access to it."),
    "permission_error": (
        *(403, "PERMISSION_DENIED"),
        "Permission 'aiplatform.endpoints.predict' denied on resource (or it may not exist).",
    ),
    "rate_limit_error": (
        *(429, "RESOURCE_EXHAUSTED"),
        "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model. Please submit a quota "
        "increase request. https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
    ),
    "api_error": (500, "INTERNAL", "Internal error encountered."),
    "timeout_error": (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}


class VertexAPI:
    """``token_lifetime_s`` is how long an access token lasts."""

    def __init__(self, engine: Engine, *, token_lifetime_s: int) -> None:
        self._engine = engine
        self._token_lifetime_s = token_lifetime_s
        self._models = {name: model for model in engine.models for name in model.google_ids}

    async def answer(self, call: Call) -> None:
        """Answer one request. Raises ApiError."""
        match call.method, call.path.split("/")[1:]:
            case "POST", ["token"]:
                await self._give_token(call)
            case "POST", [
                "v1" | "v1beta1",
                "projects",
                project,
                "locations",
                place,
                "publishers",
                "anthropic",
                "models",
                last,
            ]:
                name, _, method = last.rpartition(":")
                caller = self._check_access(call, project, place)
                await self._predict(call, caller, unquote(name), method)
            case "GET", ["v1" | "v1beta1", "publishers", "anthropic", "models"]:
                listed = [_publisher_model(name) for name in self._models]
                await self._send_free(call, self._check_access(call), {"publisherModels": listed})
            case "GET", ["v1" | "v1beta1", "publishers", "anthropic", "models", name]:
                caller = self._check_access(call)
                self._find_model(name, "publishers/anthropic")
                await self._send_free(call, caller, _publisher_model(name))
            case _:
                raise ApiError(404, "NOT_FOUND", "Requested entity was not found.")

    async def refuse(self, call: Call, error: ApiError) -> None:
        """Send an error in the form of whoever raised it."""
        said = _IN_GOOGLE_WORDS.get(error.failure) or _IN_GOOGLE_WORDS.get(error.kind)
        if said is None and not error.kind.isupper():
            envelope: object = error.envelope(_request_id(call))
            await send_json(call.send, error.status, envelope, self._headers(call))
            return
        status, name, message = said or (error.status, error.kind, error.message)
        content = {"error": {"code": status, "message": message, "status": name}}
        is_stream = call.path.endswith(":streamRawPredict")
        headers = {**self._headers(call), "content-type": "application/json; charset=UTF-8"}
        await send_json(call.send, status, [content] if is_stream else content, headers)

    async def _give_token(self, call: Call) -> None:
        fields = {name: values[0] for name, values in parse_qs(call.body.decode("latin-1")).items()}
        now = self._engine.clock()
        host = call.headers.get("host", "")
        audiences = frozenset({TOKEN_URI, f"http://{host}/token", f"https://{host}/token"})
        if fields.get("grant_type") != _GRANT:
            error = {"error": "unsupported_grant_type", "error_description": "Invalid grant_type."}
            await send_json(call.send, 400, error, {})
            return
        try:
            email = check_assertion(fields.get("assertion", ""), audiences=audiences, now=now)
        except AssertionRefused as refused:
            await send_json(call.send, 400, {"error": "invalid_grant", "error_description": str(refused)}, {})
            return
        token = make_token(email, expires_at=now + self._token_lifetime_s)
        # Google says one second less than it allows.
        given = {"access_token": token, "expires_in": self._token_lifetime_s - 1, "token_type": "Bearer"}
        await send_json(call.send, 200, given, {"cache-control": "no-cache, no-store"})

    def _check_access(self, call: Call, project: str = "", location: str = "") -> Caller:
        """Return who asks. A token is good for its own project only, and a location must be one."""
        email = account_of(call.bearer, now=self._engine.clock())
        caller = caller_of_account(email)
        if caller is None:
            raise ApiError(401, "authentication_error", "")
        if project and project != project_of(email):
            resource = f"//aiplatform.googleapis.com/projects/{project}/locations/{location}"
            message = (
                f"Permission 'aiplatform.endpoints.predict' denied on resource '{resource}' (or it may not exist)."
            )
            raise ApiError(403, "PERMISSION_DENIED", message)
        if location and not _LOCATION.fullmatch(location):
            raise ApiError(400, "INVALID_ARGUMENT", f"Invalid location: {location}.")
        return caller

    def _find_model(self, name: str, where: str) -> Model:
        if name not in self._models:
            raise ApiError(
                *(404, "NOT_FOUND"),
                f"Publisher Model `{where}/models/{name}` was not found or your project does not have access to it. "
                "Please ensure you are using a valid model version. For more information, see: "
                "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
            )
        return self._models[name]

    async def _predict(self, call: Call, caller: Caller, name: str, method: str) -> None:
        where = call.path.removeprefix("/v1/").partition("/models/")[0]
        if method not in ("rawPredict", "streamRawPredict"):
            raise ApiError(404, "NOT_FOUND", "Requested entity was not found.")
        body = read_json(call.body)
        if name == _COUNTING:
            self._find_model(str(body.get("model")), where)
            check_cloud_body(body)
            await self._send_free(call, caller, {"input_tokens": await self._engine.count(call, caller, body)})
            return
        model = self._find_model(name, where)
        _check_betas(call.headers.get("anthropic-beta", ""))
        _check_body(body)
        await self._answer_message(call, caller, model, body, is_stream=method == "streamRawPredict")

    async def _answer_message(
        self, call: Call, caller: Caller, model: Model, body: Mapping[str, Any], *, is_stream: bool
    ) -> None:
        reply = await self._engine.reply(call, caller, model, body, version=body["anthropic_version"])
        message = {**reply.message, "id": reply.message["id"].replace("msg_", "msg_vrtx_")}
        # The older method streams too where the body asks for it.
        if not (is_stream or body.get("stream")):
            await send_whole(call, self._engine, reply, message, self._headers(call))
            return
        headers = {**self._headers(call), "content-type": "text/event-stream; charset=utf-8"}
        frames = [frame(event, reply.dice) for event in events_of(message, reply.dice, reply.instructions.pings)]
        await send_stream(call, self._engine, reply, frames, headers, EventFraming(_request_id(call), reply.dice))

    async def _send_free(self, call: Call, caller: Caller, value: object) -> None:
        await self._engine.fail_free_call_if_asked(call, caller)
        await send_json(call.send, 200, value, self._headers(call))

    @staticmethod
    def _headers(call: Call) -> dict[str, str]:
        return {"content-type": "application/json", "request-id": _request_id(call)}


def _request_id(call: Call) -> str:
    return call.request_id.replace("req_", "req_vrtx_")


def _check_betas(header: str) -> None:
    refused = [beta for beta in map(str.strip, header.split(",")) if beta in REFUSED_BETAS]
    if refused:
        raise invalid(
            f"Unexpected value(s) {', '.join(f'`{beta}`' for beta in refused)} for the `anthropic-beta` header. Please "
            "consult our documentation at docs.anthropic.com or try again without the header."
        )


def _check_body(body: Mapping[str, Any]) -> None:
    if "model" in body:
        raise invalid("model: Extra inputs are not permitted")
    version = body.get("anthropic_version")
    if version is None:
        raise invalid("anthropic_version: Field required")
    if version not in ANTHROPIC_VERSIONS:
        raise invalid(f"anthropic_version: Input should be '{ANTHROPIC_VERSIONS[0]}'")
    check_cloud_body(body)


def _publisher_model(name: str) -> dict[str, object]:
    base, _, version = name.partition("@")
    return {"name": f"publishers/anthropic/models/{base}", "versionId": version or "default", "launchStage": "GA"}
