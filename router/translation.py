"""How one request is put to one provider, and how what comes back is put to the client. Pure.

Where the provider takes the client's own shape the body passes with every value's bytes kept; else the dialect turns it
into Messages, the inner language, and the answer back.
"""

from collections.abc import Mapping

import msgspec

from providers.base import ModelCall, Shape
from providers.body import edit_body
from router.dialects import MESSAGES
from router.dialects.base import Dialect, ParsedRequest, RequestRefused
from router.dialects.messages import replace_model
from router.facts import facts_of
from router.headers import RequestHeaders
from router.plan import Candidate

_NO_HEADERS: Mapping[str, str] = {}
_GATEWAY_FIELDS: Mapping[str, frozenset[str]] = {"chat": frozenset(), "responses": frozenset()}


class Translation(msgspec.Struct, frozen=True):
    """A call as one provider gets it. ``is_native``: the client speaks the provider's language, errors included."""

    call: ModelCall
    is_rendered: bool
    is_native: bool


def translate(
    dialect: Dialect, parsed: ParsedRequest, headers: RequestHeaders, candidate: Candidate, *, is_count: bool
) -> Translation:
    """Return the call to make. Raises RequestRefused where the model or its provider cannot do what is asked."""
    offered = candidate.offered
    shape = Shape.COUNT_TOKENS if is_count else Shape(dialect.name)
    if shape in offered.api.shapes_at(candidate.key.target):
        if dialect is MESSAGES:
            body = parsed.raw
            if parsed.model != offered.upstream_id:
                body = replace_model(body, offered.upstream_id)
            is_native = shape not in offered.api.translated_shapes
            call = ModelCall(offered.upstream_id, body, parsed.stream, shape, headers.passed_on)
            return Translation(call, is_rendered=False, is_native=is_native)
        body = edit_body(parsed.raw, drop=_GATEWAY_FIELDS[dialect.name], put={"model": offered.upstream_id})
        call = ModelCall(offered.upstream_id, body, parsed.stream, shape, _NO_HEADERS)
        return Translation(call, is_rendered=False, is_native=False)
    if dialect is MESSAGES:
        message = f"{candidate.offered.model_string} cannot count tokens; its provider has no such call."
        raise RequestRefused(message, param="model")
    messages = dialect.to_messages(parsed, facts_of(offered))
    body = msgspec.json.encode({"model": offered.upstream_id, **messages})
    call = ModelCall(offered.upstream_id, body, parsed.stream, Shape.MESSAGES, _NO_HEADERS)
    return Translation(call, is_rendered=True, is_native=False)
