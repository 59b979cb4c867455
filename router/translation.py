"""How one request is put to one provider, and how what comes back is put to the client.

Where the provider takes the client's own shape the body passes with every value's bytes kept; else the dialect turns it
into Messages, the inner language, and the answer back.
"""

from collections.abc import Mapping

import msgspec

from providers.base import ModelCall, NotTranslatable, Outbound, Shape
from router.dialects import MESSAGES
from router.dialects.base import Dialect, ParsedRequest, RequestRefused
from router.dialects.messages import replace_model
from router.dialects.passthrough import openai_body
from router.facts import facts_of, traits_of, with_urls
from router.fetching import NotFetched, UrlFetcher
from router.headers import RequestHeaders
from router.plan import Candidate, Offered, Plan

_NO_HEADERS: Mapping[str, str] = {}


class Translation(msgspec.Struct, frozen=True):
    """A call as one provider gets it; ``outbound`` lacks only the credential.

    ``is_rendered``: the answer is turned into the client's language. ``is_native``: the client speaks the provider's
    own Messages, so that errors pass as they are.
    """

    call: ModelCall
    outbound: Outbound
    is_rendered: bool
    is_native: bool


async def translate_first(
    dialect: Dialect,
    parsed: ParsedRequest,
    headers: RequestHeaders,
    plan: Plan,
    *,
    is_count: bool,
    fetcher: UrlFetcher | None,
) -> tuple[Plan, Translation]:
    """Return the first call of ``plan``, and what is left of the plan.

    What cannot do what is asked is passed over, unless it is the model that the client itself asked for. Raises
    RequestRefused as ``translate`` does, for that model or the first one of a route, where nothing is left.
    """
    refusals: dict[int, RequestRefused] = {}
    left = plan
    while left.candidates:
        first = left.candidates[0]
        try:
            return left, await translate(dialect, parsed, headers, first, is_count=is_count, fetcher=fetcher)
        except RequestRefused as refused:
            refusals[first.leg] = refused
            if isinstance(refused, NotFetched):
                # No later one waits for the same; it may take the URL as it is.
                fetcher = None
            if not first.leg and not plan.route:
                break
            left = left.without_leg(first.leg)
    raise refusals[min(refusals)]


async def translate(
    dialect: Dialect,
    parsed: ParsedRequest,
    headers: RequestHeaders,
    candidate: Candidate,
    *,
    is_count: bool,
    fetcher: UrlFetcher | None,
) -> Translation:
    """Return the call to make; ``fetcher`` gets the files that are named by URL where a provider takes bytes only.

    Raises RequestRefused where the model or its provider cannot do what is asked.
    """
    offered, target = candidate.offered, candidate.key.target
    shape = Shape.COUNT_TOKENS if is_count else Shape(dialect.name)
    passes = shape in offered.api.shapes_at(target)
    if not passes and dialect is MESSAGES:
        message = f"{offered.model_string} cannot count tokens; its provider has no such call."
        raise RequestRefused(message, param="model")
    if passes:
        call = _passing(dialect, parsed, headers, offered, shape)
    else:
        facts = facts_of(offered)
        messages = dialect.to_messages(parsed, with_urls(facts) if fetcher else facts)
        if fetcher and not facts.takes_urls:
            await fetcher.fill_in(messages)
        body = msgspec.json.encode({"model": offered.upstream_id, **messages})
        call = ModelCall(offered.upstream_id, body, parsed.stream, Shape.MESSAGES, _NO_HEADERS, traits_of(offered))
    try:
        outbound = offered.api.build_request(call, target)
    except RecursionError:
        raise RequestRefused("The body is nested too deeply.") from None
    except msgspec.DecodeError:
        # Whatever the provider would have made of it: a number beyond a double, say.
        raise RequestRefused("The body holds a value that cannot be read.") from None
    except NotTranslatable as error:
        raise RequestRefused(error.message, param=error.param) from None
    except ValueError as error:
        # The key's own settings: a region or project that cannot be.
        raise RequestRefused(str(error), param="model", status=422, code="model_configuration_missing") from None
    is_native = dialect is MESSAGES and shape not in offered.api.translated_shapes
    return Translation(call, outbound, is_rendered=not passes, is_native=is_native)


def _passing(
    dialect: Dialect, parsed: ParsedRequest, headers: RequestHeaders, offered: Offered, shape: Shape
) -> ModelCall:
    """Return a call with the client's own body, whose model has the provider's name for it."""
    body, model = parsed.raw, offered.upstream_id
    if dialect is not MESSAGES:
        return ModelCall(model, openai_body(dialect.name, parsed, model), parsed.stream, shape, _NO_HEADERS)
    if parsed.model != model:
        body = replace_model(body, model)
    return ModelCall(model, body, parsed.stream, shape, headers.passed_on, traits_of(offered))
