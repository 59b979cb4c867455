"""From published prices to the rows that say them: which rates hold from when, and how a price is succeeded. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from genai_prices import __version__ as package_version
from genai_prices.data import providers as package_providers
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from catalog.files import PriceOverride
from catalog.prices import RATE_LABELS, Price, Rates, Tier

PACKAGE_SOURCE = f"genai-prices {package_version}"

# Our name of each class and the package's.
_PACKAGE_KEYS = {
    "uncached_input": "input_mtok",
    "cache_read_input": "cache_read_mtok",
    "cache_write_5m_input": "cache_write_mtok",
    "cache_write_1h_input": "cache_write_1h_mtok",
    "output": "output_mtok",
}
# Earlier than any price: asks the package for what held at first.
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """Rates as published, from ``start`` (None: since the model came out) until the next period."""

    start: datetime | None
    base: Rates
    tiers: tuple[Tier, ...]
    source: str

    def says_the_same_as(self, price: Price) -> bool:
        """Whether it charges what ``price`` does; the source's wording does not matter."""
        return (self.base, self.tiers) == (price.base, price.tiers)


@dataclass(frozen=True, slots=True)
class Succession:
    """What has to happen to an offering's prices: some withdrawn unused, one ended, some added in order."""

    withdrawn: tuple[Price, ...] = ()
    reopened: Price | None = None
    added: tuple[Period, ...] = ()


def published_periods(
    provider: str, upstream_id: str, overrides: Iterable[PriceOverride], *, surcharge_percent: int = 0
) -> list[Period]:
    """Return an offering's prices in order of time, from the package with ``overrides`` and a surcharge on top.

    Empty where neither knows a price: the offering is unpriced, never free.
    """
    model = _find_in_package(provider, upstream_id)
    own = [each for each in overrides if (each.provider, each.upstream_id) == (provider, upstream_id)]
    if model is None and not own:
        return []
    starts = {None, *_package_starts(model), *(each.effective_from for each in own)}
    in_order = sorted(starts, key=lambda start: start or _LONG_AGO)
    periods = [_period(start, model, own) for start in in_order]
    changes = [period for period, before in zip(periods, [None, *periods], strict=False) if _differs(period, before)]
    return [_with_surcharge(period, surcharge_percent) for period in changes] if surcharge_percent else changes


def plan_succession(stored: Sequence[Price], published: Sequence[Period], now: datetime) -> Succession:
    """Return how ``stored`` prices, in order of time, come to say what is ``published``.

    A price that has been in force is never changed, for the ledger refers to it: another follows it, from the
    date published, or from ``now`` where none is. Only one that is still to come can be withdrawn.
    """
    dropped = tuple(price for price in stored if _is_to_come(price, now) and not _is_published(price, published))
    kept = [price for price in stored if price not in dropped]
    if not kept:
        return Succession(withdrawn=dropped, added=tuple(published))
    last = kept[-1]
    later = [period for period in published if _starts_after(period, last)]
    if later and later[0].says_the_same_as(last):
        later = later[1:]
    if not later and published and not published[-1].says_the_same_as(last):
        later = [replace(published[-1], start=now)]
    return Succession(withdrawn=dropped, reopened=last if dropped and not later else None, added=tuple(later))


def _find_in_package(provider: str, upstream_id: str) -> ModelInfo | None:
    found = next((each for each in package_providers if each.id == provider), None)
    return found.find_model(upstream_id) if found else None


def _package_starts(model: ModelInfo | None) -> list[datetime]:
    if model is None or isinstance(model.prices, ModelPrice):
        return []
    constraints = [each.constraint for each in model.prices]
    days = [each.start_date for each in constraints if isinstance(each, StartDateConstraint)]
    return [datetime.combine(day, time.min, UTC) for day in days]


def _period(start: datetime | None, model: ModelInfo | None, overrides: Sequence[PriceOverride]) -> Period:
    published = model.get_prices(start or _LONG_AGO) if model else ModelPrice()
    ours = {name: getattr(published, key, None) for name, key in _PACKAGE_KEYS.items()}
    sources = [PACKAGE_SOURCE] if model else []
    for override in overrides:
        if override.effective_from is None or (start is not None and override.effective_from <= start):
            ours.update(override.rates)
            sources.append(override.source)
    bounds = {tier.start for value in ours.values() if isinstance(value, TieredPrices) for tier in value.tiers}
    return Period(
        start=start,
        base=Rates(**{name: _rate(value, 0) for name, value in ours.items()}),
        tiers=tuple(
            Tier(bound, Rates(**{name: _rate(value, bound) for name, value in ours.items()}))
            for bound in sorted(bounds)
        ),
        source="; ".join(sources),
    )


def _with_surcharge(period: Period, percent: int) -> Period:
    factor = Decimal(100 + percent) / 100

    def raised(rates: Rates) -> Rates:
        values = {name: getattr(rates, name) for name in RATE_LABELS}
        return Rates(**{name: None if rate is None else rate * factor for name, rate in values.items()})

    return replace(
        period,
        base=raised(period.base),
        tiers=tuple(Tier(tier.above_input_tokens, raised(tier.rates)) for tier in period.tiers),
        source=f"{period.source}; {percent} % more in single regions",
    )


def _rate(value: Decimal | TieredPrices | None, bound: int) -> Decimal | None:
    if not isinstance(value, TieredPrices):
        return value
    crossed = [tier for tier in value.tiers if tier.start <= bound]
    return crossed[-1].price if crossed else value.base


def _differs(period: Period, before: Period | None) -> bool:
    if before is None:
        # A first period without any rate is an override's wait for its date: nothing to say yet.
        return period.base != Rates()
    return (period.base, period.tiers) != (before.base, before.tiers)


def _is_to_come(price: Price, now: datetime) -> bool:
    return price.effective_from is not None and price.effective_from > now


def _is_published(price: Price, published: Iterable[Period]) -> bool:
    return any(period.start == price.effective_from and period.says_the_same_as(price) for period in published)


def _starts_after(period: Period, price: Price) -> bool:
    return period.start is not None and (price.effective_from is None or period.start > price.effective_from)
