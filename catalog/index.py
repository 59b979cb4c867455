"""The catalog as the gateway, the pages and the REST API look things up in it. Pure: built once, then only read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property

from catalog.prices import IN_REGION, Price, price_in_force, priced_regions
from catalog.providers import PROVIDERS, Provider

# What other gateways call our providers.
_FOREIGN_PREFIXES = {"bedrock": "aws", "vertex_ai": "google"}

# Ids that a catalog cannot list: inference profiles and provisioned throughput of one's own account, and whatever an
# OpenAI-compatible server offers. Sources: Amazon Bedrock API reference, InvokeModel, "modelId"; OpenAI's model ids.
_PASSABLE_IDS = {
    "aws": re.compile(
        r"arn:aws(-[a-z]+)*:bedrock:[a-z0-9-]{1,20}:([0-9]{12})?:"
        r"(application-inference-profile|inference-profile|provisioned-model|foundation-model)/[A-Za-z0-9.:_-]{1,140}"
    ),
    "openai": re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}"),
}


def is_passable_id(provider: str, name: str) -> bool:
    """Whether ``name``, unknown to the catalog, goes to ``provider`` as it is, and unpriced."""
    pattern = _PASSABLE_IDS.get(provider)
    return pattern is not None and pattern.fullmatch(name) is not None


class Capability(StrEnum):
    """What a model can do; ``label`` is how pages say it."""

    VISION = "vision"
    PDF = "pdf"
    TOOLS = "tools"
    CACHING = "caching"
    THINKING_ENABLED = "thinking_enabled"
    THINKING_ADAPTIVE = "thinking_adaptive"

    @property
    def label(self) -> str:
        return _CAPABILITY_LABELS[self]


_CAPABILITY_LABELS = {
    Capability.VISION: "Vision",
    Capability.PDF: "PDF input",
    Capability.TOOLS: "Tool use",
    Capability.CACHING: "Prompt caching",
    Capability.THINKING_ENABLED: "Thinking, manual",
    Capability.THINKING_ADAPTIVE: "Thinking, adaptive",
}


class ThinkingOff(StrEnum):
    """How a model is told not to think: by which ``thinking.type``, or not at all."""

    DISABLED = "disabled"
    BETWEEN_TOOLS = "between_tools"
    NEVER = "never"


class Lack(StrEnum):
    """What a model can do and some provider does not offer of it."""

    STRUCTURED_OUTPUTS = "structured_outputs"
    HOURLY_CACHE = "hourly_cache"


class UnknownModel(ValueError):
    """A model string that names no offering; the text says what to write instead."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model, wherever it is offered. ``rank`` orders the list, best known first.

    ``efforts`` are the levels of reasoning effort it takes, least first; ``structured_outputs`` whether it enforces a
    JSON schema; ``takes_sampling`` whether it takes ``temperature``, ``top_p`` and ``top_k``;
    ``forces_tools`` whether it can be made to call a tool.
    ``thinking_off`` is how it is told not to think, at efforts ``thinking_off_up_to`` that one (empty: at any).
    """

    slug: str
    name: str
    family: str
    rank: int
    context_tokens: int
    max_output_tokens: int | None
    default_max_tokens: int
    min_cacheable_tokens: int | None
    strengths: str
    best_for: str
    capabilities: frozenset[Capability]
    refuses_temperature_with_top_p: bool
    aliases: tuple[str, ...]
    released_on: date | None
    efforts: tuple[str, ...] = ()
    structured_outputs: bool = False
    takes_sampling: bool = True
    forces_tools: bool = True
    thinking_off: ThinkingOff = ThinkingOff.DISABLED
    thinking_off_up_to: str = ""

    def can(self, capability: Capability) -> bool:
        """Whether the model has ``capability``."""
        return capability in self.capabilities


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """An offering: a model at one provider and region, by the id it has there, at that provider's prices."""

    id: int
    provider: str
    region: str
    upstream_id: str
    model_string: str
    is_callable: bool
    retires_on: date | None
    info: ModelEntry
    prices: tuple[Price, ...]
    lacks: frozenset[Lack] = frozenset()

    @property
    def model(self) -> str:
        """The model's slug, by which the ledger knows it."""
        return self.info.slug

    @property
    def provider_info(self) -> Provider:
        """What the code knows about the provider."""
        return PROVIDERS[self.provider]

    @property
    def structured_outputs(self) -> bool:
        """Whether the model enforces a JSON schema here."""
        return self.info.structured_outputs and Lack.STRUCTURED_OUTPUTS not in self.lacks

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand after the provider's prefix to mean this offering."""
        bare = (self.upstream_id,) if self.is_regional else (self.upstream_id, self.model, *self.info.aliases)
        publisher = self.provider_info.publisher
        return (*bare, *(f"{publisher}{name}" for name in bare)) if publisher else bare

    @property
    def is_regional(self) -> bool:
        """Whether it stands beside the offering that the model's plain name means at this provider."""
        return self.region == IN_REGION or self.model_string != self.provider_info.model_string(self.model)

    @property
    def is_by_key(self) -> bool:
        """Whether the key's settings make a call this offering, under the model's plain name."""
        return self.is_regional and self.model_string == self.provider_info.model_string(self.model)

    @property
    def place(self) -> str:
        """The region as pages say it; empty where the provider chooses."""
        return "single regions" if self.region == IN_REGION else self.region

    def is_retired_at(self, when: datetime) -> bool:
        """Whether the provider refuses the model by then; its makers count days in UTC."""
        return self.retires_on is not None and self.retires_on <= when.astimezone(UTC).date()

    def price_at(self, when: datetime) -> Price:
        """Return the price in force at ``when``, else NO_PRICE."""
        return price_in_force(self.prices, when)


@dataclass(frozen=True)
class CatalogIndex:
    """Every offering, in the order pages list them."""

    entries: Sequence[CatalogEntry]

    def find(self, provider: str, name: str) -> CatalogEntry | None:
        """Return the offering of ``provider`` that goes by ``name``: slug, alias, or the provider's own id."""
        return self._by_name.get((provider, name))

    def resolve(self, model_string: str) -> CatalogEntry:
        """Return the offering that a client means by ``model_string``, as ``provider/model``.

        Dated and dateless ids and the providers' own ids all do. An offering found may not be callable yet.
        Raises UnknownModel: 400 for a name without its provider or with another gateway's prefix, else 404.
        """
        provider, slash, name = model_string.partition("/")
        if not slash:
            raise self._without_provider(model_string)
        if provider in _FOREIGN_PREFIXES:
            ours = _FOREIGN_PREFIXES[provider]
            raise UnknownModel(
                f"“{provider}/” is not a provider here. {PROVIDERS[ours].name} is “{ours}/”, "
                f"as in {PROVIDERS[ours].model_string('claude-sonnet-4-6')}.",
                status=400,
                code="invalid_request_body",
            )
        entry = self.find(provider, name)
        if entry is None:
            raise UnknownModel(
                f"There is no model “{model_string}”. GET /v3/router/models lists those this key can call.",
                status=404,
                code="model_not_found",
            )
        return entry

    def of_model(self, slug: str) -> list[CatalogEntry]:
        """Return the offerings of the model with this slug; empty if there is none."""
        return [entry for entry in self.entries if entry.model == slug]

    def callable_entries(self) -> list[CatalogEntry]:
        """Return the offerings that this gateway can call, one for each model string."""
        return list({entry.model_string: entry for entry in reversed(self.entries) if entry.is_callable}.values())[::-1]

    def served(self, entry: CatalogEntry, region: str) -> CatalogEntry:
        """Return the offering whose price holds where ``entry`` was called and ``region`` served it."""
        for place in priced_regions(region):
            if found := self._by_place.get((entry.provider, entry.model, place)):
                return found
        return entry

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], CatalogEntry]:
        return index_by_name(self.entries)

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str], CatalogEntry]:
        return {(entry.provider, entry.model, entry.region): entry for entry in self.entries if entry.region}

    def _without_provider(self, name: str) -> UnknownModel:
        known = self.find("anthropic", name)
        example = known.model_string if known else "anthropic/claude-sonnet-4-6"
        return UnknownModel(
            f"The model “{name}” lacks its provider. Write it as provider/model, such as {example}.",
            status=400,
            code="invalid_request_body",
        )


def index_by_name(entries: Iterable[CatalogEntry]) -> dict[tuple[str, str], CatalogEntry]:
    """Return the offerings by (provider, name), for every name each goes by; the first to claim a name keeps it."""
    by_name: dict[tuple[str, str], CatalogEntry] = {}
    for entry in entries:
        for name in entry.names:
            by_name.setdefault((entry.provider, name), entry)
    return by_name
