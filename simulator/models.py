"""The models that the simulator offers, with the limits that decide how a request ends.

Source: Anthropic API reference, "List models"; minimum cacheable prompts as the product page states them, and for
models which that page does not name, those of the newest model of the same class that it does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One model; token limits in tokens, ``aliases`` are the other ids that reach it."""

    id: str
    display_name: str
    created_at: str
    context_tokens: int
    max_output_tokens: int
    minimum_cacheable_tokens: int
    has_manual_thinking: bool
    has_adaptive_thinking: bool
    aliases: tuple[str, ...] = ()

    @property
    def is_newer(self) -> bool:
        """True from Claude 4.1 on; these refuse temperature and top_p together."""
        return self.created_at >= "2025-08-05"

    def as_listed(self) -> dict[str, object]:
        """Return the model as GET /v1/models shows it."""
        thinking = {
            "enabled": {"supported": self.has_manual_thinking},
            "adaptive": {"supported": self.has_adaptive_thinking},
        }
        capabilities = {
            "image_input": {"supported": True},
            "pdf_input": {"supported": True},
            "thinking": {
                "supported": self.has_manual_thinking or self.has_adaptive_thinking,
                "types": thinking,
            },
        }
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": f"{self.created_at}T00:00:00Z",
            "max_input_tokens": self.context_tokens,
            "max_tokens": self.max_output_tokens,
            "capabilities": capabilities,
        }


_MILLION = 1_000_000

# Newest first, as the provider lists them.
MODELS: tuple[Model, ...] = (
    Model("claude-opus-5", "Claude Opus 5", "2026-07-24", _MILLION, 128_000, 4_096, False, True),
    Model("claude-sonnet-5", "Claude Sonnet 5", "2026-06-29", _MILLION, 128_000, 2_048, False, True),
    Model("claude-fable-5", "Claude Fable 5", "2026-06-07", _MILLION, 128_000, 4_096, False, True),
    Model("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28", _MILLION, 128_000, 4_096, False, True),
    Model("claude-opus-4-7", "Claude Opus 4.7", "2026-04-14", _MILLION, 128_000, 4_096, False, True),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17", _MILLION, 128_000, 2_048, True, True),
    Model("claude-opus-4-6", "Claude Opus 4.6", "2026-02-04", _MILLION, 128_000, 4_096, True, True),
    Model(
        *("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24", 200_000, 64_000, 4_096, True, False),
        aliases=("claude-opus-4-5",),
    ),
    Model(
        *("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15", 200_000, 64_000, 4_096, True, False),
        aliases=("claude-haiku-4-5",),
    ),
    Model(
        *("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29", _MILLION, 64_000, 1_024, True, False),
        aliases=("claude-sonnet-4-5",),
    ),
    Model(
        *("claude-opus-4-1-20250805", "Claude Opus 4.1", "2025-08-05", 200_000, 32_000, 1_024, True, False),
        aliases=("claude-opus-4-1",),
    ),
    Model(
        *("claude-opus-4-20250514", "Claude Opus 4", "2025-05-22", 200_000, 32_000, 1_024, True, False),
        aliases=("claude-opus-4-0",),
    ),
    Model(
        *("claude-sonnet-4-20250514", "Claude Sonnet 4", "2025-05-22", 200_000, 64_000, 1_024, True, False),
        aliases=("claude-sonnet-4-0",),
    ),
    Model(
        *("claude-3-7-sonnet-20250219", "Claude Sonnet 3.7", "2025-02-24", 200_000, 64_000, 1_024, True, False),
        aliases=("claude-3-7-sonnet-latest",),
    ),
    Model(
        *("claude-3-5-haiku-20241022", "Claude Haiku 3.5", "2024-10-22", 200_000, 8_192, 2_048, False, False),
        aliases=("claude-3-5-haiku-latest",),
    ),
    Model("claude-3-haiku-20240307", "Claude Haiku 3", "2024-03-07", 200_000, 4_096, 2_048, False, False),
)


def by_name(models: Iterable[Model]) -> Mapping[str, Model]:
    """Return the models under every id and alias that reaches them."""
    return {name: model for model in models for name in (model.id, *model.aliases)}
