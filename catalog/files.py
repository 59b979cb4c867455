"""The Claude family as ``claude.json`` tells it: what models can do and where they are offered. Pure.

Sources: names, strengths, uses, contexts and cache minimums of the models on Orq's "Anthropic" provider page are that
page's own. The rest follows Anthropic's models API, "Models overview", "Prompt caching" and "Model deprecations", and
the model cards of Amazon Bedrock and Vertex AI. Prices are not here but in genai-prices; only what that package lacks
is under ``price_overrides``.
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from catalog.index import Capability
from catalog.providers import PROVIDERS

_FILE = Path(__file__).with_name("claude.json")


class ListedOffering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model is offered. The first of a provider is what the model's plain name means there."""

    provider: str
    upstream_id: str
    region: str = ""
    retires_on: date | None = None


class ListedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the file; null is what its makers have not published."""

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


class PriceOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates in USD per million tokens that replace or complete the package's, from ``effective_from`` on."""

    provider: str
    upstream_id: str
    source: str
    rates: dict[str, Decimal]
    effective_from: datetime | None = None


class CatalogFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of ``claude.json``; the models stand in the order in which pages list them."""

    models: tuple[ListedModel, ...]
    price_overrides: tuple[PriceOverride, ...]


def read_catalog_file() -> CatalogFile:
    """Return what ``claude.json`` says; raises msgspec.ValidationError if it has another shape."""
    return msgspec.json.decode(_FILE.read_bytes(), type=CatalogFile)


def model_string(model: ListedModel, offering: ListedOffering) -> str:
    """Return what a client writes to get ``offering``: by the model's name, or else by the provider's own id."""
    provider = PROVIDERS[offering.provider]
    first = next(each for each in model.offerings if each.provider == offering.provider)
    return provider.model_string(model.slug) if offering is first else f"{provider.prefix}{offering.upstream_id}"
