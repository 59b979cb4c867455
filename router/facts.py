"""What the dialects must know of a model, out of the catalog. Pure."""

from catalog.index import Capability, ModelEntry
from router.dialects.base import ModelFacts

_THINKING = {"enabled": Capability.THINKING_ENABLED, "adaptive": Capability.THINKING_ADAPTIVE}


def facts_of(model: ModelEntry) -> ModelFacts:
    """Return the facts a translation into the inner language needs."""
    return ModelFacts(
        max_output_tokens=model.max_output_tokens or model.default_max_tokens,
        default_max_tokens=model.default_max_tokens,
        thinking=frozenset(kind for kind, capability in _THINKING.items() if model.can(capability)),
        refuses_temperature_with_top_p=model.refuses_temperature_with_top_p,
    )
