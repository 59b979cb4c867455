"""The models as ``claude.json`` and ``openai.json`` tell them: what they can do and where they are offered. Pure.

Sources for Claude: names, strengths, uses, contexts and cache minimums of the models on Orq's "Anthropic" provider
page are that page's own. The rest follows Anthropic's models API, "Models overview", "Prompt caching", "Effort",
"Structured outputs", "Model deprecations" and the models' migration guides, and the model cards of Amazon Bedrock and
Vertex AI; what Bedrock lacks follows its user guide and what its users report it to refuse. OpenAI's models follow the
pages of its "Models" reference. Prices are not here but in genai-prices; only what that package lacks is under
``price_overrides``.
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from catalog.index import Capability, Lack, ThinkingOff
from catalog.providers import PROVIDERS

_FILES = [Path(__file__).with_name(name) for name in ("claude.json", "openai.json")]


class ListedOffering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model is offered. The first of a provider is what the model's plain name means there.

    ``surcharge_percent`` comes on top of the published rates, for places that genai-prices does not tell apart.
    """

    provider: str
    upstream_id: str
    region: str = ""
    retires_on: date | None = None
    surcharge_percent: int = 0


class ListedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the file; null is what its makers have not published.

    ``lacks`` says, by provider, what of the model is not to be had there.
    """

    slug: str
    name: str
    family: str
    context_tokens: int
    max_output_tokens: int | None
    default_max_tokens: int
    min_cacheable_tokens: int | None
    strengths: str
    best_for: str
    capabilities: tuple[Capability, ...]
    refuses_temperature_with_top_p: bool
    aliases: tuple[str, ...]
    released_on: date | None
    offerings: tuple[ListedOffering, ...]
    efforts: tuple[str, ...] = ()
    structured_outputs: bool = False
    lacks: dict[str, tuple[Lack, ...]] = {}
    takes_sampling: bool = True
    forces_tools: bool = True
    thinking_off: ThinkingOff = ThinkingOff.DISABLED
    thinking_off_up_to: str = ""


class PriceOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates in USD per million tokens that replace or complete the package's, from ``effective_from`` on."""

    provider: str
    upstream_id: str
    source: str
    rates: dict[str, Decimal]
    effective_from: datetime | None = None


class CatalogFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says, or all of them together; the models stand in the order in which pages list them."""

    models: tuple[ListedModel, ...]
    price_overrides: tuple[PriceOverride, ...]


def read_catalog_files() -> CatalogFile:
    """Return what the files say, Claude first; raises msgspec.ValidationError if one has another shape."""
    files = [msgspec.json.decode(path.read_bytes(), type=CatalogFile) for path in _FILES]
    return CatalogFile(
        models=tuple(model for file in files for model in file.models),
        price_overrides=tuple(override for file in files for override in file.price_overrides),
    )


def model_string(model: ListedModel, offering: ListedOffering) -> str:
    """Return what a client writes to get ``offering``: by the model's name, or else by the provider's own id."""
    provider = PROVIDERS[offering.provider]
    first = next(each for each in model.offerings if each.provider == offering.provider)
    is_plain = offering is first or offering.upstream_id == first.upstream_id
    return provider.model_string(model.slug) if is_plain else f"{provider.prefix}{offering.upstream_id}"
