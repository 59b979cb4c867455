"""The models that the simulator offers: those the catalog lists at Anthropic, with the limits it gives them and their
ids at AWS and Google, and those it lists at OpenAI.

The catalog's files are read as data, so that the simulator runs without the rest of the product.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CATALOG_FILE = Path(__file__).resolve().parent.parent / "catalog" / "claude.json"
OPENAI_CATALOG_FILE = CATALOG_FILE.with_name("openai.json")
# For models whose limit the catalog does not know yet; the newest have this one.
_DEFAULT_MAX_OUTPUT_TOKENS = 128_000
# What the provider's reference says stands for an unknown release date.
_UNKNOWN_DATE = "1970-01-01"


@dataclass(frozen=True)
class Model:
    """One model; limits in tokens, ``aliases`` are the other ids that reach it at Anthropic.

    ``minimum_cacheable_tokens`` is None for a model that caches nothing. ``aws_ids`` are its inference profiles
    (``us.anthropic.claude-…``), ``aws_lacks`` what it cannot do there, ``google_ids`` its ids on Vertex. ``efforts``
    are the levels of thinking that it can be asked for; ``thinking_off`` is the type that tells it not to think
    ("never": it always does), up to the effort ``thinking_off_up_to`` (empty: at any).
    """

    id: str
    display_name: str
    released_on: str
    context_tokens: int
    max_output_tokens: int
    minimum_cacheable_tokens: int | None
    has_manual_thinking: bool
    has_adaptive_thinking: bool
    refuses_temperature_with_top_p: bool
    takes_sampling: bool = True
    aws_lacks: tuple[str, ...] = ()
    forces_tools: bool = True
    thinking_off: str = "disabled"
    thinking_off_up_to: str = ""
    aliases: tuple[str, ...] = ()
    aws_ids: tuple[str, ...] = ()
    google_ids: tuple[str, ...] = ()
    efforts: tuple[str, ...] = ()

    def as_listed(self) -> dict[str, object]:
        """Return the model as GET /v1/models shows it."""
        thinking = {
            "supported": self.has_manual_thinking or self.has_adaptive_thinking,
            "types": {
                "enabled": {"supported": self.has_manual_thinking},
                "adaptive": {"supported": self.has_adaptive_thinking},
                "disabled": {"supported": self.thinking_off == "disabled"},
                "between_tools": {"supported": self.thinking_off == "between_tools"},
            },
        }
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": f"{self.released_on}T00:00:00Z",
            "max_input_tokens": self.context_tokens,
            "max_tokens": self.max_output_tokens,
            "capabilities": {
                "image_input": {"supported": True},
                "pdf_input": {"supported": True},
                "thinking": thinking,
            },
        }


def load_models(path: Path = CATALOG_FILE) -> tuple[Model, ...]:
    """Return the catalog's models that Anthropic offers, newest first as the provider lists them."""
    return _offered_by("anthropic", path)


def load_openai_models(path: Path = OPENAI_CATALOG_FILE) -> tuple[Model, ...]:
    """Return the catalog's models that OpenAI offers, newest first. One reasons if it can be asked how hard to."""
    return tuple(replace(model, has_adaptive_thinking=bool(model.efforts)) for model in _offered_by("openai", path))


def by_name(models: Iterable[Model]) -> Mapping[str, Model]:
    """Return the models under every id and alias that reaches them."""
    return {name: model for model in models for name in (model.id, *model.aliases)}


def _offered_by(provider: str, path: Path) -> tuple[Model, ...]:
    listed = json.loads(path.read_text())["models"]
    models = [_model(entry, upstream_id) for entry in listed for upstream_id in _ids_at(provider, entry)]
    return tuple(sorted(models, key=lambda model: model.released_on, reverse=True))


def _model(entry: Mapping[str, Any], upstream_id: str) -> Model:
    capabilities = entry["capabilities"]
    return Model(
        id=upstream_id,
        display_name=entry["name"],
        released_on=entry["released_on"] or _UNKNOWN_DATE,
        context_tokens=entry["context_tokens"],
        max_output_tokens=entry["max_output_tokens"] or _DEFAULT_MAX_OUTPUT_TOKENS,
        minimum_cacheable_tokens=entry["min_cacheable_tokens"],
        has_manual_thinking="thinking_enabled" in capabilities,
        has_adaptive_thinking="thinking_adaptive" in capabilities,
        refuses_temperature_with_top_p=entry["refuses_temperature_with_top_p"],
        takes_sampling=entry.get("takes_sampling", True),
        aws_lacks=tuple(entry.get("lacks", {}).get("aws", ())),
        forces_tools=entry.get("forces_tools", True),
        thinking_off=entry.get("thinking_off", "disabled"),
        thinking_off_up_to=entry.get("thinking_off_up_to", ""),
        aliases=tuple({entry["slug"], *entry["aliases"]} - {upstream_id}),
        aws_ids=_ids_at("aws", entry),
        google_ids=_ids_at("google", entry),
        efforts=tuple(entry.get("efforts") or ()),
    )


def _ids_at(provider: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(offering["upstream_id"] for offering in entry["offerings"] if offering["provider"] == provider)
