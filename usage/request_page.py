"""What the page of one request shows: its attempts over time, what they used and cost, and what the cache did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import Model as CatalogModel
from catalog.models import Price as PriceRow
from catalog.prices import Price, Rates
from catalog.providers import PROVIDERS
from catalog.queries import read_price
from usage.measures import usd
from usage.models import Attempt
from usage.page_parts import TOKEN_CLASSES
from usage.request_log import LoggedRequest
from usage.request_words import cache_words, savings_words, usage_words, what_followed
from usage.timeline import AXIS, Bar, timeline_of

# After the last attempt has settled the page asks this much longer, for what follows it closely.
FOLLOWED_AFTER_END = timedelta(seconds=3)
# A request without an end this long ago lost its gateway; asking on would tell nothing.
FOLLOWED_AT_MOST = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """An attempt on the timeline, with what served it and what came after it.

    ``advice`` is what to do about its failure, where it will stay so and the page has not said it yet.
    """

    logged: LoggedRequest
    attempt: Attempt
    bar: Bar
    provider_name: str
    usage: str
    advice: str
    what_followed: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of tokens: how many, at which rate (USD per million) and cost; ``x`` and ``width`` of 1,000."""

    number: int
    label: str
    tokens: int | None
    rate: Decimal | None
    cost_usd: Decimal | None
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class UsageCard:
    """What one attempt used and cost, class by class, and what the cache did."""

    attempt: Attempt
    rows: Sequence[ClassRow]
    cache: Sequence[str]
    savings_usd: Decimal | None
    savings: str
    price: Price | None

    @property
    def has_tokens(self) -> bool:
        return any(row.width for row in self.rows)


def request_context(entries: Sequence[LoggedRequest], now: datetime) -> dict[str, Any]:
    """Return what the page shows of the ``entries`` of one request, of which there is at least one."""
    logged = [entry for entry in entries if entry.attempt]
    attempts = [entry.attempt for entry in logged if entry.attempt]
    timeline = timeline_of(attempts, now)
    return {
        "answer": entries[-1],
        "began_at": entries[0].at,
        "has_attempts": bool(attempts),
        "timeline": timeline,
        "lines": _lines(logged, timeline.bars),
        "cards": _usage_cards([attempt for attempt in attempts if attempt.has_usage]),
        "is_one_card": sum(attempt.has_usage for attempt in attempts) == 1,
        "cost_usd": usd(sum(attempt.cost_nano for attempt in attempts)),
        "is_cost_known": all(attempt.has_usage or attempt.certainty == "exact" for attempt in attempts),
        "has_cost": any(attempt.has_usage for attempt in attempts),
        "is_unpriced": any(attempt.is_unpriced for attempt in attempts),
        "is_live": is_live(attempts, now),
        "is_over": is_over(attempts),
    }


def is_live(attempts: Sequence[Attempt], now: datetime) -> bool:
    """Whether more may become known of a request with these ``attempts`` in the next moments."""
    if not attempts or now - attempts[-1].started_at > FOLLOWED_AT_MOST:
        return False
    ends = [attempt.ended_at for attempt in attempts if attempt.ended_at]
    return not is_over(attempts) or now - max(ends) < FOLLOWED_AFTER_END


def is_over(attempts: Sequence[Attempt]) -> bool:
    """Whether every attempt has ended and one of them was the last."""
    has_last = not attempts or any(attempt.final for attempt in attempts)
    return has_last and all(attempt.ended_at for attempt in attempts)


def _lines(logged: Sequence[LoggedRequest], bars: Sequence[Bar]) -> list[AttemptLine]:
    lines = []
    # The page begins with what to do about the last one.
    told = {entry.explanation for entry in logged[-1:]}
    for position, (entry, bar) in enumerate(zip(logged, bars, strict=True)):
        later = logged[position + 1] if position + 1 < len(logged) else None
        provider = PROVIDERS.get(bar.attempt.provider)
        explanation = entry.explanation
        lines.append(
            AttemptLine(
                logged=entry,
                attempt=bar.attempt,
                bar=bar,
                provider_name=provider.name if provider else bar.attempt.provider,
                usage=usage_words(bar.attempt),
                advice=explanation.do if explanation and explanation.is_lasting and explanation not in told else "",
                what_followed=what_followed(
                    bar.attempt, later.attempt if later else None, later.provider_key_name if later else None
                ),
            )
        )
        told.add(explanation)
    return lines


def _usage_cards(attempts: Sequence[Attempt]) -> list[UsageCard]:
    rows = PriceRow.objects.filter(pk__in={attempt.price_id for attempt in attempts if attempt.price_id})
    prices = {row.pk: read_price(row) for row in rows}
    minimums = dict(
        CatalogModel.objects.filter(slug__in={attempt.model for attempt in attempts}).values_list(
            "slug", "min_cacheable_tokens"
        )
    )
    return [_usage_card(attempt, prices, minimums) for attempt in attempts]


def _usage_card(attempt: Attempt, prices: Mapping[int, Price], minimums: Mapping[str, int | None]) -> UsageCard:
    price = prices.get(attempt.price_id) if attempt.price_id else None
    savings = savings_words(attempt)
    return UsageCard(
        attempt=attempt,
        rows=_class_rows(attempt, price.rates(input_tokens=attempt.input_tokens or 0) if price else Rates()),
        cache=cache_words(attempt, minimums.get(attempt.model)),
        savings_usd=usd(abs(attempt.cache_savings_nano or 0)) if savings else None,
        savings=savings,
        price=price,
    )


def _class_rows(attempt: Attempt, rates: Rates) -> list[ClassRow]:
    counts = [getattr(attempt, f"{name}_tokens") for name in TOKEN_CLASSES.values()]
    total = sum(count or 0 for count in counts)
    rows, passed = [], 0
    for number, ((label, name), count) in enumerate(zip(TOKEN_CLASSES.items(), counts, strict=True), 1):
        x = passed * AXIS // total if total else 0
        passed += count or 0
        nano = getattr(attempt, f"{name}_cost_nano")
        rows.append(
            ClassRow(
                number=number,
                label=label,
                tokens=count,
                rate=getattr(rates, name),
                cost_usd=None if nano is None or count is None else usd(nano),
                x=x,
                width=max(passed * AXIS // total - x, 1) if count else 0,
            )
        )
    return rows
