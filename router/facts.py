"""What dialects and providers must know of a model, out of the catalog. Pure."""

from typing import Final

import msgspec

from catalog.index import Capability, Lack, ThinkingOff
from providers.base import ModelTraits
from router.dialects.base import ModelFacts
from router.plan import Offered

_THINKING = {"enabled": Capability.THINKING_ENABLED, "adaptive": Capability.THINKING_ADAPTIVE}
# These take images and documents as bytes, never by address.
_BYTES_ONLY: Final = frozenset(["aws", "google"])
# These have a limit of their own for who names none.
_LIMITS_ITSELF: Final = frozenset(["openai"])
# Of an id that only the provider knows (an inference profile of one's own) nothing is refused on suspicion.
_UNKNOWN: Final = ModelFacts(
    max_output_tokens=1_000_000,
    default_max_tokens=4096,
    thinking=frozenset(["enabled", "adaptive"]),
    thinking_off=frozenset(["disabled", "between_tools"]),
)


def facts_of(offered: Offered) -> ModelFacts:
    """Return the facts a translation into the inner language needs."""
    needs_max_tokens = offered.provider not in _LIMITS_ITSELF
    if offered.entry is None:
        return msgspec.structs.replace(_UNKNOWN, needs_max_tokens=needs_max_tokens)
    model = offered.entry.info
    return ModelFacts(
        max_output_tokens=model.max_output_tokens or model.default_max_tokens,
        default_max_tokens=model.default_max_tokens,
        thinking=frozenset(kind for kind, capability in _THINKING.items() if model.can(capability)),
        efforts=frozenset(model.efforts),
        thinking_off=frozenset(() if model.thinking_off is ThinkingOff.NEVER else [model.thinking_off.value]),
        thinking_off_up_to=model.thinking_off_up_to,
        structured_outputs=offered.entry.structured_outputs,
        takes_sampling=model.takes_sampling,
        forces_tools=model.forces_tools,
        refuses_temperature_with_top_p=model.refuses_temperature_with_top_p,
        caches_hourly=Lack.HOURLY_CACHE not in offered.entry.lacks,
        needs_max_tokens=needs_max_tokens,
        takes_urls=offered.provider not in _BYTES_ONLY,
    )


def traits_of(offered: Offered) -> ModelTraits | None:
    """Return what a provider needs to know of a model that it offers under this name; None where the catalog knows not.

    What goes by a model's name at another server than the provider's own may be anything; its module heeds that.
    """
    if offered.entry is None:
        return None
    model = offered.entry.info
    return ModelTraits(model.efforts, model.max_output_tokens)


def with_urls(facts: ModelFacts) -> ModelFacts:
    """Return ``facts`` of a model whose files the gateway fetches where its provider does not."""
    return facts if facts.takes_urls else msgspec.structs.replace(facts, takes_urls=True)
