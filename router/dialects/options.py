"""The fields of a request that steer the gateway: who asks, what to fall back to, how long to wait."""

from router.dialects.base import CallOptions, ParsedRequest, RequestRefused, Retry, WeightedModel
from router.dialects.fields import Fields, whole
from router.dialects.strict_json import decode_object

MOST_MESSAGES = 10_000
# Of fallbacks, and of a load balancer's arms; no request is attempted even ten times.
MOST_MODELS = 50
_CONVERSATIONS = ("messages", "input")
_NAMES = (
    "identity",
    "thread",
    "name",
    "tags",
    "fallbacks",
    "fallback_on_codes",
    "retry",
    "timeout",
    "load_balancer",
    "integration_id",
    "metadata",
)


def parse_request(raw: bytes) -> ParsedRequest:
    """Return the outline of a chat or responses body. Raises RequestRefused for whatever is wrong with it."""
    body = Fields(decode_object(raw))
    for name in _CONVERSATIONS:
        given = body.get(name)
        if isinstance(given, list) and len(given) > MOST_MESSAGES:
            raise body.refuse(name, f"holds more than {MOST_MESSAGES:,}, the most that a request may have.")
    return ParsedRequest(
        body.required_string("model"), bool(body.boolean("stream")), read_options(body), body.values, raw
    )


def read_options(body: Fields) -> CallOptions:
    """Return the options, each taken from the body or, where it stands only there, from the deprecated ``orq``."""
    deprecated = body.object("orq")
    sources = {name: _source_of(name, body, deprecated) for name in _NAMES}
    return CallOptions(
        identity=_identity(sources["identity"]) or (_identity(deprecated, "contact") if deprecated else None),
        metadata=sources["metadata"].string_map("metadata"),
        thread=_identity(sources["thread"], "thread"),
        name=sources["name"].string("name"),
        tags=tuple(sources["tags"].strings("tags")),
        fallbacks=_fallbacks(sources["fallbacks"]),
        fallback_on_codes=_statuses(sources["fallback_on_codes"], "fallback_on_codes"),
        retry=_retry(sources["retry"]),
        timeout_ms=_timeout_ms(sources["timeout"]),
        load_balancer=_load_balancer(sources["load_balancer"]),
        integration_id=sources["integration_id"].string("integration_id"),
    )


def _source_of(name: str, body: Fields, deprecated: Fields | None) -> Fields:
    if deprecated is not None and body.get(name) is None:
        return deprecated
    return body


def _identity(source: Fields, name: str = "identity") -> dict[str, object] | None:
    fields = source.object(name)
    if fields is None:
        return None
    fields.required_string("id")
    return fields.values


def _fallbacks(source: Fields) -> tuple[str, ...]:
    _refuse_too_many(source, "fallbacks")
    return tuple(fallback.required_string("model") for fallback in source.objects("fallbacks"))


def _refuse_too_many(source: Fields, name: str) -> None:
    # Each is looked up and planned for before anything is sent, while others wait.
    if len(source.array(name) or ()) > MOST_MODELS:
        raise source.refuse(name, f"holds more than {MOST_MODELS} models.")


def _retry(source: Fields) -> Retry | None:
    fields = source.object("retry")
    if fields is None:
        return None
    return Retry(fields.integer("count", 1, 5) or 1, _statuses(fields, "on_codes"))


def _statuses(source: Fields, name: str) -> tuple[int, ...]:
    codes: list[int] = []
    for code in map(whole, source.array(name) or ()):
        if type(code) is not int or not 100 <= code <= 599:
            raise source.refuse(name, "must be an array of HTTP statuses.")
        codes.append(code)
    return tuple(codes)


def _timeout_ms(source: Fields) -> int | None:
    fields = source.object("timeout")
    return fields.integer("call_timeout") if fields else None


def _load_balancer(source: Fields) -> tuple[WeightedModel, ...]:
    # Under ``orq`` the list of models stands there without the object around it.
    if isinstance(source.get("load_balancer"), list):
        _refuse_too_many(source, "load_balancer")
        return tuple(_weighted(arm) for arm in source.objects("load_balancer"))
    fields = source.object("load_balancer")
    if fields is None:
        return ()
    fields.one_of("type", ("weight_based",))
    _refuse_too_many(fields, "models")
    models = tuple(_weighted(arm) for arm in fields.objects("models"))
    if not models:
        raise fields.refuse("models", "needs at least one model.")
    return models


def _weighted(arm: Fields) -> WeightedModel:
    weight = arm.get("weight")
    if weight is None:
        weight = 1
    if type(weight) not in (int, float) or weight <= 0:
        raise RequestRefused(f"{arm.at('weight')} must be a number above 0.", param=arm.at("weight"))
    return WeightedModel(arm.required_string("model"), float(weight))
