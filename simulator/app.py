"""The simulator as an ASGI app: which API a request is for, and what all of them share.

    uvicorn simulator.app:app

It is deterministic given the request, the state of the cache and of the limits, and the clock, which a test injects.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from simulator.anthropic import AnthropicAPI
from simulator.bedrock import BedrockAPI
from simulator.call import Call
from simulator.engine import Engine
from simulator.errors import ApiError
from simulator.http import ClientLeft, Receive, Scope, Send, run_lifespan
from simulator.limits import Limits
from simulator.models import Model
from simulator.openai import OpenAIAPI
from simulator.pace import INSTANT, Pace
from simulator.vertex import VertexAPI


class _API(Protocol):
    async def answer(self, call: Call) -> None: ...

    async def refuse(self, call: Call, error: ApiError) -> None: ...


class Simulator:
    """The app. ``clock`` returns seconds since the epoch and drives cache lifetimes, limits and signatures; ``models``
    are the catalog's unless given; ``token_lifetime_s`` is how long Google's access tokens last.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        pace: Pace = INSTANT,
        limits: Limits | None = None,
        models: Iterable[Model] | None = None,
        token_lifetime_s: int = 3_600,
    ) -> None:
        engine = Engine(clock=clock, pace=pace, limits=limits, models=models)
        self._anthropic = AnthropicAPI(engine)
        self._bedrock = BedrockAPI(engine)
        self._vertex = VertexAPI(engine, token_lifetime_s=token_lifetime_s)
        self._openai = OpenAIAPI(engine)
        self._started_at = clock()
        self._request_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
            return
        call = Call.of(scope, receive, send, self._next_request_id())
        api = self._api_for(call)
        try:
            await api.answer(await call.with_body())
        except ClientLeft:
            return
        except ApiError as error:
            await api.refuse(call, error)

    def _api_for(self, call: Call) -> _API:
        """Return whose request this is; by its path alone, except for paths that two APIs have."""
        match call.path.split("/")[1:]:
            case ["model" | "foundation-models" | "inference-profiles", *_]:
                return self._bedrock
            case ["token"] | ["v1" | "v1beta1", "projects" | "publishers", *_]:
                return self._vertex
            case ["v1", "chat" | "responses", *_]:
                return self._openai
            case ["v1", "models", *_] if call.bearer and not {"anthropic-version", "x-api-key"} & set(call.headers):
                return self._openai
            case _:
                return self._anthropic

    def _next_request_id(self) -> str:
        """Return an id that no other request has, not even after a restart."""
        self._request_count += 1
        digest = hashlib.sha256(f"{self._started_at} {self._request_count}".encode()).hexdigest()
        return f"req_sim{digest[:21]}"


app = Simulator()
